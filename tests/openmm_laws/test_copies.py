"""A System goes through XML, copies, pickles and CustomCVForce on every platform; runs go on bit by bit; each step is one evaluation."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nequip_openmm.forces.computation import Computation
from tests.forces.cases import (
    app,
    energy_and_forces,
    methanol,
    openmm,
    random_potential,
    stable_potential,
    triclinic,
)
from tests.openmm_laws.cases import (
    ON_REFERENCE,
    ON_THE_CPU,
    SETTINGS,
    WAYS,
    Way,
    positions_of,
    strong_potential,
    velocities_of,
)


def through_xml(system: openmm.System) -> openmm.System:
    return openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))


def through_pickle(system: openmm.System) -> openmm.System:
    return pickle.loads(pickle.dumps(system))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("copied", [through_xml, copy.deepcopy, through_pickle])
def test_a_copy_has_the_same_numbers(
    copied: Callable[[openmm.System], openmm.System], way: Way
) -> None:
    system = way.system(strong_potential(), triclinic(), forceGroup=3)
    results = []
    for one in (system, copied(system)):
        assert one.getForce(0).getForceGroup() == 3
        context = way.context(one)
        context.setPositions(triclinic().positions)
        results.append(energy_and_forces(context))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("way", WAYS)
def test_inside_a_custom_cv_force(way: Way) -> None:
    """Interpolation between two potentials, which is how openmm-ml does it; the derivative too."""
    case = triclinic()
    systems = [
        way.system(random_potential(seed=seed), case, removeCMMotion=False) for seed in (1, 2)
    ]
    ends = []
    for system in systems:
        context = way.context(system)
        context.setPositions(case.positions)
        ends.append(energy_and_forces(context))
    mixed = openmm.CustomCVForce("scale*first + (1-scale)*second")
    for name, system in zip(("first", "second"), systems):
        mixed.addCollectiveVariable(name, copy.deepcopy(system.getForce(0)))
    mixed.addGlobalParameter("scale", 0.3)
    mixed.addEnergyParameterDerivative("scale")
    both = copy.deepcopy(systems[0])
    both.removeForce(0)
    both.addForce(mixed)
    context = way.context(both)
    context.setPositions(case.positions)
    energy, forces = energy_and_forces(context)
    assert energy == pytest.approx(0.3 * ends[0][0] + 0.7 * ends[1][0], rel=1e-13)
    size = np.abs(ends[0][1]).max()
    np.testing.assert_allclose(forces, 0.3 * ends[0][1] + 0.7 * ends[1][1], atol=1e-11 * size)
    state = context.getState(parameterDerivatives=True)
    slope = state.getEnergyParameterDerivatives()["scale"]
    assert slope == pytest.approx(ends[0][0] - ends[1][0], abs=1e-12 * abs(energy))


# --- going on


def langevin() -> openmm.LangevinMiddleIntegrator:
    integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.0005)
    integrator.setRandomNumberSeed(9)
    return integrator


@pytest.mark.parametrize("way", ON_THE_CPU)
@pytest.mark.parametrize("integrator", [langevin, lambda: openmm.VerletIntegrator(0.0005)])
def test_a_checkpoint_goes_on_as_if_nothing_had_happened(
    integrator: Callable[[], Any], way: Way
) -> None:
    """To the bit, in the same Context, and in another one of a System read from XML, whose neighbour lists are new."""
    system = way.system(stable_potential(), triclinic())
    context = way.context(system, integrator())
    context.setPositions(triclinic().positions)
    context.setVelocitiesToTemperature(300.0, 1)
    context.getIntegrator().step(30)
    checkpoint = context.createCheckpoint()
    expected = went_on(context)
    context.loadCheckpoint(checkpoint)
    np.testing.assert_array_equal(went_on(context), expected)
    other = way.context(through_xml(system), integrator())
    other.loadCheckpoint(checkpoint)
    np.testing.assert_array_equal(went_on(other), expected)


def went_on(context: openmm.Context) -> np.ndarray:
    context.getIntegrator().step(40)
    return np.stack([positions_of(context), velocities_of(context)])


@pytest.mark.parametrize("way", ON_THE_CPU)
def test_contexts_in_threads_do_not_disturb_each_other(way: Way) -> None:
    """Four Contexts of one System, each in a thread of its own, as if they had run one after the other."""
    system = way.system(stable_potential(), methanol())

    def run(seed: int) -> np.ndarray:
        context = way.context(system)
        context.setPositions(methanol().positions)
        context.setVelocitiesToTemperature(300.0, seed)
        return went_on(context)

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(4)))
    np.testing.assert_array_equal(together, alone)


# --- cost


@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_one_evaluation_with_a_reporter_at_every_step(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: calls.append(1) or original(self, *args)
    )
    case = methanol()
    simulation = app.Simulation(
        case.topology,
        way.system(stable_potential(), case),
        openmm.VerletIntegrator(0.0005),
        openmm.Platform.getPlatformByName(way.platform),
        SETTINGS.get(way.platform, {}),
    )
    simulation.context.setPositions(case.positions)
    simulation.context.setVelocitiesToTemperature(300.0, 1)
    table = io.StringIO()
    simulation.reporters.append(
        app.StateDataReporter(table, 1, step=True, potentialEnergy=True, temperature=True)
    )
    simulation.step(25)
    assert len(table.getvalue().splitlines()) == 26
    assert len(calls) <= 26


@pytest.mark.parametrize("way", ON_REFERENCE)
@pytest.mark.parametrize(
    "integrator",
    [
        lambda: openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.0005),
        lambda: openmm.NoseHooverIntegrator(300.0, 10.0, 0.0005),
        lambda: openmm.VariableVerletIntegrator(0.001),
        lambda: openmm.MTSLangevinIntegrator(300.0, 1.0, 0.001, [(1, 1), (0, 4)]),
    ],
    ids=["Langevin", "Nose-Hoover", "variable", "multiple time steps"],
)
def test_every_integrator_evaluates_once_a_step(
    integrator: Callable[[], Any], way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: calls.append(1) or original(self, *args)
    )
    system = way.system(stable_potential(), methanol(), forceGroup=1, removeCMMotion=False)
    springs = openmm.CustomExternalForce("0.5*(x^2+y^2+z^2)")
    for i in range(6):
        springs.addParticle(i, [])
    system.addForce(springs)
    context = way.context(system, integrator())
    context.setPositions(methanol().positions)
    context.setVelocitiesToTemperature(300.0, 1)
    context.getIntegrator().step(2)
    calls.clear()
    context.getIntegrator().step(20)
    assert 20 <= len(calls) <= 21
    assert np.isfinite(positions_of(context)).all()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("way", ON_REFERENCE)
def test_memory_does_not_grow(way: Way) -> None:
    """Less than 1 % of the process in 20,000 steps, with an energy at every tenth."""
    case = methanol()
    context = way.context(way.system(stable_potential(), case), langevin())
    context.setPositions(case.positions)
    run(context, 1000)
    before = resident()
    run(context, 20_000)
    assert resident() < 1.01 * before


def run(context: openmm.Context, steps: int) -> None:
    for _ in range(steps // 10):
        context.getIntegrator().step(10)
        context.getState(energy=True, positions=True).getPotentialEnergy()
    gc.collect()


def resident() -> int:
    """Return the memory of this process in kB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
