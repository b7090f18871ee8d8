"""Derivatives of the energy, first and second, by positions, strain and weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import energy_and_derivatives
from nequip_openmm.model.nequip import NequIP
from tests.model import cases


def _batch(model: NequIP, *names: str) -> Batch:
    frames = [cases.frame(name) for name in names]
    return Batch.from_frames(frames, cases.SPECIES, model.config.cutoff)


@pytest.mark.parametrize("model", ["invariant", "l2-parity", "zbl"])
def test_hessian_is_symmetric_and_the_slope_of_the_forces(model: str) -> None:
    network = cases.potential(model).model
    batch = _batch(network, "triclinic")

    def energy(positions: torch.Tensor) -> torch.Tensor:
        moved = replace(batch, positions=positions.reshape(-1, 3))
        return network(
            moved.positions, batch.types, batch.edge_index, batch.shifts, batch.cell, batch.graph
        ).sum()

    flat = batch.positions.reshape(-1)
    hessian = torch.autograd.functional.hessian(energy, flat)
    assert isinstance(hessian, torch.Tensor)
    assert hessian.abs().max() > 0.01
    assert (hessian - hessian.T).abs().max() < 1e-12

    h, direction = 1e-3, torch.randn(len(flat), dtype=torch.float64)
    plus, minus, plus2, minus2 = (
        energy_and_derivatives(
            network, replace(batch, positions=(flat + k * h * direction).reshape(-1, 3))
        ).forces
        for k in (1, -1, 2, -2)
    )
    assert plus is not None
    slope = (8 * (plus - minus) - (plus2 - minus2)) / (12 * h)
    assert (slope.reshape(-1) + hessian @ direction).abs().max() < 1e-6


def test_what_is_asked_for_is_computed_and_nothing_more() -> None:
    model = cases.build()
    batch = _batch(model, "ethanol", "triclinic")
    only_energy = energy_and_derivatives(model, batch, forces=False)
    assert only_energy.forces is None
    assert only_energy.virial is None
    assert not only_energy.energy.requires_grad
    everything = energy_and_derivatives(model, batch, virial=True)
    assert everything.forces is not None
    assert everything.virial is not None
    assert everything.virial.shape == (2, 3, 3)
    assert not everything.forces.requires_grad
    torch.testing.assert_close(everything.energy, only_energy.energy, rtol=0, atol=1e-14)
    only_virial = energy_and_derivatives(model, batch, forces=False, virial=True)
    torch.testing.assert_close(only_virial.virial, everything.virial, rtol=0, atol=1e-14)
    assert batch.positions.requires_grad is False


@pytest.mark.parametrize(
    "settings", [{"l_max": 2, "bessel_trainable": True}, {"readout_mlp_depth": 1}]
)
def test_loss_on_forces_and_stress_has_the_right_gradient(settings: dict[str, object]) -> None:
    """Training differentiates forces by weights: compared with finite differences along a random direction."""
    model = cases.build(
        per_type_energy_scales_trainable=True, per_type_energy_shifts_trainable=True, **settings
    )
    batch = _batch(model, "ethanol", "triclinic")
    weights = [w for w in model.parameters() if w.requires_grad]
    directions = [torch.randn_like(w) for w in weights]

    def loss(create_graph: bool) -> torch.Tensor:
        found = energy_and_derivatives(model, batch, virial=True, create_graph=create_graph)
        assert found.forces is not None
        assert found.virial is not None
        return (
            found.energy.square().sum() + found.forces.square().sum() + found.virial.square().sum()
        )

    gradients = torch.autograd.grad(loss(True), weights)
    expected = sum(float((g * d).sum()) for g, d in zip(gradients, directions))

    def shifted(h: float) -> float:
        with torch.no_grad():
            for w, d in zip(weights, directions):
                w += h * d
        value = float(loss(False))
        with torch.no_grad():
            for w, d in zip(weights, directions):
                w -= h * d
        return value

    h = 1e-4
    slope = (8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))) / (12 * h)
    assert slope == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("model", cases.MODELS)
def test_every_weight_has_a_gradient(model: str) -> None:
    """No dead weights: distributed training would wait for their gradients for ever."""
    network = cases.build(**cases.MODELS[model])
    found = energy_and_derivatives(
        network, _batch(network, "ethanol", "triclinic"), create_graph=True
    )
    assert found.forces is not None
    (found.energy.sum() + found.forces.square().sum()).backward()
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name
