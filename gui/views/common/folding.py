"""A part that is folded away until it is wanted."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.views.common.icons import icon

__all__ = ["Folding"]


class Folding(QWidget):
    """A heading that shows or hides what is below it.

    Attributes
    ----------
    body
        The layout that is folded.

    Signals
    -------
    toggled
        Whether it is open now.
    """

    toggled = Signal(bool)

    def __init__(self, title: str, *, is_open: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heading = QPushButton(title)
        self._heading.setProperty("role", "fold")
        self._heading.setCheckable(True)
        self._heading.setCursor(Qt.CursorShape.PointingHandCursor)
        self._heading.toggled.connect(self._show)
        self._content = QWidget()
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(UNIT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self._heading, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._content)
        self._heading.setChecked(is_open)
        self._show(is_open)

    def isOpen(self) -> bool:
        """Return whether the body can be seen."""
        return self._heading.isChecked()

    def setOpen(self, is_open: bool) -> None:
        """Show or hide the body."""
        self._heading.setChecked(is_open)

    def _show(self, is_open: bool) -> None:
        self._content.setVisible(is_open)
        self._heading.setIcon(icon("down" if is_open else "right"))
        self.toggled.emit(is_open)


def _demo() -> QWidget:
    from gui.demo import column
    from gui.views.common.labels import label

    opened, folded = Folding("Forces by element", is_open=True), Folding("Energies")
    opened.body.addWidget(label("H 14.2, C 28.5, O 23.1 meV/Å", "muted"))
    return column(opened, folded)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 360, 180)
