"""Which numbers are float64, which follow the weights, and what a seed fixes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import energy_and_derivatives
from nequip_openmm.potential import Potential
from tests.model import cases

STAYS_DOUBLE = ("edge_embedding.", "scale_shift.", "norms", "couplings.", "zbl.")


def test_only_the_network_follows_the_dtype() -> None:
    model = cases.build(dtype=torch.float32, l_max=2, zbl=True, bessel_trainable=True)
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            is_double = name.startswith(STAYS_DOUBLE)
            assert tensor.dtype == (torch.float64 if is_double else torch.float32), name


def test_results_are_float64_in_either_precision() -> None:
    for dtype in (torch.float32, torch.float64):
        model = cases.build(dtype=dtype)
        batch = Batch.from_frame(cases.frame("triclinic"), cases.SPECIES, model.config.cutoff)
        found = energy_and_derivatives(model, batch, virial=True)
        parts = (found.energy, found.atomic_energies, found.forces, found.virial)
        assert {part.dtype for part in parts if part is not None} == {torch.float64}


@pytest.mark.parametrize("model", ["invariant", "l2-parity", "l3", "zbl"])
def test_single_precision_is_close_to_double(model: str) -> None:
    double = cases.potential(model)
    single = Potential(cases.build(dtype=torch.float32, **cases.MODELS[model]))
    for structure in (cases.ethanol(), cases.triclinic()):
        a, b = double.evaluate(structure), single.evaluate(structure)
        rms = np.sqrt((a.forces**2).mean())
        assert np.abs(a.forces - b.forces).max() < 1e-5 * rms
        assert abs(a.energy - b.energy) < 1e-6 * len(structure)


def test_single_precision_loses_nothing_of_large_shifts() -> None:
    """Total energies of heavy atoms are far beyond what float32 resolves."""
    plain = {"per_type_energy_shifts": None}
    large = {"per_type_energy_shifts": {"H": -13.6, "C": -1e5, "O": -2e6}}
    found, with_shifts = (
        Potential(cases.build(dtype=torch.float32, **s)).evaluate(cases.ethanol())
        for s in (plain, large)
    )
    assert with_shifts.energy - (-2e6 - 2e5 - 6 * 13.6) == pytest.approx(found.energy, abs=1e-8)
    assert np.array_equal(with_shifts.forces, found.forces)


def test_going_to_single_and_back_keeps_constants_exact() -> None:
    model = cases.build(l_max=3)
    with torch.no_grad():  # weights that float32 holds exactly
        for weight in model.parameters():
            weight.copy_(weight.float().double())
    batch = Batch.from_frame(cases.frame("triclinic"), cases.SPECIES, model.config.cutoff)
    before = energy_and_derivatives(model, batch).energy
    model.to_dtype(torch.float32).to_dtype(torch.float64)
    assert torch.equal(energy_and_derivatives(model, batch).energy, before)


def test_a_seed_gives_one_model_in_either_precision() -> None:
    a, b = cases.build(seed=5), cases.build(seed=5)
    single, other = cases.build(seed=5, dtype=torch.float32), cases.build(seed=6)
    assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())
    for key, value in a.state_dict().items():
        assert torch.equal(value.to(single.state_dict()[key]), single.state_dict()[key])
    assert not torch.equal(a.type_embedding.weight, other.type_embedding.weight)


def test_weights_begin_with_unit_variance() -> None:
    model = cases.build(num_features=32, l_max=2, radial_mlp_width=64)
    for name, weight in model.named_parameters():
        if name.startswith("layers") and weight.numel() > 1000:
            assert weight.std().item() == pytest.approx(1.0, abs=0.1), name
            assert weight.mean().item() == pytest.approx(0.0, abs=0.1), name
