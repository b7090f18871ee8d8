"""The files that a run writes while it steps."""

from __future__ import annotations

from collections.abc import Callable

from nequip_openmm.runs import RunFolder
from nequip_openmm.simulation import files
from nequip_openmm.simulation.output_files import FileReporter
from nequip_openmm.simulation.reporters import ThermoReporter
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import Sample, Thermometer
from nequip_openmm.simulation.trajectories import DCDReporter, ExtendedXYZReporter, XTCReporter

__all__ = ["Outputs"]


class Outputs:
    """``thermo.csv`` and the trajectory.

    Parameters
    ----------
    spec, folder
        Formats, intervals, and where to write.
    thermometer
        Of the first stage; every stage sets its own.
    listener
        Is called with every sample that was written.
    append
        Whether to go on with the files that are there.
    """

    def __init__(
        self,
        spec: SimulationSpec,
        folder: RunFolder,
        thermometer: Thermometer,
        listener: Callable[[Sample], None],
        append: bool,
    ) -> None:
        path = folder / files.THERMO
        self.thermo = ThermoReporter(path, spec.thermo_interval, thermometer, append, listener)
        self.trajectory = _trajectory(spec, folder, append)

    @property
    def all(self) -> list[FileReporter]:
        """Every file, those that a stage does not write to included."""
        return [self.thermo, self.trajectory]

    def close(self) -> None:
        """Close the files."""
        for reporter in self.all:
            reporter.close()


def _trajectory(spec: SimulationSpec, folder: RunFolder, append: bool) -> FileReporter:
    path, interval = folder / spec.trajectory_name, spec.trajectory_interval
    if spec.trajectory_format == "xyz":
        return ExtendedXYZReporter(path, interval, spec.timestep, append)
    if spec.trajectory_format == "xtc":
        return XTCReporter(path, interval, append)
    return DCDReporter(path, interval, append)
