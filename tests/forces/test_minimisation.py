"""Minimisers converge: sums are float64 always, and networks in single precision are replaced by exact ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import NequIPPotential, minimise
from nequip_openmm.forces.computation import moved
from nequip_openmm.forces.minimisation import in_double_precision
from nequip_openmm.potential import Potential
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_model,
    triclinic,
)

HUGE = {"H": -1.0e4, "C": -2.0e5, "O": -5.0e5}  # eV


def soft(dtype: torch.dtype, **settings: object) -> Potential:
    """A network whose minimum lies within reach."""
    chosen = {"zbl": True, "per_type_energy_scales": 0.05, **settings}
    return Potential(random_model(dtype, **chosen))


def rms(context: openmm.Context) -> float:
    return float(np.sqrt((energy_and_forces(context)[1] ** 2).mean()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_large_energies_do_not_stop_openmms_minimiser(platform: str, backend: str) -> None:
    """A network in float32 whose atoms have 10⁵ eV each: 1 kJ/mol/nm is reached as with float64."""
    potential = soft(torch.float32, per_type_energy_shifts=HUGE)
    system = NequIPPotential(potential).createSystem(triclinic().topology, backend=backend)
    simulation = context(system, platform)
    simulation.setPositions(triclinic().positions)
    assert rms(simulation) > 50.0
    openmm.LocalEnergyMinimizer.minimize(simulation, 1.0)
    assert abs(energy_and_forces(simulation)[0]) > 1e8
    assert rms(simulation) < 1.5


@pytest.mark.parametrize("scale", [None, "lambda_nequip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_it_goes_where_the_exact_network_goes(backend: str, scale: str | None) -> None:
    """To the last bit, although the Context itself keeps its precision."""
    single = soft(torch.float32)
    found = []
    for potential in (single, moved(single, dtype=torch.float64)):
        system = NequIPPotential(potential).createSystem(
            triclinic().topology, backend=backend, scaleParameter=scale
        )
        simulation = context(system)
        simulation.setPositions(triclinic().positions)
        start = energy_and_forces(simulation)[1]
        minimise(simulation, 0.01)
        positions = simulation.getState(positions=True).getPositions(asNumpy=True)
        found.append((start, positions._value, energy_and_forces(simulation)[1]))
        assert rms(simulation) < 0.02
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert not np.array_equal(found[0][0], found[1][0])
    assert not np.array_equal(found[0][2], found[1][2])


def test_the_rest_of_the_system_takes_part() -> None:
    """Other forces, a box, parameters, virtual sites; and a Simulation will do for a Context."""
    potential = NequIPPotential(soft(torch.float32))
    case = triclinic()
    system = potential.createSystem(case.topology, removeCMMotion=False)
    pull = openmm.CustomExternalForce("k*(x-x0)^2")
    pull.addGlobalParameter("k", 0.0)
    pull.addGlobalParameter("x0", 0.7)
    pull.addParticle(0)
    system.addForce(pull)
    simulation = openmm.app.Simulation(
        case.topology,
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    box = np.array(case.atoms.cell) * 0.105
    simulation.context.setPeriodicBoxVectors(*box)
    simulation.context.setPositions(case.positions * 1.05)
    simulation.context.setParameter("k", 1e5)
    minimise(simulation, 0.5)
    state = simulation.context.getState(positions=True, parameters=True)
    assert state.getPositions(asNumpy=True)._value[0, 0] == pytest.approx(0.7, abs=1e-2)
    np.testing.assert_allclose(state.getPeriodicBoxVectors(asNumpy=True)._value, box, atol=1e-12)
    assert rms(simulation.context) < 1.0


def test_a_reporter_is_called() -> None:
    system = NequIPPotential(soft(torch.float32)).createSystem(methanol().topology)
    simulation = context(system)
    simulation.setPositions(methanol().positions)

    class Reporter(openmm.MinimizationReporter):
        calls = 0

        def report(self, *_: object) -> bool:
            self.calls += 1
            return self.calls >= 3

    reporter = Reporter()
    minimise(simulation, 1e-3, 50, reporter)
    assert reporter.calls == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_systems_that_are_exact_already_stay_as_they_are(backend: str) -> None:
    system = NequIPPotential(soft(torch.float64)).createSystem(methanol().topology, backend=backend)
    assert in_double_precision(system) is None
    assert in_double_precision(openmm.System()) is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_reference_engine(backend: str) -> None:
    """By PythonForce as any other; the self-contained TorchForce cannot be changed and says what to do."""
    single = Potential(random_model(torch.float32), engine="reference")
    double = Potential(random_model(), engine="reference")
    systems = [
        NequIPPotential(p).createSystem(methanol().topology, backend=backend)
        for p in (single, double)
    ]
    assert in_double_precision(systems[1]) is None
    if backend == "TorchForce":
        with pytest.raises(BackendError, match="make the System with precision='double'"):
            in_double_precision(systems[0])
    else:
        assert in_double_precision(systems[0]) is not None
