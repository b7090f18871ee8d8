"""A button with a small drawing, in the theme's colours whatever the theme."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QToolButton, QWidget

__all__ = ["Glyph", "GlyphButton"]

Glyph = Literal["play", "pause", "live", "fit", "save", "more", "first", "last"]


class GlyphButton(QToolButton):
    """A flat button of 32 pixels.

    Parameters
    ----------
    glyph
        What is drawn.
    text
        What it does: tooltip and name for screen readers.
    """

    def __init__(self, glyph: Glyph, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._glyph: Glyph = glyph
        self.setAutoRaise(True)
        self.setText("")
        self.setDescription(text)

    def setGlyph(self, glyph: Glyph, text: str) -> None:
        """Draw something else."""
        self._glyph = glyph
        self.setDescription(text)
        self.update()

    def setDescription(self, text: str) -> None:
        """Say what it does."""
        self.setToolTip(text)
        self.setAccessibleName(text)

    def sizeHint(self) -> QSize:
        """Return a square."""
        return QSize(32, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the style's background and the drawing."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        group = QPalette.ColorGroup.Normal if self.isEnabled() else QPalette.ColorGroup.Disabled
        colour = self.palette().color(group, QPalette.ColorRole.ButtonText)
        box = QRectF(0, 0, 16, 16)
        box.moveCenter(QPointF(self.rect().center()) + QPointF(0.5, 0.5))
        painter.translate(box.topLeft())
        path, is_filled = _PATHS[self._glyph]()
        if is_filled:
            painter.fillPath(path, colour)
        else:
            pen = QPen(
                colour,
                1.6,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
            painter.strokePath(path, pen)


def _polygon(*points: tuple[float, float]) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(*point)
    return path


def _play() -> tuple[QPainterPath, bool]:
    path = _polygon((4, 2), (14, 8), (4, 14))
    path.closeSubpath()
    return path, True


def _pause() -> tuple[QPainterPath, bool]:
    path = QPainterPath()
    path.addRoundedRect(QRectF(3.5, 2.5, 3.2, 11), 1, 1)
    path.addRoundedRect(QRectF(9.3, 2.5, 3.2, 11), 1, 1)
    return path, True


def _live() -> tuple[QPainterPath, bool]:
    path = QPainterPath()
    path.addEllipse(QPointF(8, 8), 4.5, 4.5)
    return path, True


def _first() -> tuple[QPainterPath, bool]:
    path = _polygon((13, 2.5), (5, 8), (13, 13.5))
    path.closeSubpath()
    path.addRect(QRectF(2.5, 2.5, 2, 11))
    return path, True


def _last() -> tuple[QPainterPath, bool]:
    path = _polygon((3, 2.5), (11, 8), (3, 13.5))
    path.closeSubpath()
    path.addRect(QRectF(11.5, 2.5, 2, 11))
    return path, True


def _fit() -> tuple[QPainterPath, bool]:
    path = QPainterPath()
    for corner in (
        ((2, 6), (2, 2), (6, 2)),
        ((10, 2), (14, 2), (14, 6)),
        ((14, 10), (14, 14), (10, 14)),
        ((6, 14), (2, 14), (2, 10)),
    ):
        path.addPath(_polygon(*corner))
    return path, False


def _save() -> tuple[QPainterPath, bool]:
    path = _polygon((8, 2), (8, 10))
    path.addPath(_polygon((4.8, 7), (8, 10.2), (11.2, 7)))
    path.addPath(_polygon((2.5, 11), (2.5, 14), (13.5, 14), (13.5, 11)))
    return path, False


def _more() -> tuple[QPainterPath, bool]:
    path = QPainterPath()
    for x in (3, 8, 13):
        path.addEllipse(QPointF(x, 8), 1.5, 1.5)
    return path, True


_PATHS = {
    "play": _play,
    "pause": _pause,
    "live": _live,
    "first": _first,
    "last": _last,
    "fit": _fit,
    "save": _save,
    "more": _more,
}
