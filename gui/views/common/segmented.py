"""A few choices side by side, of which one is taken."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QSizePolicy, QWidget

__all__ = ["SegmentedControl"]

PADDING = 32  # left and right of a word, with the edges


class SegmentedControl(QFrame):
    """Buttons in one track.

    Parameters
    ----------
    choices
        Keys with the words that are shown.

    Signals
    -------
    chosen
        Key of the new choice.
    """

    chosen = Signal(str)

    def __init__(
        self, choices: dict[str, str] | Iterable[str], name: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "segments")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        words = choices if isinstance(choices, dict) else {choice: choice for choice in choices}
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(2)
        for key, word in words.items():
            made = QPushButton(word)
            made.setProperty("role", "segment")
            made.setCheckable(True)
            made.setCursor(Qt.CursorShape.PointingHandCursor)
            made.setAccessibleName(f"{name}: {word}" if name else word)
            self._group.addButton(made)
            self._buttons[key] = made
            layout.addWidget(made)
        next(iter(self._buttons.values())).setChecked(True)
        self._group.buttonClicked.connect(lambda _button: self.chosen.emit(self.value()))

    def changeEvent(self, event: QEvent) -> None:
        """Leave room for the chosen word, which is bold."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._make_room()

    def showEvent(self, event: QShowEvent) -> None:
        """Leave room for the chosen word, which is bold."""
        super().showEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        for made in self._buttons.values():
            font = QFont(made.font())
            font.setBold(True)
            made.setMinimumWidth(QFontMetrics(font).horizontalAdvance(made.text()) + PADDING)

    def value(self) -> str:
        """Return the key that is chosen."""
        return next(key for key, made in self._buttons.items() if made.isChecked())

    def setValue(self, key: str) -> None:
        """Choose without telling."""
        self._buttons[key].setChecked(True)

    def setChoiceEnabled(self, key: str, enabled: bool, why: str = "") -> None:
        """Allow or forbid a choice; ``why`` is shown as a tool tip."""
        self._buttons[key].setEnabled(enabled)
        self._buttons[key].setToolTip(why)


def _demo() -> QWidget:
    from gui.demo import column

    modes = SegmentedControl({"classical": "Classical", "quantum": "Quantum nuclei"}, "Mode")
    sets = SegmentedControl(("train", "valid", "test"), "Set")
    sets.setValue("valid")
    sets.setChoiceEnabled("test", False, "No frames are left for it")
    return column(modes, sets)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 320, 140)
