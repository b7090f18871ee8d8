"""A plot of moving data: follows the newest, keeps spikes, tells mean and error, exports itself."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.core.running import average, smoothed
from gui.core.series import Series
from gui.theme import CURVES, theme
from gui.views.common.clock import clock

__all__ = ["LivePlot"]


class LivePlot(QWidget):
    """Curves of one quantity over a common x.

    Parameters
    ----------
    title, unit
        What is drawn, such as ``"Temperature"`` and ``"K"``.
    x_title
        With its unit, such as ``"time / ps"``.

    Signals
    -------
    clicked
        x and y of a click into the plot.
    """

    clicked = Signal(float, float)

    def __init__(
        self, title: str, unit: str = "", x_title: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.title, self.unit, self.x_title = title, unit, x_title
        self._series: Series | None = None
        self._columns: dict[str, str] = {}  # name of the curve -> column
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._tokens: dict[str, str] = {}
        self._data: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._drawn = -1
        self._smoothing = 1
        self._shows_statistics = False
        self._target: pg.InfiniteLine | None = None
        self._follows = True
        self._build()
        theme().changed.connect(self._restyle)
        self._restyle()
        clock().register(self)

    # --- curves ----------------------------------------------------------------------------------------------------

    def addCurve(self, name: str, token: str | None = None) -> None:
        """Add a curve with the colour of a token; by default the next of `CURVES`."""
        self._tokens[name] = token or CURVES[len(self._curves) % len(CURVES)]
        self._curves[name] = self._item.plot(
            [],
            [],
            autoDownsample=True,
            downsampleMethod="peak",
            clipToView=True,
            skipFiniteCheck=True,
            antialias=False,
        )
        self._restyle()

    def bind(self, series: Series, columns: dict[str, str] | Sequence[str] | str) -> None:
        """Draw columns of a series from now on: ``{name of the curve: column}``, or the columns alone."""
        if isinstance(columns, str):
            columns = [columns]
        if not isinstance(columns, dict):
            columns = {column: column for column in columns}
        self._series, self._columns, self._drawn = series, dict(columns), -1
        for name in columns:
            if name not in self._curves:
                self.addCurve(name)
        self.refresh()

    def setData(
        self, name: str, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray
    ) -> None:
        """Draw given points; for curves that come whole, such as an RDF."""
        if name not in self._curves:
            self.addCurve(name)
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        finite = np.isfinite(y)
        self._show(name, x[finite], y[finite])

    def clear(self) -> None:
        """Remove all points."""
        self._series = None
        for name in self._curves:
            self._show(name, np.empty(0), np.empty(0))

    def refresh(self) -> None:
        """Draw the series if it has grown; the clock calls this."""
        if self._series is None or self._series.version == self._drawn:
            return
        self._drawn = self._series.version
        for name, column in self._columns.items():
            self._show(name, *self._series.arrays(column))

    def _show(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        self._data[name] = x, y
        self._curves[name].setData(x, smoothed(y, self._smoothing))
        self._show_statistics()

    # --- looks -----------------------------------------------------------------------------------------------------

    def setTarget(self, value: float | None) -> None:
        """Draw a dashed line at a value that should be reached; None removes it."""
        if value is None:
            if self._target is not None:
                self._item.removeItem(self._target)
                self._target = None
            return
        if self._target is None:
            self._target = pg.InfiniteLine(angle=0)
            self._item.addItem(self._target, ignoreBounds=True)
            self._restyle()
        self._target.setValue(value)

    def setSmoothing(self, width: int) -> None:
        """Draw moving averages over this many points; 1 for none."""
        self._smoothing = max(1, width)
        for name, (x, y) in self._data.items():
            self._show(name, x, y)

    def setStatistics(self, shown: bool) -> None:
        """Show mean and error of the first curve in the corner."""
        self._shows_statistics = shown
        self._show_statistics()

    def setLog(self, on: bool) -> None:
        """Use a logarithmic y axis."""
        self._item.setLogMode(y=on)

    def link(self, other: LivePlot) -> None:
        """Move along x together with another plot."""
        self._item.setXLink(other._item)

    def setFollow(self, follows: bool) -> None:
        """Show all of the data as they come, or stay where the view is."""
        self._follows = follows
        self._follow.setVisible(not follows)
        if follows:
            self._item.enableAutoRange()

    # --- export ----------------------------------------------------------------------------------------------------

    def export(self, path: Path | str) -> None:
        """Write a picture (``.png``, ``.svg``) or the points (``.csv``)."""
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".csv":
            self._write_csv(path)
        elif suffix == ".svg":
            from pyqtgraph.exporters import SVGExporter

            SVGExporter(self._item).export(str(path))
        else:
            self.grab().save(str(path))

    def _write_csv(self, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for name, (x, y) in self._data.items():
                unit = f" / {self.unit}" if self.unit else ""
                writer.writerow([self.x_title or "x", f"{name}{unit}"])
                writer.writerows(zip(x.tolist(), y.tolist()))

    # --- inside ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._heading = QLabel(f"{self.title} / {self.unit}" if self.unit else self.title)
        self._heading.setProperty("role", "subheading")
        self._statistics = QLabel()
        self._statistics.setProperty("role", "muted")
        self._follow = QPushButton("Follow")
        self._follow.setProperty("role", "flat")
        self._follow.setVisible(False)
        self._follow.clicked.connect(lambda: self.setFollow(True))
        self._plot = pg.PlotWidget(background=None)
        self._plot.setAccessibleName(f"Plot of {self.title}")
        self._item = self._plot.getPlotItem()
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._item.setLabel("bottom", self.x_title)
        self._item.getViewBox().sigRangeChangedManually.connect(lambda *_: self.setFollow(False))
        self._plot.scene().sigMouseClicked.connect(self._on_click)
        top = QHBoxLayout()
        top.addWidget(self._heading)
        top.addStretch(1)
        top.addWidget(self._statistics)
        top.addWidget(self._follow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self._plot, 1)

    def _on_click(self, event: object) -> None:
        point = self._item.getViewBox().mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        self.clicked.emit(point.x(), point.y())

    def _restyle(self) -> None:
        colours = theme()
        self._item.showGrid(x=False, y=True, alpha=0.15)
        for side in ("left", "bottom"):
            axis = self._item.getAxis(side)
            axis.setPen(colours.colour("border_strong"))
            axis.setTextPen(colours.colour("muted"))
        for name, curve in self._curves.items():
            curve.setPen(pg.mkPen(colours.colour(self._tokens[name]), width=1))
        if self._target is not None:
            pen = pg.mkPen(colours.colour("target"), width=1, style=Qt.PenStyle.DashLine)
            self._target.setPen(pen)

    def _show_statistics(self) -> None:
        if not (self._shows_statistics and self._data):
            self._statistics.clear()
            return
        mean, error = average(next(iter(self._data.values()))[1])
        if not np.isfinite(mean):
            self._statistics.clear()
        elif np.isfinite(error):
            self._statistics.setText(f"mean {mean:.4g} ± {error:.2g} {self.unit}")
        else:
            self._statistics.setText(f"mean {mean:.4g} {self.unit}")


def _demo() -> LivePlot:
    plot = LivePlot("Temperature", "K", "time / ps")
    series = Series(["temp"])
    random = np.random.default_rng(1)
    for step in range(4000):
        series.append(step * 0.01, {"temp": 300 + 12 * random.normal() + 40 * np.exp(-step / 300)})
    plot.bind(series, {"temperature": "temp"})
    plot.setTarget(300)
    plot.setStatistics(True)
    return plot


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
