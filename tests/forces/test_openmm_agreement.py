"""Through OpenMM, by either backend and on every platform, a potential gives what `Potential.evaluate` gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.backends import incomplete_platforms
from nequip_openmm.potential import Evaluation, Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    SHIFTS,
    STRUCTURES,
    Case,
    context,
    energy_and_forces,
    openmm,
    random_model,
    random_potential,
    tiny_cell,
    triclinic,
    unwrapped,
    water_box,
)

TOLERANCE = {
    torch.float32: 1e-6,
    torch.float64: 1e-10,
}  # relative, as section 7 of the specification asks
FORCE_UNIT = EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM


def assert_equal(
    energy: float, forces: np.ndarray, reference: Evaluation, case: Case, tolerance: float
) -> None:
    """Energies are compared relative to the energy of interaction, not to the large energies of the atoms."""
    atomic = sum(SHIFTS[symbol] for symbol in case.atoms.symbols)
    interaction = max(abs(reference.energy - atomic), 1e-3)
    rounding = 4.0 * np.finfo(float).eps * abs(reference.energy)
    assert abs(energy / EV_TO_KJ_PER_MOL - reference.energy) < tolerance * interaction + rounding
    rms = np.sqrt(np.mean(reference.forces**2))
    assert np.abs(forces / FORCE_UNIT - reference.forces).max() <= tolerance * rms


@pytest.fixture(scope="module", params=["fused", "reference"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def potential(request: pytest.FixtureRequest, engine: str) -> Potential:
    return Potential(random_model(request.param), engine=engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", STRUCTURES)
def test_energy_and_forces(potential: Potential, name: str, backend: str) -> None:
    case = STRUCTURES[name]()
    reference = potential.evaluate(case.atoms)
    system = NequIPPotential(potential).createSystem(case.topology, backend=backend)
    for platform in PLATFORMS:
        simulation = context(system, platform)
        simulation.setPositions(case.positions)
        found = energy_and_forces(simulation)
        assert_equal(*found, reference, case, TOLERANCE[potential.dtype])


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_geometries_in_one_context(potential: Potential, backend: str) -> None:
    """The number of pairs changes from step to step, and nothing is kept that should not be."""
    case = water_box()
    system = NequIPPotential(potential).createSystem(case.topology, backend=backend)
    simulation = context(system)
    rng = np.random.default_rng(4)
    for _ in range(5):
        case.atoms.rattle(0.1, rng=rng)
        case.atoms.set_cell(case.atoms.cell * rng.uniform(0.9, 1.1), scale_atoms=True)
        simulation.setPeriodicBoxVectors(*(np.array(case.atoms.cell) * ANGSTROM_TO_NM))
        simulation.setPositions(case.positions)
        reference = potential.evaluate(case.atoms)
        assert_equal(*energy_and_forces(simulation), reference, case, TOLERANCE[potential.dtype])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", [triclinic, tiny_cell])
def test_forces_are_minus_the_slope_of_the_energy(make: object, backend: str) -> None:
    case: Case = make()  # type: ignore[operator]
    potential = random_potential()
    simulation = context(NequIPPotential(potential).createSystem(case.topology, backend=backend))
    positions = case.positions.copy()
    simulation.setPositions(positions)
    forces = energy_and_forces(simulation)[1]
    step = 2e-5  # nm
    for atom, axis in [(0, 0), (1, 2), (len(positions) - 1, 1)]:
        energies = []
        for sign in (1.0, -1.0):
            moved = positions.copy()
            moved[atom, axis] += sign * step
            simulation.setPositions(moved)
            energies.append(energy_and_forces(simulation)[0])
        slope = (energies[0] - energies[1]) / (2.0 * step)
        assert slope == pytest.approx(-forces[atom, axis], abs=1e-6 * np.abs(forces).max())


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_does_not_matter_which_image_of_an_atom_is_given(backend: str) -> None:
    potential = NequIPPotential(random_potential())
    simulation = context(potential.createSystem(triclinic().topology, backend=backend))
    results = []
    for case in (triclinic(), unwrapped()):
        simulation.setPositions(case.positions)
        results.append(energy_and_forces(simulation))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-14)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cell_smaller_than_the_cutoff_equals_its_supercell(backend: str) -> None:
    potential = NequIPPotential(random_potential())
    small = tiny_cell()
    large = Case(small.atoms.repeat((3, 2, 2)))
    results = []
    for case in (small, large):
        simulation = context(potential.createSystem(case.topology, backend=backend))
        simulation.setPositions(case.positions)
        results.append(energy_and_forces(simulation))
    assert results[1][0] == pytest.approx(12 * results[0][0], rel=1e-13)
    np.testing.assert_allclose(results[1][1], np.tile(results[0][1], (12, 1)), atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_subset_of_atoms_in_any_order(backend: str) -> None:
    """Only the chosen atoms are seen and pushed; the rest may even be of elements that the model does not know."""
    case = water_box()
    chosen = [9, 11, 10, 40, 39, 41, 2]
    case.atoms.symbols[0] = "Xe"
    potential = random_potential()
    reference = potential.evaluate(case.atoms[chosen])
    force = NequIPPotential(potential).createForce(
        case.topology, atoms=(i for i in chosen), forceGroup=3, backend=backend
    )
    assert force.getForceGroup() == 3
    assert force.usesPeriodicBoundaryConditions()
    system = openmm.System()
    for mass in case.atoms.get_masses():
        system.addParticle(mass)
    system.addParticle(0.0)  # a further particle that is in no topology
    system.addForce(force)
    for platform in PLATFORMS:
        simulation = context(system, platform)
        simulation.setPeriodicBoxVectors(*(np.array(case.atoms.cell) * ANGSTROM_TO_NM))
        simulation.setPositions(np.concatenate([case.positions, [[0.5, 0.5, 0.5]]]))
        energy, forces = energy_and_forces(simulation)
        assert_equal(energy, forces[chosen], reference, Case(case.atoms[chosen]), 1e-10)
        assert not np.delete(forces, chosen, axis=0).any()


@pytest.mark.gpu
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", ["CUDA", "OpenCL"])
def test_on_a_gpu(potential: Potential, platform: str, backend: str) -> None:
    names = [
        openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())
    ]
    if platform not in names:
        pytest.skip(f"OpenMM has no {platform} platform here")
    if backend == "TorchForce" and platform in incomplete_platforms():
        pytest.skip(f"TorchForce would end the process on {platform}")
    for case in (water_box(), tiny_cell()):
        system = NequIPPotential(potential).createSystem(case.topology, backend=backend)
        chosen = openmm.Platform.getPlatformByName(platform)
        simulation = openmm.Context(
            system, openmm.VerletIntegrator(0.0005), chosen, {"Precision": "double"}
        )
        for seed in range(20):  # the fuser compiles again in the first steps
            case.atoms.rattle(0.02, seed=seed)
            simulation.setPositions(case.positions)
            reference = potential.evaluate(case.atoms)
            tolerance = 1e-5 if potential.dtype == torch.float32 else 1e-10
            assert_equal(*energy_and_forces(simulation), reference, case, tolerance)
