"""Dynamics with a known answer: ideal gases under every barostat, pressure, conservation of energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nequip_openmm.units import (
    ANGSTROM_TO_NM,
    AVOGADRO_PER_MOL,
    BOLTZMANN_J_PER_K,
    EV_PER_ANGSTROM3_TO_BAR,
    EV_TO_KJ_PER_MOL,
    NM_TO_ANGSTROM,
)
from tests.forces.cases import (
    Case,
    energy_and_forces,
    methanol,
    openmm,
    stable_potential,
    triclinic,
    water_box,
)
from tests.openmm_laws.cases import (
    ON_REFERENCE,
    WAYS,
    StandIn,
    Way,
    Zero,
    box_of,
    gas,
    positions_of,
    strong_potential,
    unit,
    value,
)

TEMPERATURE, PRESSURE = 300.0, 200.0  # K, bar
KT = BOLTZMANN_J_PER_K * TEMPERATURE  # J
KT_OVER_P = KT / (PRESSURE * 1e5) * 1e27  # nm³
BAROSTATS: dict[str, Callable[[], Any]] = {
    "isotropic": lambda: openmm.MonteCarloBarostat(PRESSURE, TEMPERATURE, 1),
    "anisotropic": lambda: openmm.MonteCarloAnisotropicBarostat(
        openmm.Vec3(*[PRESSURE] * 3), TEMPERATURE, True, True, True, 1
    ),
    "flexible": lambda: openmm.MonteCarloFlexibleBarostat(PRESSURE, TEMPERATURE, 1),
}


def thermostat(seed: int = 3) -> openmm.LangevinMiddleIntegrator:
    integrator = openmm.LangevinMiddleIntegrator(TEMPERATURE, 10.0, 0.002)
    integrator.setRandomNumberSeed(seed)
    return integrator


def boxes(way: Way, system: openmm.System, case: Case, barostat: Any, steps: int) -> np.ndarray:
    """Return the box (steps, 3, 3) in nm after every step, each of which attempts to change the volume."""
    barostat.setRandomNumberSeed(5)
    system.addForce(barostat)
    context = way.context(system, thermostat())
    context.setPositions(case.positions)
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    found = []
    for _ in range(steps):
        context.getIntegrator().step(1)
        found.append(box_of(context))
    return np.array(found)


def without_forces(case: Case) -> openmm.System:
    """An ideal gas as OpenMM alone makes it."""
    system = openmm.System()
    for _ in range(len(case.atoms)):
        system.addParticle(15.99943)
    system.setDefaultPeriodicBoxVectors(*(case.atoms.cell.array * ANGSTROM_TO_NM))
    periodic = openmm.CustomNonbondedForce("0*r")  # makes the System one that a barostat may scale
    periodic.setNonbondedMethod(periodic.CutoffPeriodic)
    periodic.setCutoffDistance(0.05)
    for _ in range(len(case.atoms)):
        periodic.addParticle([])
    system.addForce(periodic)
    return system


@pytest.mark.parametrize("way", ON_REFERENCE)
@pytest.mark.parametrize("barostat", BAROSTATS)
def test_a_barostat_meets_in_a_zero_model_the_ideal_gas_of_openmm(barostat: str, way: Way) -> None:
    """The same random numbers make the same boxes, to the bit; and these are the cells that the potential is asked for."""
    case, zero = gas(12, 12.0), Zero()
    system = way.system(StandIn(zero), case, removeCMMotion=False)
    found = boxes(way, system, case, BAROSTATS[barostat](), 300)
    expected = boxes(way, without_forces(case), case, BAROSTATS[barostat](), 300)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(np.round(np.linalg.det(found), 9))) > 30
    asked = np.array(zero.cells)
    for box in found[::20] * NM_TO_ANGSTROM:
        assert np.isclose(asked, box, rtol=1e-12).all(axis=(1, 2)).any()


@pytest.mark.slow
@pytest.mark.parametrize("way", ON_REFERENCE)
def test_the_volume_of_an_ideal_gas(way: Way) -> None:
    """⟨V⟩ = (N+1) kT/P and its variance V²/(N+1), from 15,000 attempts."""
    n = 60
    case = gas(n, 23.3)
    system = way.system(StandIn(Zero()), case, removeCMMotion=False)
    volumes = np.linalg.det(boxes(way, system, case, BAROSTATS["isotropic"](), 15_500))[500:]
    blocks = np.array([block.mean() for block in np.array_split(volumes, 20)])
    error = np.std(blocks, ddof=1) / np.sqrt(len(blocks))
    expected = (n + 1) * KT_OVER_P
    assert error < 0.01 * expected
    assert abs(volumes.mean() - expected) < 4.0 * error
    assert np.std(volumes) == pytest.approx(expected / np.sqrt(n + 1), rel=0.1)


@pytest.mark.parametrize("way", ON_REFERENCE)
@pytest.mark.parametrize("barostat", BAROSTATS)
def test_under_a_barostat_energy_and_forces_stay_those_of_the_structure(
    barostat: str, way: Way
) -> None:
    """In a cell with heights below the cutoff from the start, which every attempt changes or sets back."""
    case, potential = triclinic(), stable_potential()
    assert min(case.atoms.cell.lengths()) < 2.0 * potential.cutoff
    system = way.system(potential, case)
    changing = BAROSTATS[barostat]()
    changing.setRandomNumberSeed(2)
    system.addForce(changing)
    context = way.context(system, thermostat())
    context.getIntegrator().setStepSize(0.0005)
    context.setPositions(case.positions)
    atoms, volumes = case.atoms, set()
    for _ in range(15):
        context.getIntegrator().step(3)
        box = box_of(context)
        atoms.set_cell(box * NM_TO_ANGSTROM)
        atoms.positions[:] = positions_of(context) * NM_TO_ANGSTROM
        expected = potential.evaluate(atoms)
        energy, forces = energy_and_forces(context)
        assert energy == pytest.approx(expected.energy * EV_TO_KJ_PER_MOL, rel=1e-13)
        factor = EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM
        np.testing.assert_allclose(forces, expected.forces * factor, atol=1e-8)
        volumes.add(round(float(np.linalg.det(box)), 12))
    assert len(volumes) > 3


# --- pressure


@pytest.mark.parametrize("way", WAYS)
def test_pressure_is_minus_the_slope_of_the_energy_with_the_volume(way: Way) -> None:
    """By the barostat, by scaling the box of a Context, and by the virial; no velocities, so no kinetic part.

    Not by the barostat on a GPU: OpenMM 8.5 calls a PythonForce from another thread there, and computes the pressure without
    letting go of Python's lock, for which that thread waits for ever.
    """
    case, potential = water_box(), strong_potential()
    system = way.system(potential, case)
    barostat = openmm.MonteCarloBarostat(1.0, TEMPERATURE)
    system.addForce(barostat)
    context = way.context(system)
    context.setPositions(case.positions)
    context.setVelocities(np.zeros((len(case.atoms), 3)))
    virial = potential.evaluate(case.atoms).virial
    assert virial is not None
    expected = np.trace(virial) / (3.0 * case.atoms.get_volume()) * EV_PER_ANGSTROM3_TO_BAR
    assert slope_with_volume(context, case) == pytest.approx(expected, rel=1e-5)
    if way.platform in ("Reference", "CPU"):
        found = value(barostat.computeCurrentPressure(context), unit.bar)
        assert found == pytest.approx(expected, rel=1e-3)


def slope_with_volume(context: openmm.Context, case: Case) -> float:
    """Return -dE/dV in bar, all coordinates scaled with the box."""
    box = case.atoms.cell.array * ANGSTROM_TO_NM
    energies, volumes = [], []
    for scale in (1.0 + 1e-5, 1.0 - 1e-5):
        context.setPeriodicBoxVectors(*(scale * box))
        context.setPositions(scale * case.positions)
        energies.append(energy_and_forces(context)[0])
        volumes.append(np.linalg.det(scale * box))
    context.setPeriodicBoxVectors(*box)
    context.setPositions(case.positions)
    slope = -(energies[0] - energies[1]) / (volumes[0] - volumes[1])  # kJ/mol/nm³
    return float(slope * 1e3 / AVOGADRO_PER_MOL * 1e27 / 1e5)


@pytest.mark.parametrize("way", ON_REFERENCE)
def test_a_gas_of_free_atoms_has_its_kinetic_pressure(way: Way) -> None:
    case = gas(8, 40.0)
    system = way.system(StandIn(Zero()), case, removeCMMotion=False)
    barostat = openmm.MonteCarloBarostat(1.0, TEMPERATURE)
    system.addForce(barostat)
    context = way.context(system)
    context.setPositions(case.positions)
    context.setVelocitiesToTemperature(TEMPERATURE, 1)
    kinetic = value(context.getState(energy=True).getKineticEnergy(), unit.kilojoule_per_mole)
    expected = 2.0 / 3.0 * kinetic * 1e3 / AVOGADRO_PER_MOL / 64e-27 / 1e5
    found = value(barostat.computeCurrentPressure(context), unit.bar)
    assert found == pytest.approx(expected, rel=1e-6)


# --- conservation


@pytest.mark.parametrize("way", WAYS)
def test_total_energy_does_not_drift(way: Way) -> None:
    """Over 0.5 ps the line through the total energy rises or falls by less than a ten-thousandth of kT per atom."""
    case = methanol()
    system = way.system(stable_potential(), case)
    start = Way(way.backend, "Reference").context(system)
    start.setPositions(case.positions)
    openmm.LocalEnergyMinimizer.minimize(start, 1.0)
    context = way.context(system, openmm.VerletIntegrator(0.00025))
    context.setPositions(positions_of(start))
    context.setVelocitiesToTemperature(TEMPERATURE, 2)
    times, energies = [], []
    for _ in range(200):
        context.getIntegrator().step(10)
        state = context.getState(energy=True)
        total = state.getPotentialEnergy() + state.getKineticEnergy()
        energies.append(total.value_in_unit(unit.kilojoule_per_mole))
        times.append(value(state.getTime(), unit.picosecond))
    slope = np.polyfit(times, energies, 1)[0]  # kJ/mol/ps
    kt = KT * AVOGADRO_PER_MOL * 1e-3
    assert abs(slope * 0.5) < 1e-4 * kt * len(case.atoms)
    assert np.ptp(energies) > 0.0
