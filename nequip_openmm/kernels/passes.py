"""The four passes of `nequip_openmm.kernels.operations` through the whole network, as one function of autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.kernels.convolution import Neighbours
from nequip_openmm.kernels.layers import LayerRun, ReadoutRun, split
from nequip_openmm.kernels.operations import Direction

if TYPE_CHECKING:
    from nequip_openmm.kernels.training import FusedNequIP

__all__ = ["Passes"]


class Passes(Function):
    """Network outputs ε (N,), and the derivatives of Σ scale ε with respect to harmonics and to the distances of weights.

    The first two passes are the forward of this function, the other two its backward.
    """

    @staticmethod
    def forward(
        ctx: Any,
        fused: FusedNequIP,
        pairs: Neighbours,
        types: Tensor,
        y: Tensor,
        scale: Tensor,
        embedding: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return ε (N,), and the derivatives with respect to y (E, n_harmonics) and to distances (rows, 1)."""
        counts = [len(fused.layers), len(fused.typed_weights), len(fused.weights)]
        run = NetworkRun(fused, pairs, types, y, embedding, *split(tensors, counts))
        epsilon = run.forward()
        ctx.run, ctx.scale = run, scale
        return epsilon, *run.backward(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of scale, embedding and weights."""
        g_epsilon, dy, dr = (tensor.contiguous() for tensor in g)  # C is told where they begin only
        d_epsilon = ctx.run.tangent(Direction(dy, dr))
        of_embedding = ctx.run.curvature(g_epsilon)
        return (None, None, None, None, d_epsilon, of_embedding, *ctx.run.gradients())


class NetworkRun:
    """All layers and the readout on one batch."""

    def __init__(
        self,
        fused: FusedNequIP,
        pairs: Neighbours,
        types: Tensor,
        y: Tensor,
        embedding: Tensor,
        radial: list[Tensor],
        typed: list[Tensor],
        weights: list[Tensor],
    ) -> None:
        self.y, self.embedding, self.types, self.scales = y, embedding, types, fused.scales
        self.is_type = torch.nn.functional.one_hot(types, len(embedding)).to(y.dtype)
        *of_layers, of_readout = split(torch._foreach_mul(weights, fused.scales), fused.counts)
        self.layers = [
            LayerRun(form, of_layer, of_types, self.is_type, pairs, y, of_convolution)
            for form, of_layer, of_types, of_convolution in zip(
                fused.layers, of_layers, split(typed, fused.typed_counts), radial
            )
        ]
        self.n_rows = radial[0].shape[1]
        self.readout = ReadoutRun(fused.readout, of_readout, len(types), fused.library)

    def forward(self) -> Tensor:
        """Return ε."""
        x = self.embedding[self.types].flatten()
        for layer in self.layers:
            x = layer.forward(x)
        return self.readout.forward(x)

    def backward(self, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Return what concerns harmonics and distances."""
        gy, gr = torch.zeros_like(self.y), self.y.new_zeros(self.n_rows, 1)
        g = self.readout.backward(scale)
        for layer in reversed(self.layers):
            g = layer.backward(g, gy, gr)
        return gy, gr

    def tangent(self, direction: Direction) -> Tensor:
        """Return the change of ε."""
        dx = self.y.new_zeros(self.embedding[self.types].numel())
        for layer in self.layers:
            dx = layer.tangent(dx, direction)
        return self.readout.tangent(dx)

    def curvature(self, g_epsilon: Tensor) -> Tensor:
        """Return the gradient of the first features' embedding."""
        dg = self.readout.curvature(g_epsilon)
        for layer in reversed(self.layers):
            dg = layer.curvature(dg)
        return self.is_type.t() @ dg.view(len(self.types), -1)

    def gradients(self) -> list[Tensor]:
        """Return those of radial weights with their slopes, of self-connections, and of all other weights."""
        of_radial = [layer.convolution.gradients for layer in self.layers]
        of_typed = [g for layer in self.layers for g in layer.self_connection.gradients]
        of_weights = [g for layer in self.layers for g in layer.gradients()]
        of_weights += self.readout.gradients()
        return [*of_radial, *of_typed, *torch._foreach_mul(of_weights, self.scales)]
