"""A part of the window that is scrolled when it is too small for its content."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QWidget

__all__ = ["Scrolling"]


class Scrolling(QScrollArea):
    """As wide and high as there is room; no stop of the Tab key: what is in it takes the keys and hands on those that scroll."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)


def _demo() -> QWidget:
    """Return many lines in a small window."""
    from PySide6.QtWidgets import QLabel

    area = Scrolling()
    area.setWidget(QLabel("\n".join(f"line {n}" for n in range(100))))
    return area


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 320, 240)
