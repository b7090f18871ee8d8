"""Curves over time above one another, moving together along x; each can be shown or hidden."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gui.core.simulation_record import SimulationRecord
from gui.theme import UNIT
from gui.views.common.buttons import button
from gui.views.common.clock import clock
from gui.views.common.labels import label
from gui.views.common.live_plot import LivePlot
from gui.views.common.plot_export import write_png, write_svg
from gui.views.common.scrolling import Scrolling
from gui.views.simulate.flow import FlowLayout

__all__ = ["PLOTS", "Definition", "TimePlots"]

TIME = "time / ps"
LOWEST = 128  # pixels of a plot


@dataclass(frozen=True)
class Definition:
    """One plot.

    Attributes
    ----------
    title, unit
        Of the quantity.
    curves
        Name of a curve -> column of the record and token of its colour.
    is_usual
        Whether it is shown at first.
    tip
        What the quantity is.
    """

    title: str
    unit: str
    curves: dict[str, tuple[str, str]]
    is_usual: bool = True
    tip: str = ""


PLOTS = {
    "temperature": Definition(
        "Temperature", "K", {"temperature": ("temp", "curve1"), "target": ("temp_target", "target")}
    ),
    "energies": Definition(
        "Energy",
        "eV",
        {
            "potential": ("epot", "curve1"),
            "kinetic": ("ekin", "curve2"),
            "total": ("etot", "curve3"),
        },
        tip="Potential and total energy are counted from the potential energy of the first sample",
    ),
    "conserved": Definition(
        "Conserved",
        "eV",
        {"conserved": ("conserved", "curve4")},
        is_usual=False,
        tip="What exact dynamics would keep constant: its drift tells whether the time step is small enough",
    ),
    "pressure": Definition("Pressure", "bar", {"pressure": ("pressure", "curve5")}),
    "volume": Definition("Volume", "Å³", {"volume": ("volume", "curve6")}),
    "density": Definition("Density", "g/cm³", {"density": ("density", "curve3")}, is_usual=False),
    "forces": Definition(
        "Forces", "eV/Å", {"largest": ("max_force", "curve2"), "RMS": ("rms_force", "curve1")}
    ),
}  # fmt: skip

_ONLY_SOME = ("conserved", "pressure", "volume", "density")
"""What not every run has."""

SMOOTHING = {
    "No smoothing": 1,
    "Over 10 samples": 10,
    "Over 50 samples": 50,
    "Over 200 samples": 200,
}


class TimePlots(QWidget):
    """The plots of one simulation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._record: SimulationRecord | None = None
        self._n_marks = -1
        self._trouble: tuple[float, str] | None = None
        self.plots = {key: self._plot(key) for key in PLOTS}
        self.chips = {key: self._chip(key) for key in PLOTS}
        for key in _ONLY_SOME:
            self._offer(key, is_there=False)
        self.smoothingBox = QComboBox()
        self.smoothingBox.setAccessibleName("Smoothing")
        for text, width in SMOOTHING.items():
            self.smoothingBox.addItem(text, width)
        self.smoothingBox.activated.connect(self._smooth)
        self.driftLabel = label("", "caption")
        self._build()
        clock().register(self)

    def setRecord(self, record: SimulationRecord | None) -> None:
        """Draw another run."""
        self._record, self._n_marks, self._trouble = record, -1, None
        for key, plot in self.plots.items():
            plot.clear()
            if record is not None:
                plot.bind(
                    record.series, {n: column for n, (column, _) in PLOTS[key].curves.items()}
                )
                plot.setFollow(True)
        self.refresh()

    def setTrouble(self, time_ps: float | None, text: str = "") -> None:
        """Mark the moment at which something went wrong; None takes the mark away."""
        self._trouble = None if time_ps is None else (time_ps, text)
        self._n_marks = -1
        self.refresh()

    def refresh(self) -> None:
        """Offer what there is to see, mark what happened; the clock calls this."""
        record = self._record
        if record is None:
            return
        for key in _ONLY_SOME:
            self._offer(key, record.has_conserved if key == "conserved" else record.has_volume)
        if len(record.marks) != self._n_marks:
            self._n_marks = len(record.marks)
            self._mark(record)
        drift = record.drift() if self.plots["conserved"].isVisibleTo(self) else None
        self.driftLabel.setText("" if drift is None else f"drift {drift:.2g} meV/ps per atom")

    def shown(self) -> list[str]:
        """Return the keys of the plots that are shown."""
        return [key for key, plot in self.plots.items() if not plot.isHidden()]

    def savePicture(self, path: Path) -> None:
        """Write all plots that are shown as one picture, PNG or SVG; raises OSError."""
        write = write_svg if path.suffix.lower() == ".svg" else write_png
        write(path, self._stack)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _plot(self, key: str) -> LivePlot:
        definition = PLOTS[key]
        plot = LivePlot(definition.title, definition.unit)
        plot.x_title = TIME  # in exports; on the screen it stands once, below all
        for name, (_, token) in definition.curves.items():
            plot.addCurve(name, token)
        plot.setStatistics(True)
        plot.setMinimumHeight(LOWEST)
        since = "The mean with its block-average error is over the time since the last change of settings or stage."
        plot.setToolTip(f"{definition.tip}. {since}" if definition.tip else since)
        plot.setVisible(definition.is_usual)
        return plot

    def _chip(self, key: str) -> QWidget:
        chip = button(PLOTS[key].title, role="toggle", tip=PLOTS[key].tip)
        chip.setCheckable(True)
        chip.setAccessibleName(f"Show {PLOTS[key].title.lower()}")
        chip.setChecked(PLOTS[key].is_usual)
        chip.toggled.connect(lambda on: self._show(key, on))
        return chip

    def _show(self, key: str, on: bool) -> None:
        self.plots[key].setVisible(on and self.chips[key].isVisibleTo(self))

    def _offer(self, key: str, is_there: bool) -> None:
        chip = self.chips[key]
        if chip.isHidden() == is_there:
            chip.setVisible(is_there)
            self.plots[key].setVisible(is_there and chip.isChecked())  # type: ignore[attr-defined]

    def _smooth(self) -> None:
        for plot in self.plots.values():
            plot.setSmoothing(self.smoothingBox.currentData())

    def _mark(self, record: SimulationRecord) -> None:
        happened = [(mark.time_ps, "", "muted") for mark in record.marks]
        named = [(mark.time_ps, mark.text, "muted") for mark in record.marks]
        if self._trouble is not None:
            happened.append((self._trouble[0], "", "error"))
            named.append((*self._trouble, "error"))
        shown = self.shown()
        for key, plot in self.plots.items():
            plot.setMarks(named if shown and key == shown[0] else happened)
            plot.setStatisticsSince(max((mark.time_ps for mark in record.marks), default=-math.inf))

    def _build(self) -> None:
        chips = FlowLayout(UNIT // 2)
        for chip in self.chips.values():
            chips.addWidget(chip)
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        head.addLayout(chips, 1)
        head.addWidget(self.smoothingBox, 0, Qt.AlignmentFlag.AlignTop)
        self._stack = QFrame()
        self._stack.setProperty("role", "surface")
        inside = QVBoxLayout(self._stack)
        inside.setContentsMargins(0, UNIT, UNIT + UNIT // 2, 0)
        inside.setSpacing(UNIT)
        first = next(iter(self.plots.values()))
        for plot in self.plots.values():
            inside.addWidget(plot, 1)
            if plot is not first:
                plot.link(first)
        caption = label(TIME, "caption")
        caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        foot = QHBoxLayout()
        foot.addWidget(self.driftLabel)
        foot.addWidget(caption, 1)
        inside.addLayout(foot)
        area = Scrolling()
        area.setWidget(self._stack)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, UNIT, 0, 0)
        column.setSpacing(UNIT // 2)
        column.addLayout(head)
        column.addWidget(area, 1)


def _demo() -> QWidget:
    from gui.demo.simulation import demo_record

    made = QWidget()
    made.setObjectName("canvas")
    column = QVBoxLayout(made)
    plots = TimePlots()
    plots.setRecord(demo_record())
    column.addWidget(plots)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 560)
