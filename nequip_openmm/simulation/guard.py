"""The guard that stops a simulation which has left physics behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import openmm
from openmm import app

from nequip_openmm.errors import RunFailed
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import (
    Thermometer,
    beads_of,
    forces_ev_per_angstrom,
    kinetic_ev_of_velocities,
    masses_amu,
    max_norm,
    positions_angstrom,
    potential_ev,
)

__all__ = ["Guard"]


class Guard:
    """An OpenMM reporter that raises `RunFailed` (``blow-up``) on a bad state.

    It comes first in the list of reporters and fires whenever another does, so that no bad frame is written and no good
    checkpoint replaced. Between reports it looks at positions and velocities only, which costs no evaluation of the model;
    where another reporter asked for energy and forces it looks at these too.

    Parameters
    ----------
    spec
        Limits, and what to name among the likely causes.
    system
        Masses.
    thermometer
        Knows the degrees of freedom.
    intervals
        Intervals of the other reporters.
    """

    def __init__(
        self,
        spec: SimulationSpec,
        system: openmm.System,
        thermometer: Thermometer,
        intervals: Iterable[int],
    ) -> None:
        self._spec = spec
        self._masses = np.array(masses_amu(system))
        self._thermometer = thermometer
        self._intervals = (spec.guard_interval, *intervals)
        self.last_good_step = 0

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when to look next."""
        step = simulation.currentStep
        steps = min(interval - step % interval for interval in self._intervals)
        return {"steps": steps, "periodic": False, "include": ["positions", "velocities"]}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Look at a state."""
        self.check(simulation.currentStep, state)

    def check(self, step: int, state: openmm.State) -> None:
        """Raise `RunFailed` if anything that the state holds is not finite or above its limit."""
        problem = self._problem(state)
        if problem:
            raise self.failure(step, problem)
        self.last_good_step = step

    def failure(self, step: int, problem: str) -> RunFailed:
        """Return the error that says what happened when, and what the cause may be."""
        time = self._spec.time_ps(step)
        return RunFailed(
            f"the simulation blew up at step {step} ({time:.4g} ps): {problem}; "
            f"all frames before and the last checkpoint are kept",
            code="blow-up",
            facts={"step": step, "last_good_step": self.last_good_step},
            hint=f"Likely causes: {'; '.join(self._causes())}.",
        )

    def _problem(self, state: openmm.State) -> str:
        beads = beads_of(state)
        if not all(np.isfinite(positions_angstrom(bead)).all() for bead in beads):
            return "a position is not finite"
        # P beads have P times the temperature
        kinetic = sum(kinetic_ev_of_velocities(b, self._masses) for b in beads) / len(beads) ** 2
        temperature = self._thermometer.temperature(kinetic)
        if not temperature <= self._spec.max_temperature:  # also true for NaN
            return f"temperature {temperature:.4g} K, above max_temperature = {self._spec.max_temperature:g} K"
        return next(filter(None, map(self._problem_of_forces, beads)), "")

    def _problem_of_forces(self, state: openmm.State) -> str:
        present = state.getDataTypes()
        if present & openmm.State.Energy and not np.isfinite(potential_ev(state)):
            return "the potential energy is not finite"
        if not present & openmm.State.Forces:
            return ""
        force = max_norm(forces_ev_per_angstrom(state))
        if not force <= self._spec.max_force:
            return f"force {force:.4g} eV/Å on an atom, above max_force = {self._spec.max_force:g} eV/Å"
        return ""

    def _causes(self) -> list[str]:
        spec = self._spec
        causes = [f"a time step of {spec.timestep:g} fs is too long (0.5 fs is safe with hydrogen)"]
        if not spec.minimise:
            causes.append("atoms too close together at the start (try --minimise)")
        causes.append("the structure went where the potential saw no training data")
        hottest = max(max(phase.temperature, phase.final_temperature) for phase in spec.phases)
        if hottest > 1000:
            causes.append(f"{hottest:g} K is hotter than the training data")
        return causes
