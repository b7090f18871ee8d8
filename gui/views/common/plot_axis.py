"""Axes of plots: plain numbers, also where they are logarithmic, drawn fast."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from gui.theme import theme

__all__ = ["ValueAxis"]

Line = tuple[QPen, QPointF, QPointF]
Text = tuple[QRectF, int, str]
Specs = tuple[Line, list[Line], list[Text]]

DECADES_WITH_STEPS = 2.5  # wider than that, powers of ten alone are marked
STEPS = (1, 2, 5)


class ValueAxis(pg.AxisItem):
    """Ticks of a logarithmic axis stand at 1, 2, 5, 10, ... and are written as numbers, not as powers.

    It is drawn as it is: pyqtgraph's own axis keeps a QPicture, and playing one costs 6 ms because each text is laid out
    anew.
    """

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget) -> None:
        """Draw the axis; where lines and texts are is found again only after a change (then ``picture`` is None)."""
        if self.style["tickFont"]:
            painter.setFont(self.style["tickFont"])
        found: Specs | None = getattr(self, "picture", None)  # None after a change
        if found is None:
            found = self.generateDrawSpecs(painter)
            self.picture = found
        if found is not None:
            self.drawPicture(painter, *found)

    def drawPicture(
        self, painter: QPainter, axis: Line, ticks: list[Line], texts: list[Text]
    ) -> None:
        """Draw lines and texts; the grid in a colour of its own, for a transparent line costs a hundred times as much."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing, True)
        grid = QPen(theme().colour("grid"), 0)
        for pen, start, end in ticks:
            painter.setPen(grid if self.grid is not False else pen)
            painter.drawLine(start, end)
        pen, start, end = axis
        painter.setPen(pen)
        painter.drawLine(start, end)
        painter.setPen(self.textPen())
        for rect, flags, text in texts:
            painter.drawText(rect, int(flags), text)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Return where ticks are; on a logarithmic axis as exponents of ten."""
        if not self.logMode:
            return super().tickValues(low, high, size)
        low, high = min(low, high), max(low, high)
        steps = STEPS if high - low < DECADES_WITH_STEPS else STEPS[:1]
        every = max(1, round((high - low) / 8))
        decades = range(int(np.floor(low)), int(np.ceil(high)) + 1, every)
        ticks = [d + float(np.log10(s)) for d in decades for s in steps]
        kept = [tick for tick in ticks if low <= tick <= high]
        if len(kept) < 2:  # less than an octave: as on any other axis
            values = np.linspace(10**low, 10**high, 5)[1:-1]
            kept = [float(np.log10(_round(value))) for value in values]
        return [(1.0, kept)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the words at the ticks."""
        if not self.logMode:
            return super().tickStrings(values, scale, spacing)
        return [_written(10**value) for value in values]


def _round(value: float) -> float:
    """Return a number with two digits."""
    digits = 1 - int(np.floor(np.log10(value)))
    return round(value, digits)


def _written(value: float) -> str:
    if not 1e-3 <= value < 1e5:
        return f"{value:.0e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
