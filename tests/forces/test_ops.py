"""TorchScript calls the fused engine through an operator: what travels with the module, and what happens without the operator."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nequip_openmm.forces import NequIPPotential, ops
from nequip_openmm.forces.backends import available
from nequip_openmm.forces.computation import Computation
from nequip_openmm.forces.script import EngineModule, script_module
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.forces.cases import (
    Case,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_model,
    random_potential,
    triclinic,
    water_box,
)

pytestmark = pytest.mark.skipif(not available()[0].works, reason=available()[0].reason)


def make(case: Case, atoms: list[int] | None = None) -> EngineModule:
    potential = random_potential()
    types = potential.batch(case.atoms).types.numpy()
    chosen = types if atoms is None else types[atoms]
    is_periodic = bool(case.atoms.pbc.all())
    return EngineModule(*ops.recipe(Computation(potential, chosen, is_periodic, atoms)))


def inputs(case: Case, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    box = torch.tensor(case.atoms.cell.array * ANGSTROM_TO_NM, dtype=dtype)
    return torch.tensor(case.positions, dtype=dtype), box


def reloaded(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


@pytest.mark.parametrize("case", [methanol(), triclinic()], ids=["molecule", "crystal"])
def test_scripting_saving_and_freezing_change_no_bit(case: Case) -> None:
    module = make(case)
    scripted = script_module(module)
    frozen = torch.jit.freeze(reloaded(scripted).eval())  # as OpenMM does
    positions, box = inputs(case)
    wanted = random_potential().evaluate(case.atoms)
    for given in (module, scripted, reloaded(scripted), frozen):
        for _ in range(3):
            energy, forces = given(positions, box)
            assert energy.item() == wanted.energy * EV_TO_KJ_PER_MOL
            expected = wanted.forces * (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM)
            np.testing.assert_allclose(forces.numpy(), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("atoms", [None, [5, 0, 3]])
def test_forces_have_the_type_and_layout_of_the_positions(
    dtype: torch.dtype, atoms: list[int] | None
) -> None:
    case = methanol()
    module = script_module(make(case, atoms))
    positions, box = inputs(case, dtype)
    strided = positions.t().contiguous().t()
    assert not strided.is_contiguous()
    wanted = module(positions, box)[1].clone()
    for given in (positions, strided, positions.clone().requires_grad_(True)):
        energy, forces = module(given, box)
        assert (energy.dtype, energy.dim()) == (torch.float64, 0)
        assert (forces.dtype, forces.shape) == (dtype, positions.shape)
        assert forces.is_contiguous()
        assert not forces.requires_grad
        assert torch.equal(forces, wanted)


def test_memory_that_openmm_uses_again_does_not_fool_the_memo() -> None:
    case = methanol()
    module = script_module(make(case))
    positions, box = inputs(case)
    before = module(positions, box)[0].item()
    positions[0, 0] += 0.01
    assert module(positions, box)[0].item() != before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("nan", "blown up, or its start is wrong: position of atom 3 is not finite"),
        ("far", "blown up, or its start is wrong: atom 3 lies more than"),
        ("overlap", "blown up, or its start is wrong: atoms 3"),
        ("fewer", "made for 6 atoms but the System has 5"),
    ],
)
def test_what_cannot_be_evaluated_stops_the_run(change: str, says: str) -> None:
    case = methanol()
    module = script_module(make(case))
    positions, _ = inputs(case)
    if change == "nan":
        positions[3, 1] = torch.nan
    if change == "far":
        positions[3, 1] = 1e9
    if change == "overlap":
        positions[3] = positions[4]
    if change == "fewer":
        positions = positions[:5]
    with pytest.raises(RuntimeError, match=says):
        module(positions)


def test_a_periodic_module_asks_for_the_box() -> None:
    with pytest.raises(RuntimeError, match="needs box vectors"):
        script_module(make(triclinic()))(inputs(triclinic())[0])


def test_a_model_that_was_tampered_with_is_refused() -> None:
    case = methanol()
    module = make(case)
    module.content[500] += 1
    module.name = 0
    with pytest.raises(RuntimeError, match="the model in this System is damaged"):
        script_module(module)(*inputs(case))


def test_computations_that_were_dropped_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "MOST_COMPUTATIONS", 1)
    cases = (methanol(), triclinic())
    modules = [script_module(make(case)) for case in cases]
    first = [module(*inputs(case))[0].item() for module, case in zip(modules, cases)]
    again = [module(*inputs(case))[0].item() for module, case in zip(modules, cases)]
    assert first == again
    assert len(ops._computations) == 1


# --- in another process -------------------------------------------------------------------------------------------------

READ = (
    "import torch, openmmtorch, openmm, sys\n"
    "system = openmm.XmlSerializer.deserialize(open('system.xml').read())\n"
    "reference = openmm.Platform.getPlatformByName('Reference')\n"
    "context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)\n"
    "context.setPositions([openmm.Vec3(*x) for x in POSITIONS])\n"
    "print(repr(context.getState(energy=True).getPotentialEnergy()._value))\n"
    "print('nequip_openmm' in sys.modules)\n"
)


def read(folder: Path, engine: str, before: str = "") -> subprocess.CompletedProcess[str]:
    potential = Potential(random_model(), engine=engine)  # type: ignore[arg-type]
    system = NequIPPotential(potential).createSystem(methanol().topology, backend="TorchForce")
    (folder / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    code = before + READ.replace("POSITIONS", repr(methanol().positions.tolist()))
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_without_the_operator_the_error_names_the_import(tmp_path: Path) -> None:
    result = read(tmp_path, "fused")
    assert result.returncode == 1
    assert "OpenMMException" in result.stderr
    assert "import nequip_openmm.forces.ops" in result.stderr


def test_the_import_is_all_it_takes(tmp_path: Path) -> None:
    result = read(tmp_path, "fused", "import nequip_openmm.forces.ops\n")
    assert result.returncode == 0, result.stderr
    energy = random_potential().evaluate(methanol().atoms).energy
    assert float(result.stdout.split()[0]) == pytest.approx(energy * EV_TO_KJ_PER_MOL, rel=1e-14)


def test_the_reference_needs_nothing_of_this_package(tmp_path: Path) -> None:
    result = read(tmp_path, "reference")
    assert result.returncode == 0, result.stderr
    energy, is_loaded = result.stdout.split()
    wanted = random_potential().evaluate(methanol().atoms).energy
    assert float(energy) == pytest.approx(wanted * EV_TO_KJ_PER_MOL, rel=1e-14)
    assert is_loaded == "False"


# --- in OpenMM ------------------------------------------------------------------------------------------------------------


def test_where_openmm_keeps_pythons_lock() -> None:
    """Collective variables and minimisers with a reporter: nothing waits for the lock, nothing dies."""
    system = NequIPPotential(random_potential()).createSystem(
        water_box().topology, backend="TorchForce"
    )
    scaled = openmm.CustomCVForce("0.5 * v")
    scaled.addCollectiveVariable("v", copy.deepcopy(system.getForce(0)))
    system.removeForce(0)
    index = system.addForce(scaled)
    simulation = context(system, "CPU")
    simulation.setPositions(water_box().positions)
    energy, _ = energy_and_forces(simulation)
    (value,) = system.getForce(index).getCollectiveVariableValues(simulation)
    assert 0.5 * value == pytest.approx(energy, rel=1e-14)

    class Reporter(openmm.MinimizationReporter):
        calls = 0

        def report(self, *_: object) -> bool:
            self.calls += 1
            return self.calls >= 3

    reporter = Reporter()
    openmm.LocalEnergyMinimizer.minimize(simulation, 1e-3, 50, reporter)
    assert reporter.calls == 3
    assert energy_and_forces(simulation)[0] < energy
