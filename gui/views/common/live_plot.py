"""A plot of moving data: follows the newest, keeps spikes, tells mean and error, exports itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gui.core.running import smoothed
from gui.core.series import Series
from gui.core.wording import measured
from gui.theme import CURVES, UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.clock import clock
from gui.views.common.labels import label
from gui.views.common.legend import Legend
from gui.views.common.plot_axis import ValueAxis
from gui.views.common.plot_export import write_csv, write_png, write_svg
from nequip_openmm.analysis.statistics import block_average

__all__ = ["LivePlot"]

AXIS_WIDTH = 56  # the same for all, so that plots above one another align
ANTIALIASED_UP_TO = 2000  # points

pg.setConfigOptions(antialias=False, useOpenGL=False)


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
        self._raw: dict[str, pg.PlotDataItem] = {}  # behind the smoothed ones, faint
        self._tokens: dict[str, str] = {}
        self._data: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._marks: list[tuple[pg.InfiniteLine, str]] = []
        self._drawn = -1
        self._smoothing = 1
        self._is_log = False
        self._shows_statistics = False
        self._statistics_since = -np.inf
        self._target: pg.InfiniteLine | None = None
        self._target_value: float | None = None
        self._build()
        theme().changed.connect(self._restyle)
        self._restyle()
        clock().register(self)

    # --- curves ----------------------------------------------------------------------------------------------------

    def addCurve(self, name: str, token: str | None = None) -> None:
        """Add a curve with the colour of a token; by default the next of `CURVES`."""
        self._tokens[name] = token or CURVES[len(self._curves) % len(CURVES)]
        self._raw[name] = self._new_item()
        self._curves[name] = self._new_item()
        self._legend.setEntries(self._tokens)
        self._legend.setVisible(len(self._tokens) > 1)
        self._restyle()

    def removeCurves(self) -> None:
        """Remove all curves; another series can be bound then."""
        for item in [*self._curves.values(), *self._raw.values()]:
            self._item.removeItem(item)
        for table in (self._curves, self._raw, self._tokens, self._data, self._columns):
            table.clear()
        self._series = None
        self._legend.setEntries({})
        self._legend.setVisible(False)
        self._show_statistics()

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
        self._show_statistics()

    def series(self) -> Series | None:
        """Return what is drawn as it grows."""
        return self._series

    def data(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of a curve as they were given, without smoothing."""
        return self._data.get(name, (np.empty(0), np.empty(0)))

    def clear(self) -> None:
        """Remove all points and marks; the curves stay."""
        self._series = None
        self.setMarks([])
        for name in self._curves:
            self._show(name, np.empty(0), np.empty(0))
        self._show_statistics()

    def refresh(self) -> None:
        """Draw the series if it has grown; the clock calls this."""
        if self._series is None or self._series.version == self._drawn:
            return
        self._drawn = self._series.version
        for name, column in self._columns.items():
            self._show(name, *self._series.arrays(column))
        self._show_statistics()

    def _show(self, name: str, x: np.ndarray, y: np.ndarray) -> None:
        self._data[name] = x, y
        if self._is_log:
            y = np.where(y > 0, y, np.nan)  # zero has no place on a logarithmic axis
        curve, raw = self._curves[name], self._raw[name]
        if self._smoothing > 1 and self._tokens[name] != "target":  # what is aimed at has no noise
            raw.setData(x, y)
            y = smoothed(y, self._smoothing)
        elif raw.xData is not None and len(raw.xData):
            raw.setData([], [])
        curve.setData(x, y, antialias=len(x) <= ANTIALIASED_UP_TO)

    # --- looks -----------------------------------------------------------------------------------------------------

    def setTarget(self, value: float | None) -> None:
        """Draw a dashed line at a value that should be reached; None removes it."""
        self._target_value = value
        if value is None or (self._is_log and value <= 0):
            if self._target is not None:
                self._item.removeItem(self._target)
                self._target = None
            return
        if self._target is None:
            self._target = pg.InfiniteLine(angle=0)
            self._item.addItem(self._target, ignoreBounds=True)
            self._restyle()
        self._target.setValue(np.log10(value) if self._is_log else value)

    def setMarks(self, marks: Iterable[tuple[float, str, str]]) -> None:
        """Draw thin vertical lines: x, a short text, a token (``"muted"``, ``"error"``)."""
        for line, _ in self._marks:
            self._item.removeItem(line)
        self._marks = []
        for x, text, token in marks:
            side = 1 if token == "error" and self._is_late(x) else 0  # where there is room
            options = {"position": 0.94, "movable": False, "anchors": [(side, 0.5), (side, 0.5)]}
            line = pg.InfiniteLine(x, angle=90, label=text, labelOpts=options)
            self._item.addItem(line, ignoreBounds=True)
            self._marks.append((line, token))
        self._restyle()

    def _is_late(self, x: float) -> bool:
        """Whether a place is in the right half of what is drawn."""
        ends = [end for xs, _ in self._data.values() if len(xs) for end in (xs[0], xs[-1])]
        return bool(ends) and x > (min(ends) + max(ends)) / 2

    def setSmoothing(self, width: int) -> None:
        """Draw moving averages over this many points, the points themselves faint behind them; 1 for none."""
        self._smoothing = max(1, width)
        for name, (x, y) in list(self._data.items()):
            self._show(name, x, y)
        self._restyle()

    def setStatistics(self, shown: bool) -> None:
        """Show the mean of the first curve with its error in the corner."""
        self._shows_statistics = shown
        self._show_statistics()

    def setStatisticsSince(self, x: float) -> None:
        """Average over what is at and after ``x`` only, such as the last change of temperature."""
        self._statistics_since = x
        self._show_statistics()

    def setLog(self, on: bool) -> None:
        """Use a logarithmic y axis."""
        self._is_log = on
        self._item.setLogMode(y=on)
        self.setTarget(self._target_value)
        for name, (x, y) in list(self._data.items()):
            self._show(name, x, y)

    def setTitle(self, title: str, unit: str = "") -> None:
        """Change what is drawn."""
        self.title, self.unit = title, unit
        self._heading.setText(title)
        self._unit.setText(unit)
        self._plot.setAccessibleName(f"Plot of {title}")

    def link(self, other: LivePlot) -> None:
        """Move along x together with another plot."""
        self._item.setXLink(other._item)

    def isFollowing(self) -> bool:
        """Return whether the view grows with the data."""
        return self._follow.isHidden()

    def setFollow(self, follows: bool) -> None:
        """Show all of the data as they come, or stay where the view is."""
        self._follow.setVisible(not follows)
        if follows:
            self._item.enableAutoRange()

    # --- export ----------------------------------------------------------------------------------------------------

    def export(self, path: Path | str) -> None:
        """Write a picture (``.png``, ``.svg``) or the points (``.csv``); raises OSError."""
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".csv":
            write_csv(path, self.x_title, self.unit, self._data)
        elif suffix == ".svg":
            write_svg(path, self)
        else:
            write_png(path, self)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _new_item(self) -> pg.PlotDataItem:
        options = {"autoDownsample": True, "downsampleMethod": "peak", "clipToView": True}
        return self._item.plot([], [], skipFiniteCheck=not self._is_log, **options)

    def _build(self) -> None:
        self._heading = label(self.title, "subheading")
        self._unit = label(self.unit, "muted")
        self._legend = Legend()
        self._legend.setVisible(False)
        self._statistics = label("", "muted")
        self._follow = button("Follow", lambda: self.setFollow(True), role="chip")
        self._follow.setVisible(False)
        self._plot = pg.PlotWidget(
            background=None, axisItems={side: ValueAxis(side) for side in ("left", "bottom")}
        )
        self._plot.setFrameShape(pg.QtWidgets.QFrame.Shape.NoFrame)
        self._plot.setAccessibleName(f"Plot of {self.title}")
        self._plot.setMinimumHeight(96)
        self._plot.viewport().setAutoFillBackground(False)
        self._plot.setStyleSheet("background: transparent;")
        self._set_up_axes()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(self._head())
        layout.addWidget(self._plot, 1)

    def _head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        head.addWidget(self._heading)
        head.addWidget(self._unit)
        head.addSpacing(UNIT)
        head.addWidget(self._legend)
        head.addStretch(1)
        head.addWidget(self._statistics)
        head.addWidget(self._follow)
        return head

    def _set_up_axes(self) -> None:
        self._item = self._plot.getPlotItem()
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        self._item.setContentsMargins(0, 4, 8, 0)
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._item.getAxis("left").setWidth(AXIS_WIDTH)
        for side in ("left", "bottom"):  # ticks without numbers cost time and say nothing
            self._item.getAxis(side).setStyle(tickTextOffset=4, maxTickLevel=0, tickLength=-4)
            self._item.getAxis(side).setZValue(-1)  # the grid lies behind the curves
        if self.x_title:
            self._item.setLabel("bottom", self.x_title)
        self._item.getViewBox().sigRangeChangedManually.connect(lambda *_: self.setFollow(False))
        self._plot.scene().sigMouseClicked.connect(self._on_click)

    def _on_click(self, event: pg.GraphicsScene.mouseEvents.MouseClickEvent) -> None:
        point = self._item.getViewBox().mapSceneToView(event.scenePos())
        self.clicked.emit(point.x(), 10 ** point.y() if self._is_log else point.y())

    def _restyle(self) -> None:
        colours = theme()
        self._item.showGrid(x=False, y=True, alpha=0.12)
        for side in ("left", "bottom"):
            axis = self._item.getAxis(side)
            axis.setPen(colours.colour("border_strong"))
            axis.setTextPen(colours.colour("muted"))
            axis.setTickFont(colours.font(8.5))
            if axis.labelText:
                axis.setLabel(axis.labelText, color=colours.token("muted"))
        for name, curve in self._curves.items():
            colour = colours.colour(self._tokens[name])
            is_aim = self._tokens[name] == "target"
            style = Qt.PenStyle.DashLine if is_aim else Qt.PenStyle.SolidLine
            curve.setPen(pg.mkPen(colour, width=1, style=style))
            self._raw[name].setPen(pg.mkPen(colours.mixed(self._tokens[name], 0.3), width=1))
        if self._target is not None:
            pen = pg.mkPen(colours.colour("target"), width=1, style=Qt.PenStyle.DashLine)
            self._target.setPen(pen)
        for line, token in self._marks:
            line.setPen(pg.mkPen(colours.mixed(token, 0.7), width=1, style=Qt.PenStyle.DotLine))
            if line.label is not None:
                line.label.setColor(colours.colour(token))

    def _show_statistics(self) -> None:
        text = ""
        if self._shows_statistics and self._data:
            name, (x, y) = next(iter(self._data.items()))
            mean = block_average(y[x >= self._statistics_since])
            if np.isfinite(mean.value):
                what = "mean" if len(self._data) == 1 else name
                text = f"{what} {measured(mean.value, mean.error)} {self.unit}"
        if text != self._statistics.text():
            self._statistics.setText(text)


def _demo() -> QWidget:
    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(16, 16, 16, 16)
    random = np.random.default_rng(1)
    series = Series(["temp", "epot", "etot"])
    for step in range(1500):
        warm = 40 * np.exp(-step / 100)
        epot = -3140.8 + 0.02 * random.normal()
        series.append(
            step * 0.01,
            {"temp": 300 + 12 * random.normal() + warm, "epot": epot, "etot": epot + 0.2},
        )
    temperature = LivePlot("Temperature", "K", "time / ps")
    temperature.bind(series, {"temperature": "temp"})
    temperature.setTarget(300)
    temperature.setStatistics(True)
    temperature.setSmoothing(30)
    temperature.setMarks([(5.0, "320 K", "muted"), (12.0, "blow-up", "error")])
    energy = LivePlot("Energy", "eV", "time / ps")
    energy.bind(series, {"potential": "epot", "total": "etot"})
    energy.link(temperature)
    for plot in (temperature, energy):
        layout.addWidget(plot)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
