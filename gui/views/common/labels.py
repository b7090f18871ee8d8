"""Text and lines as the style sheet knows them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QWidget

__all__ = ["Elided", "clear", "label", "line", "restyle"]


def label(text: str = "", role: str = "", *, wraps: bool = False) -> QLabel:
    """Return a label; ``role`` is one of title, heading, subheading, muted, caption, error, warn, ok, mono, or none."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wraps)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def line() -> QFrame:
    """Return a thin horizontal line."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


def clear(layout: QLayout) -> None:
    """Remove and delete all widgets of a layout."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()


def restyle(widget: QWidget, name: str, value: object) -> None:
    """Change a property that the style sheet looks at."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class Elided(QLabel):
    """A label that gives way: what does not fit is cut with an ellipsis, and shown as a tool tip."""

    def __init__(
        self, text: str = "", role: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        super().__init__()
        self._whole, self._mode = "", mode
        if role:
            self.setProperty("role", role)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMinimumWidth(24)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show a text."""
        self._whole = text
        self._fit()
        self.updateGeometry()

    def wholeText(self) -> str:
        """Return the text, also what is cut."""
        return self._whole

    def sizeHint(self):  # type: ignore[no-untyped-def]
        """Ask for room for the whole text."""
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance(self._whole) + 2)
        return hint

    def resizeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Cut anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._mode, max(self.width(), 24))
        super().setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")
        self.setAccessibleName(self._whole)


def _demo() -> QWidget:
    from gui.demo import column

    roles = ("title", "heading", "subheading", "", "muted", "caption", "mono", "error")
    texts = [label(role.capitalize() or "Text", role) for role in roles]
    path = Elided(
        "/data/methanol/ccsd-t/methanol-nvt-300K/trajectory.dcd",
        "muted",
        Qt.TextElideMode.ElideMiddle,
    )
    return column(*texts, line(), path)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 240, 400)
