"""Reporters for any OpenMM simulation (``simulation.reporters.append(...)``).

Thermodynamics as CSV, what a potential says of every atom, trajectories as extended XYZ, DCD and XTC. Each can say where its
file ends (`FileReporter.mark`), for a checkpoint; `cut` takes a file back to a mark, and a reporter made with ``append=True``
goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import openmm
from openmm import app

from nequip_openmm.simulation.atoms import NequIPReporter
from nequip_openmm.simulation.output_files import FileReporter, cut
from nequip_openmm.simulation.thermo import COLUMNS, Sample, Thermometer
from nequip_openmm.simulation.trajectories import DCDReporter, ExtendedXYZReporter, XTCReporter

__all__ = [
    "DCDReporter",
    "ExtendedXYZReporter",
    "FileReporter",
    "NequIPReporter",
    "ThermoReporter",
    "XTCReporter",
    "cut",
]


class ThermoReporter(FileReporter):
    """Writes a row of `Sample` fields as CSV.

    Parameters
    ----------
    thermometer
        Makes the samples.
    listener
        Is called with every sample that was written.
    """

    includes = ("positions", "velocities", "forces", "energy")

    def __init__(
        self,
        file: Path | str,
        reportInterval: int,
        thermometer: Thermometer,
        append: bool = False,
        listener: Callable[[Sample], None] | None = None,
    ) -> None:
        super().__init__(file, reportInterval, append)
        self.thermometer = thermometer
        self._listener = listener
        self._columns: Sequence[str] = COLUMNS
        if self._continues:
            self._columns = _columns_of(self.path)
        else:
            self._out.write(",".join(COLUMNS) + "\n")
            self._out.flush()
            self._whole = self._end()

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        sample = self.thermometer.measure(simulation.currentStep, state, simulation.context)
        self._out.write(sample.to_csv(self._columns) + "\n")
        if self._listener is not None:
            self._listener(sample)


def _columns_of(path: Path) -> list[str]:
    """Return the names in the first line; an earlier version of this package wrote fewer."""
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n").split(",")
