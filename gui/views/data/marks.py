"""Marks of this page: severities by shape, sets by colour, both always beside a word."""

from __future__ import annotations

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QWidget

from gui.theme import theme
from gui.views.common.icons import pixmap

__all__ = ["SET_TOKENS", "SEVERITY_ICONS", "SeverityMark", "set_colour"]

SEVERITY_ICONS = {
    "error": ("error", "error"),
    "warning": ("warn", "warn"),
    "note": ("info", "faint"),
    "": ("ok", "ok"),
}
"""Icon and token of each severity; that of none is a tick."""

SET_TOKENS = ("faint", "curve1", "curve6", "curve4")
"""Colours of unused, training, validation and test frames."""

SIZE = 16


def set_colour(number: int) -> QColor:
    """Return the colour of a set, by its position in `gui.core.datasets.SETS`."""
    return theme().colour(SET_TOKENS[number])


class SeverityMark(QLabel):
    """The shape of a severity."""

    def __init__(self, severity: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._severity = severity
        self.setFixedSize(SIZE, SIZE)
        self.setAccessibleName(severity or "nothing wrong")
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self.setPixmap(pixmap(*SEVERITY_ICONS[self._severity], SIZE))


def _demo() -> QWidget:
    from gui.demo import column

    return column(*map(SeverityMark, SEVERITY_ICONS))


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 160, 200)
