"""Predictions against labels: near the diagonal is good, a click finds the frame of a point."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gui.core.comparison import Scatter
from gui.core.elements import symbol
from gui.theme import CURVES, theme
from gui.views.common.labels import label

__all__ = ["ParityPlot"]

DENSE = 20_000
"""Points beyond which a picture of their density is drawn instead."""

N_BINS = 160
MILLI = 1e3


class ParityPlot(QWidget):
    """One quantity.

    Signals
    -------
    point_clicked
        Number of a point of the scatter.
    """

    point_clicked = Signal(int)

    def __init__(self, title: str, unit: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter: Scatter | None = None
        self.unit = unit
        self.numbers = label("", "muted")
        self._legend = label("", "muted")
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._plot = pg.PlotWidget(background=None)
        self._plot.setAccessibleName(f"{title}: predictions against labels")
        self._item = self._plot.getPlotItem()
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        for side in (
            "left",
            "bottom",
        ):  # before there is a label: it scales once more when it is switched off
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._item.setLabel("bottom", f"reference / {unit}")
        self._item.setLabel("left", f"predicted / {unit}")
        self._diagonal = pg.InfiniteLine(angle=45)
        self._item.addItem(self._diagonal, ignoreBounds=True)
        self._points: list[pg.ScatterPlotItem] = []
        self._marked = -1
        self._image: pg.ImageItem | None = None
        self._mark = pg.ScatterPlotItem(size=14, pxMode=True)
        self._mark.setZValue(10)
        self._item.addItem(self._mark, ignoreBounds=True)
        self._plot.scene().sigMouseClicked.connect(self._on_click)
        self._build(title)
        theme().changed.connect(self._restyle)
        self._restyle()

    def show_(self, scatter: Scatter | None) -> None:
        """Draw points; None draws nothing."""
        self.scatter = scatter
        self._clear()
        if scatter is None or not len(scatter):
            self.numbers.setText("")
            self._legend.setText("")
            return
        if len(scatter) > DENSE:
            self._draw_density(scatter)
        else:
            self._draw_points(scatter)
        low = float(min(scatter.reference.min(), scatter.predicted.min()))
        high = float(max(scatter.reference.max(), scatter.predicted.max()))
        self._item.setRange(xRange=(low, high), yRange=(low, high), padding=0.04)
        unit = f"m{self.unit}"
        self.numbers.setText(
            f"MAE {MILLI * scatter.mae:.3g}   RMSE {MILLI * scatter.rmse:.3g} {unit}   R² {scatter.r2:.4f}"
        )

    def mark(self, point: int) -> None:
        """Ring a point."""
        if self.scatter is not None and 0 <= point < len(self.scatter):
            self._marked = point
            self._mark.setData([self.scatter.reference[point]], [self.scatter.predicted[point]])

    def click(self, x: float, y: float) -> None:
        """Do what a click at a place of the plot does."""
        if self.scatter is None:
            return
        (left, right), (bottom, top) = self._item.viewRange()
        point = self.scatter.nearest(x, y, max(right - left, top - bottom))
        if point is not None:
            self.mark(point)
            self.point_clicked.emit(point)

    # --- drawing

    def _draw_points(self, scatter: Scatter) -> None:
        groups = np.unique(scatter.group)
        words = []
        for number, group in enumerate(groups):
            token = CURVES[number % len(CURVES)]
            chosen = scatter.group == group
            points = pg.ScatterPlotItem(
                scatter.reference[chosen],
                scatter.predicted[chosen],
                size=7 if len(scatter) < 500 else 4,
                pen=None,
                brush=theme().colour(token, 0.75),
                pxMode=True,
            )
            points.setZValue(1.0 / np.count_nonzero(chosen))  # the rarer elements above the others
            self._item.addItem(points)
            self._points.append(points)
            if group:
                words.append(
                    f'<span style="color:{theme().token(token)}">●</span> {symbol(int(group))}'
                )
        self._legend.setText("&nbsp;&nbsp;".join(words))

    def _draw_density(self, scatter: Scatter) -> None:
        low = float(min(scatter.reference.min(), scatter.predicted.min()))
        high = float(max(scatter.reference.max(), scatter.predicted.max()))
        edges = np.linspace(low, high, N_BINS + 1)
        counts, _, _ = np.histogram2d(scatter.reference, scatter.predicted, bins=(edges, edges))
        image = pg.ImageItem(np.log1p(counts))
        ends = [
            theme().colour("surface", 0.0),
            theme().colour("curve1", 0.55),
            theme().colour("curve2"),
        ]
        table = pg.ColorMap([0.0, 0.25, 1.0], [c.getRgb() for c in ends]).getLookupTable(alpha=True)
        image.setLookupTable(table)
        image.setRect(QRectF(low, low, high - low, high - low))
        self._item.addItem(image)
        self._image = image
        self._legend.setText(f"{len(scatter):,} points, as density")

    def _clear(self) -> None:
        for item in (*self._points, self._image):
            if item is not None:
                self._item.removeItem(item)
        self._points, self._image = [], None
        self._mark.clear()
        self._marked = -1

    def _restyle(self) -> None:
        colours = theme()
        self._plot.setBackground(colours.colour("surface"))
        self._item.showGrid(x=True, y=True, alpha=0.12)
        for side in ("left", "bottom"):
            axis = self._item.getAxis(side)
            axis.setPen(colours.colour("border_strong"))
            axis.setTextPen(colours.colour("muted"))
        self._diagonal.setPen(
            pg.mkPen(colours.colour("target"), width=1, style=Qt.PenStyle.DashLine)
        )
        self._mark.setPen(pg.mkPen(colours.colour("text"), width=2))
        self._mark.setBrush(None)
        marked = self._marked
        self.show_(self.scatter)
        self.mark(marked)

    def _build(self, title: str) -> None:
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(label(title, "subheading"))
        top.addWidget(self._legend)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.numbers)
        layout.addWidget(self._plot, 1)

    def _on_click(self, event: object) -> None:
        point: QPointF = self._item.getViewBox().mapSceneToView(event.scenePos())  # type: ignore[attr-defined]
        self.click(point.x(), point.y())


def _demo() -> QWidget:
    from gui.demo.training import demo_comparison

    made = ParityPlot("Forces", "eV/Å")
    made.show_(demo_comparison().forces)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 480)
