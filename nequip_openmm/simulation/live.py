"""Analysis while a simulation runs, told in the event stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app

from nequip_openmm.analysis.live import RunningDisplacements, RunningDistances
from nequip_openmm.runs import EventStream
from nequip_openmm.runs.progress import Throttle
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import beads_of, cell_angstrom, positions_angstrom

__all__ = ["MOST_ATOMS", "LiveAnalysis"]

MOST_ATOMS = 3000
"""Distances are between all pairs of atoms: beyond, they take longer than many steps."""
_PERIOD_S = 1.0  # between two events of a kind
_DIGITS = 5


class LiveAnalysis:
    """An OpenMM reporter: events ``rdf`` and ``msd``, at most one a second each, and at the end of a stage.

    Averages begin anew with every stage; a run that is resumed goes on with those of its checkpoint.
    Of ring polymers every bead counts for distances, and the centroid for displacements.

    Parameters
    ----------
    spec
        What to analyse and how often.
    events
        The stream.
    symbols
        Element of every atom.
    is_periodic
        Whether the system repeats.
    """

    def __init__(
        self, spec: SimulationSpec, events: EventStream, symbols: Sequence[str], is_periodic: bool
    ) -> None:
        self._spec = spec
        self._events = events
        kinds = set(spec.analysis) - ({"rdf"} if len(symbols) > MOST_ATOMS else set())
        self._distances = RunningDistances(symbols, is_periodic) if "rdf" in kinds else None
        self._displacements = RunningDisplacements(symbols, is_periodic) if "msd" in kinds else None
        self._is_due = Throttle(_PERIOD_S)
        self._is_told = True
        self._step = 0

    @staticmethod
    def skipped(spec: SimulationSpec, n_atoms: int) -> str:
        """Return what of the analysis asked for is not done, and why; empty if all is."""
        if "rdf" not in spec.analysis or n_atoms <= MOST_ATOMS:
            return ""
        return (
            f"analysis rdf is left out: it is for up to {MOST_ATOMS} atoms, and there are {n_atoms}"
        )

    def save(self, file: IO[bytes]) -> None:
        """Write the averages as arrays (npz)."""
        arrays = {f"{kind}_{name}": a for kind, of in self._states() for name, a in of.items()}
        np.savez(file, **arrays)  # type: ignore[arg-type]

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        with np.load(path) as saved:
            for kind, average in self._averages():
                names = [name for name in saved.files if name.startswith(kind)]
                average.restore({name.removeprefix(f"{kind}_"): saved[name] for name in names})

    def _averages(self) -> Iterator[tuple[str, RunningDistances | RunningDisplacements]]:
        if self._distances is not None:
            yield "rdf", self._distances
        if self._displacements is not None:
            yield "msd", self._displacements

    def _states(self) -> Iterator[tuple[str, dict[str, NDArray[np.float64]]]]:
        return ((kind, average.state()) for kind, average in self._averages())

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when to look next."""
        interval = self._spec.analysis_interval
        steps = interval - simulation.currentStep % interval
        return {"steps": steps, "periodic": False, "include": ["positions"]}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Take in a state."""
        beads, cell = [positions_angstrom(bead) for bead in beads_of(state)], cell_angstrom(state)
        if self._distances is not None:
            for positions in beads:
                self._distances.add(positions, cell)
        if self._displacements is not None:
            self._displacements.add(np.mean(beads, axis=0) if len(beads) > 1 else beads[0], cell)
        self._step, self._is_told = simulation.currentStep, False
        if self._is_due():
            self.tell()

    def tell(self) -> None:
        """Tell what is known, unless it was told already."""
        if self._is_told:
            return
        self._is_told = True
        if self._distances is not None:
            self._tell_distances(self._distances)
        if self._displacements is not None and self._displacements.n_lags:
            self._tell_displacements(self._displacements)

    def _tell_distances(self, found: RunningDistances) -> None:
        pairs = {pair: curve.round(_DIGITS) for pair, curve in found.curves().items()}
        radii = found.radii.round(_DIGITS)
        self._events.emit("rdf", step=self._step, frames=found.n_frames, r_A=radii, pairs=pairs)

    def _tell_displacements(self, found: RunningDisplacements) -> None:
        interval = self._spec.time_ps(self._spec.analysis_interval)
        lags = [round(interval * (k + 1), 9) for k in range(found.n_lags)]
        elements = {element: curve.round(_DIGITS) for element, curve in found.curves().items()}
        self._events.emit(
            "msd", step=self._step, frames=found.n_frames, lag_ps=lags, elements_A2=elements
        )
