"""What went wrong, what may have caused it, and a button for each way on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.core.simulation_trouble import Remedy, Trouble
from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.icons import pixmap
from gui.views.common.labels import label
from gui.views.simulate.flow import clear_layout

__all__ = ["TroubleBanner"]

ICON = 20


class TroubleBanner(QFrame):
    """Title, text, and the remedies in a row; hidden until there is trouble.

    Signals
    -------
    remedy_chosen
        Key of a `Remedy`.
    """

    remedy_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self.setProperty("tone", "error")
        self._trouble: Trouble | None = None
        self._made: list[QPushButton] = []
        self._icon = QLabel()
        self._icon.setFixedWidth(ICON)
        self.title = label("", "subheading", wraps=True)
        self.text = label("", "", wraps=True)
        self.causes = label("", "muted", wraps=True)
        for part in (self.title, self.text, self.causes):
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(UNIT)
        self._build()
        theme().changed.connect(self._draw)
        self._draw()
        self.hide()

    def setTrouble(self, trouble: Trouble | None) -> None:
        """Show trouble; None hides the banner."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        self.setVisible(trouble is not None)
        if trouble is None:
            return
        self.title.setText(trouble.title)
        self.text.setText(trouble.text)
        self.causes.setText(trouble.causes)
        self.text.setVisible(bool(trouble.text))
        self.causes.setVisible(bool(trouble.causes))
        self.setAccessibleName(f"Error: {trouble.title}. {trouble.text}")
        self._offer(trouble.remedies)

    def buttons(self) -> list[QPushButton]:
        """Return the buttons, the best way on first."""
        return list(self._made)

    def _offer(self, remedies: list[Remedy]) -> None:
        clear_layout(self._buttons)
        self._made = []
        for number, remedy in enumerate(remedies):
            made = button(remedy.title, role="primary" if number == 0 else "", tip=remedy.tip)
            made.clicked.connect(
                lambda _checked=False, key=remedy.key: self.remedy_chosen.emit(key)
            )
            self._buttons.addWidget(made)
            self._made.append(made)
        self._buttons.addStretch(1)

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(UNIT // 2)
        for part in (self.title, self.text, self.causes):
            words.addWidget(part)
        words.addSpacing(UNIT // 2)
        words.addLayout(self._buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * UNIT, UNIT + UNIT // 2, 2 * UNIT, UNIT + UNIT // 2)
        row.setSpacing(UNIT + UNIT // 2)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap("error", "error", ICON))


def _demo() -> QWidget:
    made = QWidget()
    made.setObjectName("canvas")
    column = QVBoxLayout(made)
    column.setContentsMargins(24, 24, 24, 24)
    banner = TroubleBanner()
    banner.setTrouble(
        Trouble(
            "The simulation blew up at 0.406 ps (step 812)",
            "Temperature 1.2e+04 K, above max_temperature = 10000 K. The last good frame is shown.",
            [
                Remedy("shorter-timestep", "Halve the time step (0.5 → 0.25 fs)"),
                Remedy("minimise", "Minimise first"),
                Remedy("settings", "Change settings"),
            ],
            causes="Likely causes: a time step of 0.5 fs is too long; atoms too close together at the start.",
        )
    )
    column.addWidget(banner)
    column.addStretch(1)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 220)
