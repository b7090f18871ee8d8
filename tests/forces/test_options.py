"""What a force may be asked for: periodicity, precision, λ, a name, a group, a GPU; the same with every backend."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nequip_openmm.errors import BackendError, UserError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces import potential as forces
from nequip_openmm.forces.computation import Computation, moved
from nequip_openmm.potential import Potential
from nequip_openmm.units import EV_TO_KJ_PER_MOL
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    Case,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_model,
    random_potential,
    triclinic,
)

ENGINES = ("fused", "reference")
LAMBDA = "lambda_nequip"


@pytest.fixture(scope="module")
def potential() -> NequIPPotential:
    return NequIPPotential(random_potential())


def found(
    system: openmm.System, case: Case, platform: str = "Reference"
) -> tuple[float, np.ndarray]:
    simulation = context(system, platform)
    simulation.setPositions(case.positions)
    return energy_and_forces(simulation)


# --- periodicity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_box_may_be_left_unseen(potential: NequIPPotential, backend: str) -> None:
    case = triclinic()
    open_case = Case(case.atoms.copy())
    open_case.atoms.pbc = False
    unseeing = potential.createSystem(case.topology, backend=backend, periodic=False)
    assert not unseeing.usesPeriodicBoundaryConditions()
    expected = found(potential.createSystem(open_case.topology, backend=backend), case)
    energy, forces_found = found(unseeing, case)
    assert energy == pytest.approx(expected[0], rel=1e-15)
    np.testing.assert_allclose(forces_found, expected[1], atol=1e-9)
    assert energy != found(potential.createSystem(case.topology, backend=backend), case)[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_force_may_repeat_in_a_box_that_the_topology_lacks(
    potential: NequIPPotential, backend: str
) -> None:
    case = triclinic()
    bare = Case(case.atoms.copy())
    bare.atoms.pbc = False
    system = openmm.System()
    for mass in case.atoms.get_masses():
        system.addParticle(mass)
    system.setDefaultPeriodicBoxVectors(*(np.array(case.atoms.cell) * 0.1))
    system.addForce(potential.createForce(bare.topology, backend=backend, periodic=True))
    assert system.usesPeriodicBoundaryConditions()
    assert found(system, case)[0] == pytest.approx(
        found(potential.createSystem(case.topology, backend=backend), case)[0], rel=1e-15
    )


def test_a_periodic_system_needs_a_box(potential: NequIPPotential) -> None:
    with pytest.raises(UserError, match=r"periodic=True needs a box: call topology.setPeriodic"):
        potential.createSystem(methanol().topology, periodic=True)
    with pytest.raises(UserError, match="periodic must be True, False or None, got 'yes'"):
        potential.createForce(methanol().topology, periodic="yes")  # type: ignore[arg-type]


# --- λ ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_lambda_scales_and_its_derivative_is_the_energy(
    platform: str, backend: str, engine: str
) -> None:
    potential = NequIPPotential(Potential(random_model(), engine=engine))  # type: ignore[arg-type]
    case = triclinic()
    energy, full = found(potential.createSystem(case.topology, backend=backend), case, platform)
    system = potential.createSystem(
        case.topology, backend=backend, scaleParameter=LAMBDA, forceGroup=3, name="mine"
    )
    force = system.getForce(0)
    assert (force.getName(), force.getForceGroup()) == ("mine", 3)
    assert system.usesPeriodicBoundaryConditions()
    for again in (system, copy.deepcopy(system)):
        simulation = context(again, platform)
        simulation.setPositions(case.positions)
        assert simulation.getParameter(LAMBDA) == 1.0
        for scale in (1.0, 0.25, 0.0, -2.0):
            simulation.setParameter(LAMBDA, scale)
            state = simulation.getState(energy=True, forces=True, parameterDerivatives=True)
            assert state.getPotentialEnergy()._value == pytest.approx(scale * energy, rel=1e-14)
            np.testing.assert_allclose(
                state.getForces(asNumpy=True)._value, scale * full, atol=1e-8
            )
            derivative = state.getEnergyParameterDerivatives()[LAMBDA]
            assert derivative == pytest.approx(energy, rel=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lambda_costs_no_second_evaluation(
    potential: NequIPPotential, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: calls.append(1) or original(self, *args)
    )
    system = potential.createSystem(methanol().topology, backend=backend, scaleParameter=LAMBDA)
    simulation = context(system)
    simulation.setPositions(methanol().positions)
    for scale in (1.0, 0.5, 0.0):
        simulation.setParameter(LAMBDA, scale)
        energy_and_forces(simulation)
        simulation.getState(energy=True, parameterDerivatives=True)
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["", "1x", "a b", "a+b", 3, "nequip_energy", "λ x"])
def test_names_of_parameters_that_openmm_could_not_read(
    potential: NequIPPotential, name: object
) -> None:
    with pytest.raises(UserError, match="scaleParameter must be a name of letters"):
        potential.createForce(methanol().topology, scaleParameter=name)  # type: ignore[arg-type]


# --- precision, name -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_precision_is_that_of_the_network(backend: str, engine: str) -> None:
    single, double = (
        Potential(random_model(), engine=engine),  # type: ignore[arg-type]
        Potential(random_model(), engine=engine),  # type: ignore[arg-type]
    )
    single = moved(single, dtype=torch.float32)
    case = triclinic()
    for given in (single, double):
        potential = NequIPPotential(given)
        for precision, dtype in (("single", torch.float32), ("double", torch.float64)):
            system = potential.createSystem(case.topology, backend=backend, precision=precision)
            expected = moved(given, dtype=dtype).evaluate(case.atoms)
            energy, forces_found = found(system, case)
            unit = EV_TO_KJ_PER_MOL
            assert energy / unit == pytest.approx(expected.energy, rel=1e-12)
            tolerance = 1e-3 if dtype == torch.float32 else 1e-8  # kJ/mol/nm
            np.testing.assert_allclose(forces_found, expected.forces * unit * 10, atol=tolerance)
        assert given.dtype == (torch.float32 if given is single else torch.float64)


def test_the_potential_of_a_precision_is_made_once() -> None:
    potential = NequIPPotential(random_potential(torch.float32))
    first, second = (potential._prepared("double", None) for _ in range(2))
    assert first is second
    assert first.dtype == torch.float64
    assert potential._prepared(None, None) is potential.potential
    assert potential._prepared("single", None) is potential.potential


def test_precisions_that_do_not_exist(potential: NequIPPotential) -> None:
    with pytest.raises(UserError, match="precision must be 'single', 'double' or None, got 'half'"):
        potential.createForce(methanol().topology, precision="half")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_name(potential: NequIPPotential, backend: str) -> None:
    force = potential.createForce(methanol().topology, backend=backend, name="inner region")
    assert force.getName() == "inner region"


# --- the GPU of the platform -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "default", "expected"),
    [
        ({"DeviceIndex": "1"}, "", 1),
        ({"DeviceIndex": "2,3"}, "0", 2),
        ({"Precision": "mixed"}, "3", 3),
        (None, "1", 1),
        (None, "", None),
        ({}, "", None),
    ],
)
def test_the_gpu_is_that_of_the_platform(
    monkeypatch: pytest.MonkeyPatch,
    properties: dict[str, str] | None,
    default: str,
    expected: int | None,
) -> None:
    monkeypatch.setattr(forces, "_default_device_index", lambda: default)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert forces._device_index(properties) == expected


@pytest.mark.parametrize("given", ["7", "-1", "first"])
def test_gpus_that_do_not_exist(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(BackendError, match=f"DeviceIndex '{given}' does not exist here: .* 4 GPUs"):
        forces._device_index({"DeviceIndex": given})


def test_the_default_of_the_cuda_platform_is_asked_for() -> None:
    assert forces._default_device_index() in ("", "0")  # "" too where there is no such platform


def test_a_model_on_a_gpu_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy goes to the other GPU; a model on the CPU stays there whatever the platform uses."""
    potential = NequIPPotential(random_potential())
    assert potential._prepared(None, {"DeviceIndex": "1"}) is potential.potential
    asked = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(Potential, "device", torch.device("cuda", 0))
    monkeypatch.setattr(forces, "moved", lambda given, **to: asked.append(to) or given)
    potential._prepared(None, {"DeviceIndex": "1"})
    potential._prepared("single", {"DeviceIndex": "0"})
    assert asked == [
        {"dtype": torch.float64, "device": torch.device("cuda", 1)},
        {"dtype": torch.float32, "device": torch.device("cuda", 0)},
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_the_last_gpu() -> None:
    last = torch.cuda.device_count() - 1
    potential = NequIPPotential(moved(random_potential(), device="cuda:0"))
    system = potential.createSystem(
        methanol().topology, backend="PythonForce", properties={"DeviceIndex": str(last)}
    )
    expected = random_potential().evaluate(methanol().atoms).energy * EV_TO_KJ_PER_MOL
    assert found(system, methanol())[0] == pytest.approx(expected, rel=1e-12)
