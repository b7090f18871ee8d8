"""Curves with a band of errors about them."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gui.theme import theme
from gui.views.common.labels import label

__all__ = ["BandPlot", "heading", "restyle_plot", "styled_plot"]

FloatArray = NDArray[np.float64]
BAND = 0.18  # opacity
CURVE_WIDTH = 1.5
MIN_HEIGHT = 96


class BandPlot(QWidget):
    """A few points of means with their errors; for what comes whole and seldom.

    Parameters
    ----------
    title, unit, x_title
        What is drawn, its unit, and the title of x with its unit.
    """

    def __init__(self, title: str, unit: str, x_title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bands: dict[str, _Band] = {}
        self._plot = styled_plot(title, x_title)
        self._target = pg.InfiniteLine(angle=0)
        self._target.hide()
        self._plot.addItem(self._target, ignoreBounds=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        if title:
            layout.addLayout(heading(title, unit))
        layout.addWidget(self._plot, 1)
        theme().changed.connect(self._restyle)
        self._restyle()

    def setBand(
        self, name: str, token: str, x: FloatArray, y: FloatArray, error: FloatArray
    ) -> None:
        """Draw a curve and its errors in the colour of a token."""
        if name not in self._bands:
            self._bands[name] = _Band(self._plot, token)
        self._bands[name].show(x, y, error)

    def setTarget(self, value: float | None) -> None:
        """Draw a dashed line; None removes it."""
        self._target.setVisible(value is not None)
        self._target.setValue(value or 0.0)

    def points(self, name: str) -> int:
        """Return how many points a curve has."""
        band = self._bands.get(name)
        return 0 if band is None else band.n_points

    def clear(self) -> None:
        """Remove all curves."""
        for band in self._bands.values():
            band.show(np.empty(0), np.empty(0), np.empty(0))

    def _restyle(self) -> None:
        restyle_plot(self._plot)
        self._target.setPen(pg.mkPen(theme().colour("target"), width=1, style=Qt.PenStyle.DashLine))
        for band in self._bands.values():
            band.restyle()


class _Band:
    """A curve and what is between its lower and upper bound."""

    def __init__(self, plot: pg.PlotWidget, token: str) -> None:
        self._token = token
        self.n_points = 0
        self._curve, self._low, self._high = (plot.plot([], [], antialias=True) for _ in range(3))
        self._low.setPen(None)
        self._high.setPen(None)
        self._fill = pg.FillBetweenItem(self._low, self._high)
        plot.addItem(self._fill)
        self.restyle()

    def show(self, x: FloatArray, y: FloatArray, error: FloatArray) -> None:
        known = np.isfinite(y) & np.isfinite(error)
        x, y, error = x[known], y[known], error[known]
        self.n_points = len(x)
        self._low.setData(x, y - error)
        self._high.setData(x, y + error)
        self._curve.setData(x, y)

    def restyle(self) -> None:
        self._curve.setPen(pg.mkPen(theme().colour(self._token), width=CURVE_WIDTH))
        self._fill.setBrush(pg.mkBrush(theme().colour(self._token, BAND)))


def heading(title: str, unit: str) -> QHBoxLayout:
    """Return a title with its unit, as live plots have."""
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(label(title, "subheading"))
    row.addWidget(label(unit, "muted"))
    row.addStretch(1)
    return row


def styled_plot(name: str, x_title: str) -> pg.PlotWidget:
    """Return an empty plot that looks as all others do."""
    plot = pg.PlotWidget(background=None)
    plot.setStyleSheet("background: transparent; border: none;")
    plot.setAccessibleName(f"Plot of {name}")
    plot.setMinimumHeight(MIN_HEIGHT)
    item = plot.getPlotItem()
    item.hideButtons()
    item.setMenuEnabled(False)
    item.setLabel("bottom", x_title)
    for side in ("left", "bottom"):
        item.getAxis(side).enableAutoSIPrefix(False)
    restyle_plot(plot)
    return plot


def restyle_plot(plot: pg.PlotWidget) -> None:
    """Give axes and grid the colours of the theme."""
    item = plot.getPlotItem()
    item.showGrid(x=False, y=True, alpha=0.15)
    for side in ("left", "bottom"):
        axis = item.getAxis(side)
        axis.setPen(theme().colour("border_strong"))
        axis.setTextPen(theme().colour("muted"))
        axis.label.setDefaultTextColor(theme().colour("muted"))


def _demo() -> QWidget:
    lag = np.linspace(0.0, 2.0, 41)
    plot = BandPlot("Mean square displacement", "Å²", "time / ps")
    for name, token, height in (("H", "curve1", 1.6), ("O", "curve2", 1.05)):
        plot.setBand(name, token, lag, height * lag + 0.1 * (1 - np.exp(-lag / 0.1)), 0.06 * lag)
    return plot


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 320)
