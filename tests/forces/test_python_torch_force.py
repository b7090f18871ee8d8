"""PythonTorchForce, which openmmtorch has after 1.5: a stand-in of the same signature takes its place in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import backends
from nequip_openmm.forces.computation import TensorComputation
from tests.forces.cases import methanol, openmm, random_potential

STAND_IN = '''
import numpy as np
import openmm
import torch


class Call:
    """compute(state, positions) of tensors, called by a PythonForce as (state) of arrays."""

    def __init__(self, compute, dtype):
        self.compute, self.dtype = compute, dtype

    def __call__(self, state):
        nm = openmm.unit.nanometer
        positions = torch.tensor(state.getPositions(asNumpy=True).value_in_unit(nm), dtype=self.dtype)
        energy, forces = self.compute(state, positions)
        assert isinstance(energy, torch.Tensor) and energy.numel() == 1
        assert forces.dtype == self.dtype and forces.is_contiguous() and forces.shape == positions.shape
        return float(energy), forces.numpy().astype(float)


class PythonTorchForce(openmm.PythonForce):
    def __init__(self, compute, parameters={}):
        super().__init__(Call(compute, torch.float64), parameters)
'''

SCRIPT = """
import copy, sys
import numpy as np, openmm
from nequip_openmm.forces import NequIPPotential, available, choose
from nequip_openmm.forces.backends import import_openmmtorch
from tests.forces.cases import methanol, random_potential, triclinic, context, energy_and_forces
assert choose().name == "PythonTorchForce", choose()
assert available()[2].works, available()
potential = NequIPPotential(random_potential())
for case in (methanol(), triclinic()):
    found = []
    for backend in ("auto", "PythonForce"):
        system = potential.createSystem(case.topology, backend=backend)
        kind = type(system.getForce(0)).__name__
        for again in (system, copy.deepcopy(system)):
            simulation = context(again)
            simulation.setPositions(case.positions)
            found.append(energy_and_forces(simulation))
    for energy, forces in found[1:]:
        assert energy == found[0][0], found
        np.testing.assert_array_equal(forces, found[0][1])
subset = potential.createForce(methanol().topology, atoms=[0, 1], backend="PythonTorchForce", scaleParameter="k")
print(type(subset).__name__, import_openmmtorch().__file__)
"""


def test_it_is_used_where_openmmtorch_has_it(tmp_path: Path) -> None:
    (tmp_path / "openmmtorch.py").write_text(STAND_IN)
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n{SCRIPT}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["CustomCVForce", str(tmp_path / "openmmtorch.py")]


def test_a_version_without_it_says_so() -> None:
    if backends.available()[2].works:
        pytest.skip("the installed openmmtorch has PythonTorchForce")
    with pytest.raises(BackendError, match="PythonTorchForce cannot be used: openmmtorch"):
        backends.choose("PythonTorchForce")


def test_it_is_preferred_and_found_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openmmtorch.py").write_text("raise SystemExit\n" + STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "openmmtorch", raising=False)
    versions = {"torch": "2.10.0", "openmm": "8.6.1", "openmmtorch": "1.6"}
    monkeypatch.setattr(backends, "_version", versions.get)
    assert backends.choose().name == "PythonTorchForce"
    assert "openmmtorch 1.6" in backends.choose().reason


class State:
    """As much of an `openmm.State` as a molecule needs."""

    def getPeriodicBoxVectors(self, asNumpy: bool = False) -> object:
        raise openmm.OpenMMException("there is no box")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forces_are_packed_tensors_like_the_positions(dtype: torch.dtype) -> None:
    potential = random_potential()
    types = potential.batch(methanol().atoms).types.tolist()
    computation = TensorComputation(potential, types, False)
    positions = torch.tensor(methanol().positions, dtype=dtype)
    strided = positions.t().contiguous().t()
    wanted = computation(State(), positions)
    for given in (strided, positions.clone().requires_grad_(True)):
        energy, forces = computation(State(), given)
        assert energy.item() == wanted[0].item()
        assert (energy.dtype, energy.dim()) == (torch.float64, 0)
        assert forces.dtype == dtype
        assert forces.is_contiguous()
        assert torch.equal(forces, wanted[1])
    positions[0, 0] += 0.01  # the memory that OpenMM uses again
    assert computation(State(), positions)[0].item() != wanted[0].item()
