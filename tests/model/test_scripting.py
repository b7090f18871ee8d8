"""The model as TorchScript, which is what OpenMM runs, and as something to copy."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import energy_and_derivatives
from tests.model import cases


def _saved_and_loaded(model: torch.nn.Module, freeze: bool) -> torch.nn.Module:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(model), buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer).eval()
    return torch.jit.freeze(loaded) if freeze else loaded


@pytest.mark.parametrize(("dtype", "freeze"), [(torch.float64, True), (torch.float32, False)])
@pytest.mark.parametrize("name", cases.MODELS)
def test_script_equals_eager_through_a_file(name: str, dtype: torch.dtype, freeze: bool) -> None:
    model = cases.build(dtype=dtype, **cases.MODELS[name])
    script = _saved_and_loaded(model, freeze)
    frames = [cases.frame("ethanol"), cases.frame("triclinic")]
    batch = Batch.from_frames(frames, cases.SPECIES, model.config.cutoff)
    tolerance = 1e-13 if dtype == torch.float64 else 2e-6
    wanted = energy_and_derivatives(model, batch, virial=True)
    for _ in range(3):  # TorchScript optimises after the first calls
        found = energy_and_derivatives(script, batch, virial=True)
        for part in ("energy", "atomic_energies", "forces", "virial"):
            torch.testing.assert_close(
                getattr(found, part), getattr(wanted, part), rtol=0, atol=tolerance
            )


def test_script_takes_structures_of_changing_size() -> None:
    model = cases.build(l_max=2)
    script = _saved_and_loaded(model, freeze=True)
    for name in ("ethanol", "one-atom", "triclinic", "ethanol"):
        batch = Batch.from_frame(cases.frame(name), cases.SPECIES, model.config.cutoff)
        found, wanted = (energy_and_derivatives(m, batch).forces for m in (script, model))
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)


def test_script_takes_atoms_without_neighbours() -> None:
    model = cases.build(l_max=1, zbl=True)
    script = _saved_and_loaded(model, freeze=True)
    lone = Batch(
        positions=torch.zeros(1, 3, dtype=torch.float64),
        types=torch.tensor([1]),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        shifts=torch.zeros(0, 3, dtype=torch.float64),
        cell=torch.zeros(1, 3, 3, dtype=torch.float64),
        graph=torch.zeros(1, dtype=torch.int64),
    )
    found = energy_and_derivatives(script, lone)
    assert found.energy.item() == 0.7
    assert found.forces is not None
    assert not found.forces.any()


@pytest.mark.parametrize("name", ["l2-parity", "zbl"])
def test_copies_and_pickles_are_equal_and_independent(name: str) -> None:
    model = cases.build(**cases.MODELS[name])
    batch = Batch.from_frame(cases.frame("triclinic"), cases.SPECIES, model.config.cutoff)
    wanted = energy_and_derivatives(model, batch).energy
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    with torch.no_grad():
        model.type_embedding.weight += 1.0
    for twin in copies:
        assert torch.equal(energy_and_derivatives(twin, batch).energy, wanted)
