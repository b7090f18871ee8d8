"""Analysis while a simulation runs, told in the event stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import openmm
from openmm import app

from nequip_openmm.analysis.live import RunningDisplacements, RunningDistances
from nequip_openmm.runs import EventStream
from nequip_openmm.runs.progress import Throttle
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import cell_angstrom, positions_angstrom

__all__ = ["MOST_ATOMS", "LiveAnalysis"]

MOST_ATOMS = 3000
"""Distances are between all pairs of atoms: beyond, they take longer than many steps."""
_PERIOD_S = 1.0  # between two events of a kind
_DIGITS = 5


class LiveAnalysis:
    """An OpenMM reporter: events ``rdf`` and ``msd``, at most one a second each, and at the end of a stage.

    Averages begin anew with every stage, and when a run is resumed.

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

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when to look next."""
        interval = self._spec.analysis_interval
        steps = interval - simulation.currentStep % interval
        return {"steps": steps, "periodic": False, "include": ["positions"]}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Take in a state."""
        positions, cell = positions_angstrom(state), cell_angstrom(state)
        for average in (self._distances, self._displacements):
            if average is not None:
                average.add(positions, cell)
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
