"""The fused training path gives the numbers of the reference: energies, forces, virial, and the gradients of losses on them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nequip_openmm.data.batch import Batch
from nequip_openmm.kernels.training import FusedNequIP
from nequip_openmm.model.derivatives import Prediction, energy_and_derivatives
from nequip_openmm.model.nequip import NequIP
from tests.model import cases

MODELS: dict[str, dict[str, Any]] = {
    **cases.MODELS,
    "l2-even": {"l_max": 2, "parity": False, "radial_mlp_depth": 2},
    "one-layer": {"l_max": 1, "num_layers": 1},
    "linear-radial": {"l_max": 1, "num_layers": 2, "radial_mlp_depth": 0},
    "deep-readout": {"l_max": 1, "readout_mlp_depth": 2, "readout_mlp_width": 3},
    "linear-readout": {
        "l_max": 1,
        "readout_mlp_depth": 1,
        "readout_mlp_nonlinearity": None,
    },
    "learnt-scales": {
        "l_max": 1,
        "per_type_energy_scales_trainable": True,
        "per_type_energy_shifts_trainable": True,
    },
    "wide-embedding": {"l_max": 1, "type_embed_num_features": 9},
}
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-5}  # relative, of gradients of parameters


def batch(*names: str) -> Batch:
    """Return structures with random labels."""
    config = cases.config()
    found = Batch.from_frames([cases.frame(name) for name in names], config.species, config.cutoff)
    generator = torch.Generator().manual_seed(3)
    energy = torch.randn(found.n_graphs, generator=generator, dtype=torch.float64)
    forces = torch.randn(found.positions.shape, generator=generator, dtype=torch.float64)
    return replace(found, energy=energy, forces=forces)


def loss(prediction: Prediction, labels: Batch) -> Tensor:
    """Return a penalty on everything that can be learnt from."""
    assert prediction.forces is not None
    assert prediction.virial is not None
    return (
        (prediction.energy - labels.energy).square().mean()
        + (prediction.forces - labels.forces).square().mean()
        + 0.1 * prediction.virial.square().mean()
    )


def gradients(model: NequIP, prediction: Prediction, labels: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    loss(prediction, labels).backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
        if p.requires_grad
    }


def deviation(found: Tensor, wanted: Tensor) -> float:
    """Return the norm of the difference relative to that of what is wanted."""
    found, wanted = found.detach(), wanted.detach()
    scale = float(wanted.norm())
    return float((found - wanted).norm()) / scale if scale > 0.0 else float(found.norm())


@pytest.mark.parametrize("dtype", TOLERANCES, ids=["f64", "f32"])
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_gradients_of_parameters_are_those_of_the_reference(
    settings: dict[str, Any], dtype: torch.dtype
) -> None:
    model = cases.build(dtype=dtype, **settings).train()
    labels = batch("ethanol", "triclinic", "slab", "one-atom", "chain")
    wanted_prediction = energy_and_derivatives(model, labels, virial=True, create_graph=True)
    wanted = gradients(model, wanted_prediction, labels)
    prediction = FusedNequIP(model).energy_and_derivatives(labels, virial=True, create_graph=True)
    found = gradients(model, prediction, labels)
    tolerance = TOLERANCES[dtype]
    for name in ("energy", "atomic_energies", "forces", "virial"):
        assert deviation(getattr(prediction, name), getattr(wanted_prediction, name)) < tolerance
    for name, gradient in wanted.items():
        assert deviation(found[name], gradient) < tolerance, name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing_but_rounding(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nequip_openmm.kernels.training.WEIGHTS_PER_THREAD", 10)
    model = cases.build(**cases.MODELS["l2-parity"]).train()
    labels = batch(*["ethanol", "triclinic", "one-atom"] * 4)
    results = []
    for fused in (FusedNequIP(model, 1), *[FusedNequIP(model, threads)] * 2):
        prediction = fused.energy_and_derivatives(labels, virial=True, create_graph=True)
        results.append(list(gradients(model, prediction, labels).values()))
    for alone, first, second in zip(*results):
        torch.testing.assert_close(first, alone, rtol=1e-12, atol=1e-12)
        assert torch.equal(first, second)


@pytest.mark.parametrize("names", [["alone"], ["alone", "ethanol", "alone"]], ids=str)
def test_atoms_without_neighbours(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import ase

    monkeypatch.setitem(cases.STRUCTURES, "alone", lambda: ase.Atoms("O", [[0.3, 0.0, 9.0]]))
    model = cases.build(**cases.MODELS["l1"]).train()
    labels = batch(*names)
    wanted = energy_and_derivatives(model, labels, virial=True, create_graph=True)
    wanted_gradients = gradients(model, wanted, labels)
    found = FusedNequIP(model).energy_and_derivatives(labels, virial=True, create_graph=True)
    torch.testing.assert_close(found.energy, wanted.energy, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.forces, wanted.forces, rtol=0, atol=1e-12)
    for name, gradient in gradients(model, found, labels).items():
        torch.testing.assert_close(gradient, wanted_gradients[name], rtol=1e-9, atol=1e-12)


def test_energies_alone_can_be_learnt_from() -> None:
    model = cases.build(**cases.MODELS["l2-parity"]).train()
    labels = batch("ethanol", "triclinic")
    results = []
    for evaluate in (FusedNequIP(model).energy_and_derivatives, _reference(model)):
        model.zero_grad()
        prediction = evaluate(labels, forces=False, create_graph=True)
        assert prediction.forces is None
        (prediction.energy - labels.energy).square().sum().backward()
        results.append([p.grad.clone() for p in model.parameters() if p.requires_grad])
    for found, wanted in zip(*results):
        assert deviation(found, wanted) < 1e-9


def test_gradients_may_be_asked_for_twice() -> None:
    model = cases.build(**cases.MODELS["l1"]).train()
    labels = batch("ethanol")
    fused = FusedNequIP(model).energy_and_derivatives(labels, virial=True, create_graph=True)
    total = loss(fused, labels)
    parameters = [p for p in model.parameters() if p.requires_grad]
    first, second = (torch.autograd.grad(total, parameters, retain_graph=True) for _ in range(2))
    for a, b in zip(first, second):
        assert torch.equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_does_not_wait_for_its_parent_s_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nequip_openmm.kernels.training.WEIGHTS_PER_THREAD", 10)
    fused, labels = FusedNequIP(cases.build(**cases.MODELS["l1"]), 3), batch("ethanol")
    torch.set_num_threads(1)  # torch's own threads do not survive a fork
    fused.energy_and_derivatives(labels)
    child = os.fork()
    if child == 0:
        fused.energy_and_derivatives(labels)
        os._exit(0)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked process hangs")
    assert status == 0


def test_results_without_a_graph_are_detached() -> None:
    model = cases.build(**cases.MODELS["l1"])
    prediction = FusedNequIP(model).energy_and_derivatives(batch("ethanol"))
    assert not prediction.energy.requires_grad
    assert prediction.forces is not None
    assert not prediction.forces.requires_grad


def test_positions_that_are_not_finite_give_results_that_are_not() -> None:
    model = cases.build(**cases.MODELS["l1"])
    labels = batch("ethanol")
    labels.positions[0, 0] = float("nan")
    prediction = FusedNequIP(model).energy_and_derivatives(labels)
    assert not bool(torch.isfinite(prediction.energy).all())


def _reference(model: NequIP) -> Any:
    def evaluate(labels: Batch, **options: bool) -> Prediction:
        return energy_and_derivatives(model, labels, **options)

    return evaluate
