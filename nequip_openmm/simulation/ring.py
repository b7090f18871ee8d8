"""Ring polymers: every atom a ring of beads (`openmm.RPMDIntegrator`), stepped and reported as any other simulation.

OpenMM asks that positions and velocities be given to the integrator, bead by bead, and read from it, never from the Context,
and it does not count the steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app, unit

from nequip_openmm.errors import ConfigError
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import LARGEST_SEED
from nequip_openmm.simulation.thermo import masses_amu

__all__ = [
    "RingSimulation",
    "RingState",
    "bead_seed",
    "beads_nm",
    "load_beads",
    "refuse_rigid",
    "save_beads",
    "set_beads",
    "set_first_velocities",
    "state_of",
]


class RingState:
    """The states of all beads; asked for anything else it is the state of the first one.

    Attributes
    ----------
    beads
        OpenMM's states, one a bead.
    temperature_K
        What the springs between neighbours belong to: that of the thermostat, whether it acts or not.
    """

    def __init__(self, integrator: openmm.RPMDIntegrator, what: dict[str, bool]) -> None:
        names = {f"get{name.capitalize()}": wanted for name, wanted in what.items()}
        self.beads = [integrator.getState(j, **names) for j in range(integrator.getNumCopies())]
        self.temperature_K = float(integrator.getTemperature().value_in_unit(unit.kelvin))

    def __getattr__(self, name: str) -> Any:
        if name == "beads":  # not there yet
            raise AttributeError(name)
        return getattr(self.beads[0], name)


class RingSimulation(app.Simulation):
    """A Simulation with an `openmm.RPMDIntegrator`: its reporters are given a `RingState`, and its steps are counted."""

    def step(self, steps: int) -> None:
        """Advance by so many steps; each costs an evaluation of the potential for every bead."""
        end = self.currentStep + steps
        while self.currentStep < end:
            wishes = [(each, each.describeNextReport(self)) for each in self.reporters]
            count = min([end - self.currentStep, *(wish["steps"] for _, wish in wishes)])
            self.integrator.step(count)
            self.currentStep += count
            due = [(each, wish) for each, wish in wishes if wish["steps"] == count]
            if due:
                needs = {need for _, wish in due for need in wish["include"]}
                state = self.state(**dict.fromkeys(needs, True))
                for each, _ in due:
                    each.report(self, state)

    def state(self, **what: bool) -> RingState:
        """Return positions, velocities, forces, energy of all beads; forces and energies are computed anew."""
        return RingState(self.integrator, what)


def state_of(simulation: app.Simulation, **what: bool) -> openmm.State | RingState:
    """Return the state of a simulation, be it of a ring or not."""
    if isinstance(simulation, RingSimulation):
        return simulation.state(**what)
    return simulation.context.getState(**what)


def refuse_rigid(system: openmm.System) -> None:
    """Raise `ConfigError` for rigid bonds and virtual sites."""
    if system.getNumConstraints():
        raise ConfigError(
            "beads: a ring polymer has no rigid bonds; in mixed set rigid_water: false and constraints: none"
        )
    if 0.0 in masses_amu(system):
        raise ConfigError(
            "beads: a ring polymer has no virtual sites; take water without, such as TIP3P"
        )


def bead_seed(spec: SimulationSpec, bead: int) -> int:
    """Return the seed of a bead's first velocities, another for every bead and every seed of the run."""
    return (spec.seed * spec.beads + bead) % LARGEST_SEED + 1


def set_first_velocities(
    simulation: app.Simulation, spec: SimulationSpec, temperature: float
) -> None:
    """Draw velocities at a temperature in K. The beads of a ring all begin where the Context's atoms are.

    P beads have P times the temperature: M. Ceriotti, M. Parrinello, T. E. Markland, D. E. Manolopoulos, J. Chem. Phys. 133,
    124104 (2010), doi:10.1063/1.3489925.
    """
    context = simulation.context
    if not isinstance(simulation, RingSimulation):
        context.setVelocitiesToTemperature(temperature * unit.kelvin, spec.seed)
        return
    positions = _nm(context.getState(positions=True).getPositions(asNumpy=True))
    velocities = []
    for bead in range(spec.beads):
        seed = bead_seed(spec, bead)
        context.setVelocitiesToTemperature(spec.beads * temperature * unit.kelvin, seed)
        velocities.append(context.getState(velocities=True).getVelocities(asNumpy=True)._value)
    set_beads(simulation, np.array([positions] * spec.beads), np.array(velocities))


def set_beads(
    simulation: RingSimulation, positions: NDArray[np.float64], velocities: NDArray[np.float64]
) -> None:
    """Give all beads their positions (P, N, 3) in nm and velocities (P, N, 3) in nm/ps."""
    for bead, (x, v) in enumerate(zip(positions, velocities)):
        simulation.integrator.setPositions(bead, x)
        simulation.integrator.setVelocities(bead, v)


def beads_nm(simulation: RingSimulation) -> dict[str, NDArray[np.float64]]:
    """Return ``positions`` and ``velocities`` as `set_beads` takes them."""
    beads = simulation.state(positions=True, velocities=True).beads
    return {
        "positions": np.array([_nm(bead.getPositions(asNumpy=True)) for bead in beads]),
        "velocities": np.array([bead.getVelocities(asNumpy=True)._value for bead in beads]),
    }


def save_beads(simulation: RingSimulation, file: IO[bytes]) -> None:
    """Write positions and velocities of all beads, every bit of them (npz)."""
    np.savez(file, **beads_nm(simulation))  # type: ignore[arg-type]


def load_beads(simulation: RingSimulation, path: Path) -> None:
    """Go on from what `save_beads` wrote; a damaged file raises what NumPy does."""
    with np.load(path) as saved:
        set_beads(simulation, saved["positions"], saved["velocities"])


def _nm(positions: unit.Quantity) -> NDArray[np.float64]:
    return np.asarray(positions.value_in_unit(unit.nanometer))
