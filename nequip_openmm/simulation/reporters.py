"""Reporters for any OpenMM simulation: thermodynamics as CSV, trajectories as extended XYZ and DCD.

They work as OpenMM's own (``simulation.reporters.append(...)``). All ask for positions that are not wrapped into the cell, so
OpenMM serves reporters that fire at the same step with one state. Each can say where its file ends (`FileReporter.mark`), for
a checkpoint; `cut` takes a file back to a mark, and a reporter made with ``append=True`` goes on from there.
"""

from __future__ import annotations

import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import openmm
from openmm import app

from nequip_openmm.errors import UserError
from nequip_openmm.simulation.thermo import (
    COLUMNS,
    Sample,
    Thermometer,
    cell_angstrom,
    forces_ev_per_angstrom,
    positions_angstrom,
    potential_ev,
)
from nequip_openmm.units import FS_TO_PS

__all__ = ["DCDReporter", "ExtendedXYZReporter", "FileReporter", "ThermoReporter", "cut"]


class FileReporter(ABC):
    """A reporter that writes one file, whole reports only: one that the disk had no room for is taken away again.

    Parameters
    ----------
    file
        Where to write.
    reportInterval
        Steps between reports.
    append
        Whether to continue the file instead of starting it.
    """

    includes: Sequence[str] = ("positions",)
    """What a report needs of the state."""

    def __init__(self, file: Path | str, reportInterval: int, append: bool = False) -> None:
        self.path = Path(file)
        self.interval = reportInterval
        self._continues = append and self.path.exists() and self.path.stat().st_size > 0
        self._out: IO[Any] = self._open()
        self._whole = self._end()
        self._has_failed = False

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when the next report is due and what it needs."""
        steps = self.interval - simulation.currentStep % self.interval
        return {"steps": steps, "periodic": False, "include": list(self.includes)}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Write a report of the state."""
        try:
            self._write_report(simulation, state)
            self._out.flush()
        except OSError:
            self._has_failed = True
            raise
        self._whole = self._end()

    @property
    def end(self) -> dict[str, int]:
        """Where the last whole report ends: bytes, and frames for a format that counts them."""
        return self._whole

    def mark(self) -> dict[str, int]:
        """Bring everything to the disk; return the `end`, which `cut` can come back to."""
        self._out.flush()
        os.fsync(self._out.fileno())
        return self._whole

    def close(self) -> None:
        """Close the file; take a half-written report away."""
        with suppress(OSError):  # what could not be written before cannot be now
            self._out.close()
        if self._has_failed:
            cut(self.path, self._whole)

    def __del__(self) -> None:
        if hasattr(self, "_out"):  # the file could be opened
            self._out.close()

    @abstractmethod
    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Write one report of the state."""

    def _open(self) -> IO[Any]:
        return self.path.open("a" if self._continues else "w", encoding="utf-8", newline="\n")

    def _end(self) -> dict[str, int]:
        """Return how long the file is."""
        return {"bytes": os.fstat(self._out.fileno()).st_size}


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
        self._thermometer = thermometer
        self._listener = listener
        if not self._continues:
            self._out.write(",".join(COLUMNS) + "\n")
            self._out.flush()
            self._whole = self._end()

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        sample = self._thermometer.measure(simulation.currentStep, state, simulation.context)
        self._out.write(sample.to_csv() + "\n")
        if self._listener is not None:
            self._listener(sample)


class ExtendedXYZReporter(FileReporter):
    """Writes positions (Å), forces (eV/Å), energy (eV) and cell (Å) as extended XYZ, which ASE, OVITO and VMD read.

    Parameters
    ----------
    timestep_fs
        Time step in fs, for the time of every frame.
    """

    includes = ("positions", "forces", "energy")

    def __init__(
        self, file: Path | str, reportInterval: int, timestep_fs: float, append: bool = False
    ) -> None:
        super().__init__(file, reportInterval, append)
        self._timestep_fs = timestep_fs
        self._symbols: list[str] = []

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        if not self._symbols:
            self._symbols = [
                "X" if atom.element is None else atom.element.symbol
                for atom in simulation.topology.atoms()
            ]
        self._out.write(self._frame(simulation, state))

    def _frame(self, simulation: app.Simulation, state: openmm.State) -> str:
        positions, forces = positions_angstrom(state), forces_ev_per_angstrom(state)
        rows = (
            f"{symbol:<2s} {r[0]:16.8f} {r[1]:16.8f} {r[2]:16.8f} {f[0]:14.8f} {f[1]:14.8f} {f[2]:14.8f}\n"
            for symbol, r, f in zip(self._symbols, positions.tolist(), forces.tolist())
        )
        return f"{len(self._symbols)}\n{self._comment(simulation, state)}\n{''.join(rows)}"

    def _comment(self, simulation: app.Simulation, state: openmm.State) -> str:
        step = simulation.currentStep
        periodic = simulation.system.usesPeriodicBoundaryConditions()
        cell = " ".join(f"{x:.10g}" for x in cell_angstrom(state).ravel()) if periodic else ""
        lattice = f'Lattice="{cell}" pbc="T T T"' if periodic else 'pbc="F F F"'
        return (
            f"{lattice} Properties=species:S:1:pos:R:3:forces:R:3 "
            f"energy={potential_ev(state):.10f} step={step} time_ps={step * self._timestep_fs * FS_TO_PS:.10g}"
        )


class DCDReporter(FileReporter):
    """Writes positions and cell as DCD (single precision, Å), not wrapped into the cell."""

    def __init__(self, file: Path | str, reportInterval: int, append: bool = False) -> None:
        self._dcd: app.DCDFile | None = None
        self._frames = 0
        super().__init__(file, reportInterval, append)

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        if self._dcd is None:
            self._dcd = app.DCDFile(
                self._out,
                simulation.topology,
                simulation.integrator.getStepSize(),
                self.interval,  # the step of the first frame
                self.interval,
                self._continues,
            )
        positions = state.getPositions(asNumpy=True)
        self._dcd.writeModel(positions, periodicBoxVectors=state.getPeriodicBoxVectors())
        self._frames += 1

    def _open(self) -> IO[Any]:
        if not self._continues:
            return self.path.open("wb")
        self._frames = _dcd_frames(self.path)
        return self.path.open("r+b")

    def _end(self) -> dict[str, int]:
        return super()._end() | {"frames": self._frames}


def cut(path: Path, mark: dict[str, int]) -> None:
    """Take a file back to a mark: what was written after it, whole or in part, goes away.

    Raises
    ------
    UserError
        If the file is shorter than it was at the mark.
    """
    length = path.stat().st_size if path.exists() else 0
    if length < mark["bytes"]:
        raise UserError(
            f"{path} has {length} bytes, fewer than the {mark['bytes']} it had at the checkpoint: "
            "it was changed since; start the run again in a new folder"
        )
    if length > mark["bytes"]:
        os.truncate(path, mark["bytes"])
    if mark.get("frames"):
        _set_dcd_frames(path, mark["frames"])


# Integers in the header of a DCD file, by their offset in bytes.
_FRAMES, _FIRST_STEP, _INTERVAL, _LAST_STEP = 8, 12, 16, 20


def _dcd_frames(path: Path) -> int:
    """Return the number of frames that a DCD header tells."""
    with path.open("rb") as file:
        return int(_integer(file, _FRAMES))


def _set_dcd_frames(path: Path, frames: int) -> None:
    """Write the number of frames and the step of the last one into a DCD header."""
    with path.open("r+b") as file:
        last = _integer(file, _FIRST_STEP) + (frames - 1) * _integer(file, _INTERVAL)
        for offset, value in ((_FRAMES, frames), (_LAST_STEP, last)):
            file.seek(offset)
            file.write(struct.pack("<i", value))


def _integer(file: IO[bytes], offset: int) -> int:
    file.seek(offset)
    return int(struct.unpack("<i", file.read(4))[0])
