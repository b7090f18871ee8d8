"""The pressure from a barostat: right where it can be had, an error where OpenMM would wait for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.pressure import refuse_waiting
from tests.forces.cases import context, openmm, random_potential, water_box


def _context_on(platform: str, system: Any) -> Any:
    named = SimpleNamespace(getName=lambda: platform)
    return SimpleNamespace(getPlatform=lambda: named, getSystem=lambda: system)


@pytest.mark.parametrize("scale", [None, "lambda_nequip"])
def test_a_pressure_that_would_never_come_is_an_error(scale: str | None) -> None:
    case = water_box()
    system = NequIPPotential(random_potential()).createSystem(
        case.topology, backend="PythonForce", scaleParameter=scale
    )
    for platform in ("OpenCL", "CUDA", "HIP"):
        with pytest.raises(BackendError, match=f"wait for ever on the platform {platform}"):
            refuse_waiting(_context_on(platform, system))
        refuse_waiting(_context_on(platform, openmm.System()))
    refuse_waiting(_context_on("CPU", system))


def test_elsewhere_the_method_is_as_it_was() -> None:
    case = water_box()
    system = NequIPPotential(random_potential()).createSystem(case.topology, backend="PythonForce")
    barostat = openmm.MonteCarloBarostat(1.0, 300.0)
    system.addForce(barostat)
    simulation = context(system, "CPU")
    simulation.setPositions(case.positions)
    pressure = system.getForce(system.getNumForces() - 1).computeCurrentPressure(simulation)
    assert abs(pressure.value_in_unit(openmm.unit.bar)) < 1e6
    with pytest.raises(BackendError, match="wait for ever"):
        barostat.computeCurrentPressure(_context_on("OpenCL", system))
