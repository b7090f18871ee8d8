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


def value_and_slope(network: ScalarMLP, x: Tensor, library: ctypes.CDLL) -> tuple[Tensor, Tensor]:
    """Return f(x) and df/dr (rows, n_out) of a network from its inputs and theirs, (2, rows, n_in); differentiable once."""
    weights = [layer.weight for layer in network.layers]
    scales = [layer.scale for layer in network.layers]
    return ValueAndSlope.apply(x, library, scales, network.is_nonlinear, *weights)


class ValueAndSlope(Function):
    """Forward-mode derivatives along with values, and backpropagation through both."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        library: ctypes.CDLL,
        scales: list[float],
        is_nonlinear: bool,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inputs, activations = [x], []
        scaled = torch._foreach_mul(list(weights), scales)
        for weight in scaled[:-1]:
            x = torch.matmul(x, weight)
            if is_nonlinear:
                activations.append(Activation(x, library))
                x = activations[-1].forward()
            inputs.append(x)
        ctx.inputs, ctx.activations, ctx.weights, ctx.scales = inputs, activations, scaled, scales
        return tuple(torch.matmul(x, scaled[-1]).unbind())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *g_out: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        g = torch.stack(g_out)
        gradients = []
        for k in reversed(range(len(ctx.weights))):
            rows = g.flatten(0, 1)
            gradients.append(ctx.inputs[k].flatten(0, 1).t() @ rows)
            if k > 0 or ctx.needs_input_grad[0]:
                g = (rows @ ctx.weights[k].t()).view(2, -1, ctx.weights[k].shape[0])
            if k > 0 and ctx.activations:
                g = ctx.activations[k - 1].backward(g)
        gradients = torch._foreach_mul(gradients[::-1], ctx.scales)
        return (g if ctx.needs_input_grad[0] else None, None, None, None, *gradients)


class Activation:
    """SiLU of z and its slope silu'(z) dz/dr, from both (2, rows, width)."""

    def __init__(self, z: Tensor, library: ctypes.CDLL) -> None:
        self.dz = z[1]
        self.a, self.slope, self.bend = (torch.empty_like(self.dz) for _ in range(3))
        arrays = (address(tensor) for tensor in (z, self.a, self.slope, self.bend))
        size, is_odd, factor = ctypes.c_int64(self.a.numel()), ctypes.c_int32(0), ctypes.c_double(1)
        library.activations(size, is_odd, factor, *arrays)

    def forward(self) -> Tensor:
        return torch.stack([self.a, self.slope * self.dz])

    def backward(self, g: Tensor) -> Tensor:
        gz = g * self.slope
        gz[0].addcmul_(self.bend * self.dz, g[1])
        return gz
