"""Integrators and particles of every kind: MTS, Nosé-Hoover, virtual sites, Contexts in threads, memos."""

from __future__ import annotations

import copy
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.backends import available
from nequip_openmm.forces.computation import Computation
from nequip_openmm.forces.script import OpenMMModule, script_module
from nequip_openmm.potential import Potential
from nequip_openmm.units import EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_model,
    random_potential,
    stable_potential,
    triclinic,
)

ZBL = {"zbl": True, "per_type_energy_scales": 0.05}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every evaluation of a model."""
    found: list[int] = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: found.append(1) or original(self, *args)
    )
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_slow_force_is_evaluated_once_a_step(
    platform: str, backend: str, calls: list[int]
) -> None:
    """MTS: the potential in group 1 once a step, cheap bonds in group 0 four times."""
    system = NequIPPotential(stable_potential()).createSystem(
        methanol().topology, backend=backend, forceGroup=1, removeCMMotion=False
    )
    bonds = openmm.HarmonicBondForce()
    bonds.addBond(0, 1, 0.14, 1000.0)
    system.addForce(bonds)
    integrator = openmm.MTSLangevinIntegrator(300.0, 1.0, 0.0005, [(1, 1), (0, 4)])
    simulation = context(system, platform, integrator)
    simulation.setPositions(methanol().positions)
    integrator.step(1)
    before = len(calls)
    integrator.step(20)
    assert len(calls) - before == 20
    parts = [simulation.getState(energy=True, groups={g}).getPotentialEnergy() for g in (0, 1)]
    total = simulation.getState(energy=True).getPotentialEnergy()
    assert (parts[0] + parts[1])._value == pytest.approx(total._value, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nose_hoover_keeps_its_conserved_energy(backend: str) -> None:
    system = NequIPPotential(stable_potential()).createSystem(
        triclinic().topology, backend=backend, removeCMMotion=False
    )
    integrator = openmm.NoseHooverIntegrator(300.0, 20.0, 0.0002)
    simulation = context(system, "Reference", integrator)
    simulation.setPositions(triclinic().positions)
    openmm.LocalEnergyMinimizer.minimize(simulation, 10.0)
    simulation.setVelocitiesToTemperature(300.0, 1)
    energies = []
    for _ in range(20):
        integrator.step(10)
        state = simulation.getState(energy=True)
        total = state.getPotentialEnergy() + state.getKineticEnergy()
        energies.append((total + integrator.computeHeatBathEnergy())._value)
    assert np.ptp(energies) < 0.1  # kJ/mol, of 9 atoms at 300 K


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_virtual_site_that_the_potential_sees_pushes_its_parents(
    platform: str, backend: str
) -> None:
    """A hydrogen atom on the line between two others: forces on parents are slopes of the energy."""
    case = methanol()
    topology = case.topology
    residue = next(topology.residues())
    topology.addAtom("cap", openmm.app.element.hydrogen, residue)
    system = openmm.System()
    for mass in case.atoms.get_masses():
        system.addParticle(mass)
    system.addParticle(0.0)
    system.setVirtualSite(6, openmm.TwoParticleAverageSite(0, 1, -0.7, 1.7))
    potential = NequIPPotential(random_potential())
    system.addForce(potential.createForce(topology, backend=backend))
    simulation = context(system, platform)

    def set_positions(parents: np.ndarray) -> tuple[float, np.ndarray]:
        simulation.setPositions(np.concatenate([parents, np.zeros((1, 3))]))
        simulation.computeVirtualSites()
        energy, _ = energy_and_forces(simulation)
        return energy, simulation.getState(positions=True).getPositions(asNumpy=True)._value

    energy, positions = set_positions(case.positions)
    atoms = case.atoms.copy()
    atoms.append("H")
    atoms.positions[:] = positions * NM_TO_ANGSTROM
    evaluated = potential.potential.evaluate(atoms)
    assert energy == pytest.approx(evaluated.energy * EV_TO_KJ_PER_MOL, rel=1e-12)
    raw = evaluated.forces * EV_TO_KJ_PER_MOL * NM_TO_ANGSTROM
    spread = {0: raw[0] - 0.7 * raw[6], 1: raw[1] + 1.7 * raw[6]}
    step = 2e-5
    for parent, expected in spread.items():
        energies = []
        for sign in (1.0, -1.0):
            moved = case.positions.copy()
            moved[parent, 0] += sign * step
            energies.append(set_positions(moved)[0])
        slope = (energies[0] - energies[1]) / (2 * step)
        assert -slope == pytest.approx(expected[0], abs=1e-6 * np.abs(raw).max())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_contexts_in_threads_of_their_own(platform: str, backend: str) -> None:
    """Trajectories of one System at once are those of one thread."""
    system = NequIPPotential(stable_potential()).createSystem(methanol().topology, backend=backend)

    def run(seed: int) -> np.ndarray:
        simulation = context(copy.deepcopy(system) if seed % 2 else system, platform)
        simulation.setPositions(methanol().positions)
        simulation.setVelocitiesToTemperature(300.0, seed)
        simulation.getIntegrator().step(20)
        return np.array(simulation.getState(positions=True).getPositions(asNumpy=True)._value)

    alone = [run(seed) for seed in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(1, 5)))
    np.testing.assert_array_equal(alone, together)


# --- the reference engine in TorchForce ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [methanol(), triclinic()], ids=["molecule", "crystal"])
def test_the_self_contained_module_remembers_its_last_evaluation(case: object) -> None:
    """Also scripted and frozen, as OpenMM runs it; a result that somebody changes is not what is remembered."""
    potential = Potential(random_model(), engine="reference")
    types = potential.batch(case.atoms).types.tolist()  # type: ignore[attr-defined]
    is_periodic = bool(case.atoms.pbc.all())  # type: ignore[attr-defined]
    module = OpenMMModule(potential.model, types, potential.cutoff, is_periodic)
    calls = []
    module.evaluate = lambda *args, f=module.evaluate: calls.append(1) or f(*args)  # type: ignore[method-assign]
    frozen = torch.jit.freeze(
        script_module(OpenMMModule(potential.model, types, potential.cutoff, is_periodic))
    )
    positions = torch.tensor(case.positions)  # type: ignore[attr-defined]
    box = torch.tensor(case.atoms.cell.array * 0.1)  # type: ignore[attr-defined]
    for given in (module, frozen):
        energy, forces = given(positions, box)
        kept = forces.clone()
        forces.zero_()
        again = given(positions.clone(), box.clone())
        assert again[0].item() == energy.item()
        assert torch.equal(again[1], kept)
        moved = positions.clone()
        moved[0, 0] += 1e-6
        assert given(moved, box)[0].item() != energy.item()
        assert given(positions.float(), box.float())[1].dtype == torch.float32
        if is_periodic:
            assert given(positions, 1.01 * box)[0].item() != energy.item()
    assert len(calls) == 4 if is_periodic else 3


@pytest.mark.skipif(not available()[0].works, reason=available()[0].reason)
def test_a_report_costs_no_step_with_the_self_contained_force() -> None:
    """Time tells: a step with a report takes as long as one without, since only one of both evaluates."""
    potential = NequIPPotential(Potential(random_model(**ZBL), engine="reference"))
    simulation = context(potential.createSystem(triclinic().topology, backend="TorchForce"))
    simulation.setPositions(triclinic().positions)
    simulation.getIntegrator().step(5)  # compiles itself
    times = {}
    for reports in (False, True):
        taken = []
        for _ in range(20):
            begin = time.process_time()
            simulation.getIntegrator().step(1)
            if reports:
                simulation.getState(energy=True)
            taken.append(time.process_time() - begin)
        times[reports] = min(taken)
    assert times[True] < 1.5 * times[False]
