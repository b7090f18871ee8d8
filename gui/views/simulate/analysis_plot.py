"""RDF and MSD as they are averaged while the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.core.simulation_record import Curves, SimulationRecord
from gui.theme import UNIT
from gui.views.common.clock import clock
from gui.views.common.labels import label
from gui.views.common.live_plot import LivePlot

__all__ = ["AnalysisPlot"]

_TEXTS = {
    "rdf": ("Pair distribution g(r)", "", "r / Å", "It appears with the first structures; switch RDF on under Advanced if it does not."),
    "msd": ("Mean square displacement", "Å²", "lag / ps", "It appears with the first structures; switch MSD on under Advanced if it does not."),
}  # fmt: skip
_OF_MOLECULE = ("Distribution of distances", "1/Å")


class AnalysisPlot(QWidget):
    """Curves that the worker sends whole.

    Parameters
    ----------
    kind
        ``rdf`` or ``msd``.
    """

    def __init__(self, kind: Literal["rdf", "msd"], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: Literal["rdf", "msd"] = kind
        self._record: SimulationRecord | None = None
        self._drawn: Curves | None = None
        title, unit, x_title, missing = _TEXTS[kind]
        self.plot = LivePlot(title, unit, x_title)
        self.note = label(missing, "muted", wraps=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2 * UNIT, 0, UNIT)
        column.setSpacing(UNIT)
        column.addWidget(self.plot, 1)
        column.addWidget(self.note)
        clock().register(self)

    def setRecord(self, record: SimulationRecord | None) -> None:
        """Draw another run."""
        self._record, self._drawn = record, None
        self.plot.removeCurves()
        self.note.setText(_TEXTS[self._kind][3])
        self.refresh()

    def refresh(self) -> None:
        """Draw what has come; the clock calls this."""
        curves = None if self._record is None else getattr(self._record, self._kind)
        if curves is None or curves is self._drawn or not curves.y or self._record is None:
            return
        if self._drawn is not None and set(self._drawn.y) != set(curves.y):
            self.plot.removeCurves()
        self._drawn = curves
        end = _end(curves) if self._kind == "rdf" else len(curves.x)
        for name, y in curves.y.items():
            self.plot.setData(name, curves.x[:end], y[:end])
        if self._kind == "rdf" and not self._record.has_volume:
            self.plot.setTitle(*_OF_MOLECULE)
        self.note.setText(f"Average over {curves.frames:,} structures")

    def save(self, path: Path) -> None:
        """Write a picture or a table."""
        self.plot.export(path)


def _end(curves: Curves) -> int:
    """Return after how many points nothing follows: a molecule ends somewhere."""
    full = [np.flatnonzero(np.nan_to_num(y)) for y in curves.y.values()]
    last = max((int(found[-1]) for found in full if len(found)), default=len(curves.x))
    return min(len(curves.x), round(1.1 * last) + 1)


def _demo() -> QWidget:
    from gui.demo.simulation import demo_record

    plot = AnalysisPlot("rdf")
    plot.setObjectName("canvas")
    plot.setRecord(demo_record())
    return plot


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 560, 400)
