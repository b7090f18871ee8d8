"""Relaxation of the start with OpenMM's L-BFGS minimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openmm import app, unit

from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import (
    forces_ev_per_angstrom,
    max_norm,
    potential_ev,
    root_mean_square,
)
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL

__all__ = ["Relaxation", "relax", "rounds", "tolerance_kj_per_mol_nm"]

ROUND = 50  # most iterations between two looks at whether to go on


@dataclass(frozen=True)
class Relaxation:
    """What a relaxation did.

    Attributes
    ----------
    energy_before, energy_after
        eV.
    rms_force, max_force
        Root mean square of the force components and largest force on an atom afterwards, eV/Å.
    converged
        Whether the root mean square is below the tolerance; not looked at where bonds are rigid.
    """

    energy_before: float
    energy_after: float
    rms_force: float
    max_force: float
    converged: bool


def relax(
    simulation: app.Simulation,
    relaxing: app.Simulation,
    spec: SimulationSpec,
    may_go_on: Callable[[int, int], bool],
) -> Relaxation:
    """Relax the positions of a simulation in rounds; the same calls as in ``simulate.py``.

    OpenMM can watch its minimiser, but holds Python's lock then, under which PyTorch refuses to differentiate; hence rounds.

    Parameters
    ----------
    simulation
        Gets the positions.
    relaxing
        What computes: ``simulation`` itself, or one of higher precision with the same positions.
    may_go_on
        Is called before every round with its number and how many there are.
    """
    before = potential_ev(relaxing.context.getState(energy=True))
    tolerance = tolerance_kj_per_mol_nm(spec) * unit.kilojoule_per_mole / unit.nanometer
    count, iterations = rounds(spec)
    for i in range(count):
        if not may_go_on(i, count):
            break
        relaxing.minimizeEnergy(tolerance, iterations)
    state = relaxing.context.getState(positions=True, energy=True, forces=True)
    if relaxing is not simulation:
        simulation.context.setPositions(state.getPositions(asNumpy=True))
    forces = forces_ev_per_angstrom(state)
    rms = root_mean_square(forces)
    is_rigid = simulation.system.getNumConstraints() > 0
    return Relaxation(
        energy_before=before,
        energy_after=potential_ev(state),
        rms_force=rms,
        max_force=max_norm(forces),
        # the last line search may stop just above; rigid bonds hold against forces that do not vanish
        converged=is_rigid or rms <= 1.05 * spec.minimise_tolerance,
    )


def rounds(spec: SimulationSpec) -> tuple[int, int]:
    """Return how many rounds of how many iterations; (1, 0) without limit."""
    wanted = spec.minimise_iterations
    if wanted == 0:
        return 1, 0
    count = -(-wanted // ROUND)
    return count, -(-wanted // count)


def tolerance_kj_per_mol_nm(spec: SimulationSpec) -> float:
    """Return the tolerance in OpenMM's unit."""
    return spec.minimise_tolerance * EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM
