"""Kinetic energy against the number of beads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.core.bead_convergence import MEV, Point
from gui.theme import CURVES, theme
from gui.views.quantum.band_plot import heading, restyle_plot, styled_plot
from nequip_openmm.units import BOLTZMANN_EV_PER_K

__all__ = ["BeadPlot"]

MARKS = ("o", "s", "t", "d", "star")  # colour alone must not tell elements apart
MARK_SIZE = 8


class BeadPlot(QWidget):
    """One curve for each element, with error bars; beads on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[Point] = []
        self._temperature: float | None = None
        self._plot = styled_plot("kinetic energy against the number of beads", "number of beads")
        self._legend = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(heading("Kinetic energy of an atom", "meV"))
        layout.addWidget(self._plot, 1)
        layout.addWidget(self._legend)
        theme().changed.connect(self._draw)

    def setPoints(self, points: Sequence[Point], temperature: float | None) -> None:
        """Show the runs of a series."""
        self._points = sorted(points, key=lambda point: point.beads)
        self._temperature = temperature
        self._draw()

    def export(self, path: str) -> None:
        """Save a picture."""
        self.grab().save(path)

    def _draw(self) -> None:
        item = self._plot.getPlotItem()
        item.clear()
        restyle_plot(self._plot)
        elements = list(self._points[-1].kinetic) if self._points else []
        for index, element in enumerate(elements):
            self._draw_element(element, CURVES[index % len(CURVES)], MARKS[index % len(MARKS)])
        self._draw_classical()
        beads = [point.beads for point in self._points]
        ticks = [(float(np.log2(n)), str(n)) for n in beads]
        item.getAxis("bottom").setTicks([ticks] if ticks else None)
        self._tell_names(elements)

    def _draw_element(self, element: str, token: str, mark: str) -> None:
        found = [(p.beads, p.kinetic[element]) for p in self._points if element in p.kinetic]
        x = np.log2([n for n, _ in found])
        y = np.array([mean.value for _, mean in found]) * MEV
        error = np.nan_to_num(np.array([mean.error for _, mean in found]) * MEV)
        colour = theme().colour(token)
        pen = pg.mkPen(colour, width=1.5)
        self._plot.addItem(pg.ErrorBarItem(x=x, y=y, height=2 * error, beam=0.06, pen=pen))
        self._plot.plot(
            x, y, pen=pen, symbol=mark, symbolSize=MARK_SIZE, symbolBrush=colour, symbolPen=None, antialias=True
        )  # fmt: skip

    def _draw_classical(self) -> None:
        if self._temperature is None or not self._points:
            return
        pen = pg.mkPen(theme().colour("target"), width=1, style=Qt.PenStyle.DashLine)
        classical = 1.5 * BOLTZMANN_EV_PER_K * self._temperature * MEV
        self._plot.addItem(pg.InfiniteLine(pos=classical, angle=0, pen=pen))

    def _tell_names(self, elements: list[str]) -> None:
        signs = dict(zip(MARKS, "●■▼◆★"))
        marks = [
            f"<span style='color:{theme().token(CURVES[k % len(CURVES)])}'>{signs[MARKS[k % len(MARKS)]]}</span> {name}"
            for k, name in enumerate(elements)
        ]
        if elements:
            marks.append(
                f"<span style='color:{theme().token('target')}'>╌╌</span> classical, 3/2 k<sub>B</sub>T"
            )
        self._legend.setText("&nbsp;&nbsp;&nbsp;".join(marks))


def _demo() -> QWidget:
    plot = BeadPlot()
    plot.setPoints(demo_points(), 300.0)
    return plot


def demo_points() -> list[Point]:
    """Return a series that never was."""
    from gui.demo.path_integral import kinetic_energy
    from nequip_openmm.analysis.statistics import Mean

    return [
        Point(n, {s: Mean(kinetic_energy(s, n), 0.0009, 8) for s in ("C", "O", "H")})
        for n in (4, 8, 16, 32)
    ]


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 360)
