"""Model or structure: a card to drop a file on, with what is known and what is wrong about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.core.simulation_checks import Finding
from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.icons import pixmap
from gui.views.common.labels import Elided, label, restyle
from gui.views.simulate.flow import clear_layout

__all__ = ["FindingLine", "InputCard"]

_LOOKS = {
    "good": ("ok", "ok", ""),
    "warning": ("warn", "warn", "Warning: "),
    "error": ("error", "error", "Error: "),
}


class FindingLine(QWidget):
    """One finding: a mark and a sentence."""

    def __init__(self, finding: Finding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name, self._token, word = _LOOKS[finding.level]
        self._icon = QLabel()
        self._icon.setFixedWidth(
            24
        )  # as wide as the card's own, so that texts stand below each other
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text = label(
            finding.text, self._token if finding.level != "good" else "muted", wraps=True
        )
        self.setAccessibleName(f"{word}{finding.text}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT + UNIT // 2)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.text, 1)
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap(self._icon_name, self._token, 16))


class InputCard(QFrame):
    """A file that a simulation needs.

    Parameters
    ----------
    title, icon_name
        What kind of file.
    invitation
        What stands there while there is none.
    way_out
        Word on a button for who has no such file.

    Signals
    -------
    file_dropped
        A `Path`.
    browse_requested
        A person wants to choose a file.
    help_asked
        A person has none.
    """

    file_dropped = Signal(object)
    browse_requested = Signal()
    help_asked = Signal()

    def __init__(
        self,
        title: str,
        icon_name: str,
        invitation: str,
        way_out: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._title, self._icon_name, self._invitation = title, icon_name, invitation
        self._is_empty, self._is_target = True, False
        self.setProperty("role", "card")
        self.setAcceptDrops(True)
        self.setAccessibleName(title)
        self._icon = QLabel()
        self._heading = label(title, "caption")
        self.nameLabel = Elided("", "subheading", Qt.TextElideMode.ElideMiddle)
        self.factsLabel = Elided("", "muted")
        self.chooseButton = button("Choose…", self.browse_requested.emit)
        self.chooseButton.setAccessibleName(f"Choose {title.lower()}")
        self.helpButton = button(way_out, self.help_asked.emit, role="flat")
        self._has_way_out = bool(way_out)
        self._findings = QVBoxLayout()
        self._findings.setSpacing(UNIT // 2)
        self._build()
        theme().changed.connect(self._draw)
        self.setFile(None)

    def setFile(self, path: Path | None, facts: str = "") -> None:
        """Show a file with a line about it; None shows the invitation."""
        self._is_empty = path is None
        self.nameLabel.setText(self._invitation if path is None else path.name)
        restyle(self.nameLabel, "role", "muted" if path is None else "subheading")
        self.nameLabel.setToolTip("" if path is None else str(path))
        self.factsLabel.setText(facts)
        self.factsLabel.setVisible(bool(facts))
        self.helpButton.setVisible(path is None and self._has_way_out)
        self.chooseButton.setText("Choose…" if path is None else "Change…")
        restyle(self, "role", "" if path is None else "card")
        self._draw()

    def setFindings(self, findings: Sequence[Finding]) -> None:
        """Show what was found about the file."""
        clear_layout(self._findings)
        for finding in findings:
            self._findings.addWidget(FindingLine(finding))

    # --- dropping -------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept one file."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._set_target(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Look as before."""
        self._set_target(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the first file."""
        self._set_target(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.file_dropped.emit(paths[0])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a dashed edge while there is no file."""
        super().paintEvent(event)
        if not (self._is_empty or self._is_target):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        token = "accent" if self._is_target else "border_strong"
        painter.setPen(QPen(theme().colour(token), 1.5, Qt.PenStyle.DashLine))
        if self._is_target:
            painter.setBrush(theme().colour("accent_soft"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        for widget in (self._heading, self.nameLabel, self.factsLabel):
            words.addWidget(widget)
        top = QHBoxLayout()
        top.setSpacing(UNIT + UNIT // 2)
        top.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        top.addWidget(self.helpButton, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.chooseButton, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * UNIT, UNIT + UNIT // 2, UNIT + UNIT // 2, UNIT + UNIT // 2)
        column.setSpacing(UNIT)
        column.addLayout(top)
        column.addLayout(self._findings)
        column.addStretch(1)

    def _set_target(self, is_target: bool) -> None:
        self._is_target = is_target
        self.update()

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap(self._icon_name, "faint" if self._is_empty else "accent", 24))
        self.update()


def _demo() -> QWidget:
    made = QWidget()
    made.setObjectName("canvas")
    column = QVBoxLayout(made)
    column.setContentsMargins(24, 24, 24, 24)
    column.setSpacing(16)
    empty = InputCard("Model", "star", "Drop a .safetensors file here")
    good = InputCard("Structure", "molecule", "Drop a structure here")
    good.setFile(Path("methanol.xyz"), "CH₄O  ·  6 atoms  ·  not periodic")
    good.setFindings([Finding("structure", "good", "Elements H C O: all known to the model")])
    bad = InputCard("Structure", "molecule", "Drop a structure here")
    bad.setFile(Path("salt.cif"), "NaCl  ·  8 atoms  ·  cell 5.64 × 5.64 × 5.64 Å")
    bad.setFindings(
        [
            Finding(
                "structure", "error", "Model knows H, C, O; structure has Na (atoms 0, 1, 2, 3)"
            ),
            Finding("structure", "warning", "Cell is 5.64 Å high, less than 2 × cutoff (8 Å)"),
        ]
    )
    for card in (empty, good, bad):
        column.addWidget(card)
    column.addStretch(1)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
