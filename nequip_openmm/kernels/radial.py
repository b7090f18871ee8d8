"""Radial weights of a layer and their slopes, as functions of the distance."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.kernels.library import address
from nequip_openmm.model.radial import ScalarMLP

__all__ = ["value_and_slope"]


def value_and_slope(network: ScalarMLP, x: Tensor, library: ctypes.CDLL) -> Tensor:
    """Return f and df/dr (2, rows, n_out) of a network from its inputs and theirs (2, rows, n_in); differentiable once."""
    weights = [layer.weight for layer in network.layers]
    scales = [layer.scale for layer in network.layers]
    return ValueAndSlope.apply(x, library, scales, network.is_nonlinear, *weights)


class ValueAndSlope(Function):
    """Forward-mode derivatives along with values, and backpropagation through both."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        library: ctypes.CDLL,
        scales: list[float],
        is_nonlinear: bool,
        *weights: Tensor,
    ) -> Tensor:
        ctx.shape, ctx.scales = x.shape, scales
        ctx.weights = torch._foreach_mul(list(weights), scales)
        x = x.flatten(0, 1)  # rows of values, then rows of slopes
        ctx.inputs, ctx.activations = [x], []
        for weight in ctx.weights[:-1]:
            x = x @ weight
            if is_nonlinear:
                ctx.activations.append(Activation(library, x))
                x = ctx.activations[-1].out
            ctx.inputs.append(x)
        return (x @ ctx.weights[-1]).view(2, -1, weights[-1].shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        g = g.flatten(0, 1)
        gradients: list[Tensor] = []
        for k in reversed(range(len(ctx.weights))):
            gradients.insert(0, ctx.inputs[k].t() @ g)
            if k > 0 or ctx.needs_input_grad[0]:
                g = g @ ctx.weights[k].t()
            if k > 0 and ctx.activations:
                ctx.activations[k - 1].pull_back(g)
        gx = g.view(ctx.shape) if ctx.needs_input_grad[0] else None
        return (gx, None, None, None, *torch._foreach_mul(gradients, ctx.scales))


class Activation:
    """silu(z) and its slope silu'(z) dz/dr, from rows of z and as many of dz/dr."""

    def __init__(self, library: ctypes.CDLL, z: Tensor) -> None:
        self.library, self.size = library, ctypes.c_int64(z.numel() // 2)
        self.out, self.derivatives = torch.empty_like(z), torch.empty_like(z)
        arrays = (z, self.out, self.derivatives)
        library.silu_and_slope(self.size, *(address(array) for array in arrays))

    def pull_back(self, g: Tensor) -> None:
        """Turn derivatives with respect to what leaves into those with respect to what enters, in place."""
        self.library.silu_and_slope_backward(self.size, address(self.derivatives), address(g))
