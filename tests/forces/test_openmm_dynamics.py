"""What a simulation does with the forces: energy is conserved, the box is read, Contexts do not disturb each other."""

from __future__ import annotations

import numpy as np
import pytest

from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.computation import Computation
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_potential,
    stable_potential,
    triclinic,
    water_box,
)

unit = openmm.unit


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_energy_is_conserved_to_second_order_in_the_timestep(platform: str, backend: str) -> None:
    """Velocity Verlet follows a shadow energy: its fluctuation must fall fourfold when the timestep is halved."""
    system = NequIPPotential(stable_potential()).createSystem(triclinic().topology, backend=backend)
    start = context(system, platform)
    start.setPositions(triclinic().positions)
    openmm.LocalEnergyMinimizer.minimize(start, 10.0)
    coarse, fine = (_energy_spread(system, platform, start, fs) for fs in (0.4, 0.2))
    assert coarse < 0.05  # kJ/mol, for 9 atoms at 300 K
    assert coarse / fine == pytest.approx(4.0, rel=0.1)


def _energy_spread(
    system: openmm.System, platform: str, start: openmm.Context, timestep_fs: float
) -> float:
    """Return the range of the total energy in kJ/mol over 40 fs."""
    simulation = context(system, platform, openmm.VerletIntegrator(timestep_fs * 1e-3))
    simulation.setPositions(_positions(start))
    simulation.setVelocitiesToTemperature(300.0, 1)
    energies = []
    for _ in range(20):
        simulation.getIntegrator().step(round(2.0 / timestep_fs))
        state = simulation.getState(energy=True)
        total = state.getPotentialEnergy() + state.getKineticEnergy()
        energies.append(total.value_in_unit(unit.kilojoule_per_mole))
    return float(np.ptp(energies))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_barostat_changes_the_box_that_the_potential_sees(backend: str) -> None:
    case, potential = water_box(), stable_potential()
    system = NequIPPotential(potential).createSystem(case.topology, backend=backend)
    barostat = openmm.MonteCarloBarostat(1000.0, 300.0, 1)
    barostat.setRandomNumberSeed(1)
    system.addForce(barostat)
    integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.0005)
    integrator.setRandomNumberSeed(1)
    simulation = context(system, "Reference", integrator)
    simulation.setPositions(case.positions)
    volumes = set()
    for _ in range(5):
        integrator.step(4)
        state = simulation.getState(positions=True, energy=True, forces=True)
        box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
        case.atoms.set_cell(box * NM_TO_ANGSTROM)
        positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        case.atoms.positions[:] = positions * NM_TO_ANGSTROM
        fresh = potential.evaluate(case.atoms)
        energy, forces = energy_and_forces(simulation)
        assert energy == pytest.approx(fresh.energy * EV_TO_KJ_PER_MOL, rel=1e-14)
        factor = EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM
        np.testing.assert_allclose(forces, fresh.forces * factor, atol=1e-8)
        volumes.add(round(np.linalg.det(box), 12))
    assert len(volumes) > 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_pressure_agrees_with_the_virial(backend: str) -> None:
    """OpenMM differentiates by scaling the box; the potential differentiates by strain.

    Not by the TorchForce of the reference engine: OpenMM computes pressures without letting go of Python's lock, under which
    PyTorch does not differentiate.
    """
    case, potential = water_box(), random_potential()
    assert potential.engine == "fused"
    system = NequIPPotential(potential).createSystem(case.topology, backend=backend)
    barostat = openmm.MonteCarloBarostat(1.0, 300.0)
    system.addForce(barostat)
    simulation = context(system)
    simulation.setPositions(case.positions)
    simulation.setVelocities(np.zeros((len(case.atoms), 3)))
    pressure = barostat.computeCurrentPressure(simulation)
    virial = potential.evaluate(case.atoms).virial
    assert virial is not None
    expected = np.trace(virial) / (3.0 * case.atoms.get_volume()) * 1.602176634e6  # eV/Å³ in bar
    assert _value(pressure) == pytest.approx(expected, rel=1e-3)


def _value(pressure: object) -> float:
    return float(pressure.value_in_unit(unit.bar) if unit.is_quantity(pressure) else pressure)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_contexts_of_one_system_do_not_disturb_each_other(backend: str) -> None:
    system = NequIPPotential(stable_potential()).createSystem(methanol().topology, backend=backend)
    together = [context(system) for _ in range(2)]
    alone = context(system)
    for simulation, seed in zip([*together, alone], (1, 2, 2)):
        simulation.setPositions(methanol().positions)
        simulation.setVelocitiesToTemperature(300.0, seed)
    for _ in range(10):
        for simulation in together:
            simulation.getIntegrator().step(1)
    alone.getIntegrator().step(10)
    second, third = (_positions(simulation) for simulation in (together[1], alone))
    np.testing.assert_array_equal(second, third)
    assert np.abs(_positions(together[0]) - second).max() > 1e-5


def _positions(simulation: openmm.Context) -> np.ndarray:
    state = simulation.getState(positions=True)
    return np.array(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reporter_at_every_step_costs_no_further_evaluation(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    calls = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: calls.append(1) or original(self, *args)
    )
    system = NequIPPotential(stable_potential()).createSystem(methanol().topology, backend=backend)
    simulation = context(system)
    simulation.setPositions(methanol().positions)
    for _ in range(20):
        simulation.getIntegrator().step(1)
        energy_and_forces(simulation)
    assert len(calls) <= 21
