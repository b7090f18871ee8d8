"""Trajectories for any OpenMM simulation: extended XYZ, DCD and XTC."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import IO, Any

import openmm
from openmm import app, unit

from nequip_openmm.simulation.output_files import FileReporter, dcd_first_step, dcd_frames
from nequip_openmm.simulation.thermo import (
    cell_angstrom,
    forces_ev_per_angstrom,
    positions_angstrom,
    potential_ev,
)
from nequip_openmm.units import FS_TO_PS

__all__ = ["DCDReporter", "ExtendedXYZReporter", "XTCReporter"]


class ExtendedXYZReporter(FileReporter):
    """Writes positions (Å), forces (eV/Å), energy (eV) and cell (Å) as extended XYZ, which ASE, OVITO and VMD read.

    Parameters
    ----------
    timestep_fs
        Time step in fs: the time of a frame is then step × time step, without the rounding that a sum of steps collects;
        None takes OpenMM's time.
    """

    includes = ("positions", "forces", "energy")

    def __init__(
        self,
        file: Path | str,
        reportInterval: int,
        timestep_fs: float | None = None,
        append: bool = False,
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
            f"energy={potential_ev(state):.10f} step={step} time_ps={self._time_ps(step, state):.10g}"
        )

    def _time_ps(self, step: int, state: openmm.State) -> float:
        if self._timestep_fs is None:
            return float(state.getTime().value_in_unit(unit.picosecond))
        return step * self._timestep_fs * FS_TO_PS


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
                self._first_step(simulation),
                self.interval,
                self._continues,
            )
        positions = state.getPositions(asNumpy=True)
        self._dcd.writeModel(positions, periodicBoxVectors=state.getPeriodicBoxVectors())
        self._frames += 1

    def _first_step(self, simulation: app.Simulation) -> int:
        return dcd_first_step(self.path) if self._continues else int(simulation.currentStep)

    def _open(self) -> IO[Any]:
        if not self._continues:
            return self.path.open("wb")
        self._frames = dcd_frames(self.path)
        return self.path.open("r+b")

    def _end(self) -> dict[str, int]:
        return super()._end() | {"frames": self._frames}


class XTCReporter(FileReporter):
    """Writes positions and cell as XTC (compressed, 0.01 Å), not wrapped into the cell."""

    def __init__(self, file: Path | str, reportInterval: int, append: bool = False) -> None:
        self._xtc: app.XTCFile | None = None
        super().__init__(file, reportInterval, append)

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        before = os.fstat(self._out.fileno()).st_size
        if self._xtc is None:
            self._xtc = self._file(simulation)
        positions = state.getPositions(asNumpy=True)
        self._xtc.writeModel(positions, periodicBoxVectors=state.getPeriodicBoxVectors())
        if os.fstat(self._out.fileno()).st_size == before:  # OpenMM does not look
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.path))

    def _file(self, simulation: app.Simulation) -> app.XTCFile:
        return app.XTCFile(
            str(self.path),
            simulation.topology,
            simulation.integrator.getStepSize(),
            self._first_step(simulation),
            self.interval,
            self._continues,
        )

    def _first_step(self, simulation: app.Simulation) -> int:
        """Return the step of the first frame: the third big-endian integer of an XTC file."""
        if not self._continues:
            return int(simulation.currentStep)
        with self.path.open("rb") as file:
            return int(struct.unpack(">3i", file.read(12))[2])

    def _open(self) -> IO[Any]:
        return self.path.open("ab" if self._continues else "wb")  # OpenMM opens it for every frame
