"""What the check of the data found; each line leads to its frames."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.core.datasets import Finding
from gui.views.common.buttons import IconButton
from gui.views.common.scrolling import Scrolling
from gui.views.data.marks import SeverityMark

__all__ = ["FindingsList"]

ROW_HEIGHT = 32
MOST_ROWS = 2  # without scrolling


class FindingsList(QFrame):
    """Errors, then warnings, then notes; folded to one line of counts where there are only notes.

    Signals
    -------
    picked
        Position of a finding whose frames are wanted; -1 when all are wanted again.
    mapping_wanted
        A name or unit was assumed: a person wants to say it.
    """

    picked = Signal(int)
    mapping_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._rows: list[_Row] = []
        self._fold = IconButton("down", "Show the findings", self._turn, size=14)
        self._is_open = False
        self._mark = QHBoxLayout()
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(16, 0, 8, 0)
        head.setSpacing(8)
        self._counts = QLabel()
        head.addLayout(self._mark)
        head.addWidget(self._counts)
        head.addStretch()
        head.addWidget(self._fold)
        self._head.setFixedHeight(ROW_HEIGHT)
        self._list = QWidget()
        self._lines = QVBoxLayout(self._list)
        self._lines.setContentsMargins(8, 0, 8, 4)
        self._lines.setSpacing(0)
        self._scroll = Scrolling()
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(0)
        layout.addWidget(self._head)
        layout.addWidget(self._scroll)

    def setFindings(self, findings: Sequence[Finding]) -> None:
        """Show what was found."""
        for row in self._rows:
            self._lines.removeWidget(row)
            row.deleteLater()
        self._rows = [_Row(number, finding) for number, finding in enumerate(findings)]
        for row in self._rows:
            row.toggled.connect(self._pick)
            row.mapping_wanted.connect(self.mapping_wanted)
            self._lines.addWidget(row)
        self._say_counts(findings)
        is_grave = any(finding.severity != "note" for finding in findings)
        self._fold.setVisible(bool(findings))
        self._set_open(is_grave)

    def setPicked(self, number: int | None) -> None:
        """Mark the finding whose frames are shown."""
        for row in self._rows:
            row.setChecked(row.number == number)

    def sizeHint(self) -> QSize:
        """Return room for the rows that are open."""
        shown = min(len(self._rows), MOST_ROWS) if self._is_open else 0
        extra = 4 if shown else 0
        return QSize(400, ROW_HEIGHT + 8 + shown * ROW_HEIGHT + extra)

    def _say_counts(self, findings: Sequence[Finding]) -> None:
        while (item := self._mark.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        worst = findings[0].severity if findings else ""
        grave = [f for f in findings if f.severity != "note"]
        self._mark.addWidget(SeverityMark(worst if grave else ""))
        parts = [_count(findings, severity) for severity in ("error", "warning", "note")]
        said = ", ".join(part for part in parts if part)
        text = said if grave else "Nothing wrong found" + (f" · {said}" if said else "")
        self._counts.setText(text)

    def _turn(self) -> None:
        self._set_open(not self._is_open)

    def _set_open(self, is_open: bool) -> None:
        self._is_open = is_open
        self._scroll.setFixedHeight(ROW_HEIGHT * min(len(self._rows), MOST_ROWS) + 4)
        self._scroll.setVisible(is_open)
        word = "Hide the findings" if is_open else "Show the findings"
        self._fold.show_as("up" if is_open else "down", word)
        self.updateGeometry()

    def _pick(self, number: int, is_on: bool) -> None:
        self.picked.emit(number if is_on else -1)


class _Row(QWidget):
    """One finding: shape, message, and a button that shows its frames.

    Signals
    -------
    toggled
        Its number, and whether its frames are wanted.
    """

    toggled = Signal(int, bool)
    mapping_wanted = Signal()

    def __init__(self, number: int, finding: Finding) -> None:
        super().__init__()
        self.number = number
        self._text = finding.message
        self._label = QLabel(finding.message)
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._label.setToolTip(f"<p>{finding.message}</p>")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(SeverityMark(finding.severity))
        layout.addWidget(self._label, 1)
        self._button = QPushButton(_frames(len(finding.frames)))
        self._button.setProperty("role", "flat")
        self._button.setCheckable(True)
        self._button.setAccessibleName(f"Show {_frames(len(finding.frames))}: {finding.code}")
        self._button.setVisible(bool(len(finding.frames)))
        self._button.clicked.connect(self._say)
        layout.addWidget(self._button)
        if finding.code == "reader" or finding.code.startswith(("units-", "no-", "forces-sign")):
            change = QPushButton("Names and units…")
            change.setProperty("role", "flat")
            change.clicked.connect(self.mapping_wanted)
            layout.addWidget(change)
        self.setFixedHeight(ROW_HEIGHT)

    def setChecked(self, is_on: bool) -> None:
        """Mark it as the one whose frames are shown."""
        self._button.setChecked(is_on)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the message to the room there is."""
        super().resizeEvent(event)
        metrics = self._label.fontMetrics()
        width = self._label.width()
        self._label.setText(metrics.elidedText(self._text, Qt.TextElideMode.ElideRight, width))

    def _say(self, is_on: bool) -> None:
        self.toggled.emit(self.number, is_on)


def _frames(n: int) -> str:
    return f"{n:,} frame" if n == 1 else f"{n:,} frames"


def _count(findings: Sequence[Finding], severity: str) -> str:
    n = sum(finding.severity == severity for finding in findings)
    return "" if n == 0 else f"{n} {severity}" if n == 1 else f"{n} {severity}s"


def _demo() -> QWidget:
    """Return a list with made-up findings."""
    from gui.demo.datasets import demo_dataset

    findings = FindingsList()
    findings.setFindings(demo_dataset().findings)
    return findings


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 140)
