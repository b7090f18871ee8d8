"""The fused convolution is that of the reference, with exact derivatives of first and second order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nequip_openmm.kernels.convolution import ConvolutionForm, Neighbours, convolve
from nequip_openmm.model.harmonics import Couplings
from nequip_openmm.model.irreps import CouplingRows, LayerPlan, plan_layers
from tests.model.cases import config

ARCHITECTURES = {
    "l0": {"l_max": 0, "num_features": 3},
    "l1": {"l_max": 1, "parity": False, "num_features": 2},
    "l1-parity": {"l_max": 1, "num_features": (5, 17)},
    "l2": {"l_max": 2, "parity": False, "num_features": 1},
    "l2-parity": {"l_max": 2, "num_features": (3, 2, 1)},
    "l3": {"l_max": 3, "parity": False, "num_features": 1},
}
LARGE = {
    "l2-wide": {"l_max": 2, "num_features": (40, 32, 9)},
    "l3-parity": {"l_max": 3, "num_features": 4},
}
HIGHEST = {"l4": {"l_max": 4, "parity": False, "num_features": 1}}
N_NODES = 6


def plan_of(settings: dict[str, object]) -> LayerPlan:
    """Return a layer in the middle, into which features of all orders flow."""
    return plan_layers(config(**settings, num_layers=3))[1]


def edges(n: int, seed: int = 0) -> Tensor:
    """Return pairs by ascending centre; the last atom is nobody's centre and the first nobody's neighbour."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randint(0, N_NODES - 1, (n,), generator=generator).sort().values
    return torch.stack([centres, torch.randint(1, N_NODES, (n,), generator=generator)])


def arguments(plan: LayerPlan, n_edges: int, dtype: torch.dtype) -> list[Tensor]:
    """Return random features, harmonics and weights."""
    generator = torch.Generator().manual_seed(1)
    form = ConvolutionForm(plan)
    shapes = [
        (N_NODES * plan.irreps_in.dim,),
        (n_edges, (plan.l_max + 1) ** 2),
        (n_edges, form.n_weights),
    ]
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    ]


def reference(plan: LayerPlan, x: Tensor, y: Tensor, w: Tensor, edge_index: Tensor) -> Tensor:
    """Return what the model's own convolution computes from the same numbers."""
    from nequip_openmm.model.convolution import Convolution

    rows = CouplingRows.create([plan], plan.l_max)
    convolution = Convolution(plan, rows, [1])
    convolution.radial = torch.nn.Identity()
    sizes = [N_NODES * mul * ir.dim for mul, ir in plan.irreps_in]
    blocks = [
        part.view(N_NODES, ir.dim, mul)
        for part, (mul, ir) in zip(torch.split(x, sizes), plan.irreps_in)
    ]
    out = convolution(blocks, w, Couplings(rows)(y), edge_index)
    return torch.cat([block.flatten() for block in out])


@pytest.mark.parametrize("n_edges", [0, 1, 37])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)], ids=["f64", "f32"]
)
@pytest.mark.parametrize("settings", [*ARCHITECTURES.values(), *LARGE.values()])
def test_agrees_with_the_reference(
    settings: dict[str, object], dtype: torch.dtype, tolerance: float, n_edges: int
) -> None:
    plan, edge_index = plan_of(settings), edges(n_edges)
    inputs = arguments(plan, n_edges, dtype)
    pairs = Neighbours.create(edge_index, N_NODES)
    ours = convolve(*inputs, ConvolutionForm(plan), pairs)
    wanted = reference(plan, *inputs, edge_index)
    g = torch.randn_like(wanted)
    found = [ours, *torch.autograd.grad(ours, inputs, g)]
    expected = [wanted, *torch.autograd.grad(wanted, inputs, g)]
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance * (1 + _largest(b)))


@pytest.mark.parametrize("settings", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_derivatives_of_first_and_second_order_are_exact(settings: dict[str, object]) -> None:
    _check_derivatives(settings)


@pytest.mark.slow
@pytest.mark.parametrize("settings", HIGHEST.values(), ids=HIGHEST)
def test_derivatives_are_exact_at_the_highest_order(settings: dict[str, object]) -> None:
    _check_derivatives(settings)


def test_same_input_gives_the_same_bits() -> None:
    plan = plan_of(ARCHITECTURES["l2-parity"])
    inputs, pairs = arguments(plan, 50, torch.float32), Neighbours.create(edges(50), N_NODES)
    form = ConvolutionForm(plan)
    first, second = (convolve(*inputs, form, pairs) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 7])
def test_threads_share_the_centres(n_parts: int) -> None:
    plan, edge_index = plan_of(ARCHITECTURES["l2-parity"]), edges(40)
    inputs, form = arguments(plan, 40, torch.float64), ConvolutionForm(plan)
    results = []
    for parts in (1, n_parts, n_parts):
        out = convolve(*inputs, form, Neighbours.create(edge_index, N_NODES, parts))
        gradients = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in gradients), inputs)
        results.append([out, *gradients, *second])
    for alone, first, again in zip(*results):
        torch.testing.assert_close(first, alone, rtol=1e-12, atol=1e-12)
        assert torch.equal(first, again)


def test_pairs_must_be_sorted_by_centre() -> None:
    with pytest.raises(ValueError, match="sorted by centre"):
        Neighbours.create(edges(9).flip(1), N_NODES)


def _check_derivatives(settings: dict[str, object]) -> None:
    plan = plan_of(settings)
    form, pairs = ConvolutionForm(plan), Neighbours.create(edges(4), N_NODES)
    inputs = arguments(plan, 4, torch.float64)

    def function(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return convolve(x, y, w, form, pairs)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def _largest(tensor: Tensor) -> float:
    return float(tensor.detach().abs().max()) if tensor.numel() else 0.0
