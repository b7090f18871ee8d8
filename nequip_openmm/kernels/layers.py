"""Interaction layers and readout on one batch, with the four passes of `nequip_openmm.kernels.operations`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nequip_openmm.kernels.convolution import ConvolutionForm, Neighbours
from nequip_openmm.kernels.gate import GateForm, GateStep
from nequip_openmm.kernels.library import library
from nequip_openmm.kernels.operations import (
    ConvolutionStep,
    Direction,
    LinearStep,
    Mix,
    SelfConnectionStep,
    mixes,
)
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.irreps import LayerPlan
from nequip_openmm.model.radial import ScalarMLP

__all__ = ["LayerForm", "LayerRun", "ReadoutForm", "ReadoutRun"]


class LayerForm:
    """Where the numbers of an interaction layer lie, and its parameters besides those of the radial network."""

    def __init__(self, layer: InteractionLayer, plan: LayerPlan) -> None:
        linear_in, linear_out = layer.linear_in.blocks, layer.linear_out.blocks
        self.blocks: list[Any] = [*linear_in, *linear_out]
        self.typed_blocks: list[Any] = list(layer.self_connection.blocks)
        self.counts = [len(linear_in), len(linear_out)]
        self.linear_in = mixes(plan.irreps_in, plan.irreps_in)
        self.linear_out = mixes(plan.after_product, plan.before_gate)
        joined = sorted(mixes(plan.irreps_in, plan.before_gate), key=lambda mix: mix.first_in)
        self.self_connection = joined[: len(self.typed_blocks)]  # the first layer has none
        self.convolution = ConvolutionForm(plan)
        self.radial = layer.convolution.radial
        self.gate = GateForm.of_layer(plan)


class LayerRun:
    """x ← gate(linear_out(convolution(linear_in(x))) + self_connection(x)).

    Parameters
    ----------
    form
        The layer.
    weights
        Scaled weights of ``form.blocks``.
    typed
        Weights (types, n_in, n_out) of the self-connection, with the elements' vectors folded in.
    is_type
        (N, types) one where an atom is of a type, else zero.
    pairs, y
        Who is whose neighbour; harmonics (E, n_harmonics).
    radial
        (2, rows, n_weights) weights and their slopes.
    """

    def __init__(
        self,
        form: LayerForm,
        weights: list[Tensor],
        typed: list[Tensor],
        is_type: Tensor,
        pairs: Neighbours,
        y: Tensor,
        radial: Tensor,
    ) -> None:
        n, sizes = len(is_type), form.convolution
        into, out = split(weights, form.counts)
        self.linear_in = LinearStep(form.linear_in, into, n, sizes.size_in, sizes.size_in)
        self.convolution = ConvolutionStep(sizes, pairs, y, radial)
        self.linear_out = LinearStep(form.linear_out, out, n, sizes.size_out, form.gate.size_in)
        self.self_connection = SelfConnectionStep(form.self_connection, typed, is_type)
        self.gate = GateStep(form.gate, library(sizes.l_max, y.dtype), n)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features that leave the layer."""
        z = self.linear_out.forward(self.convolution.forward(self.linear_in.forward(x)))
        self.self_connection.forward(x, z)
        return self.gate.forward(z)

    def backward(self, g: Tensor, gy: Tensor, gr: Tensor) -> Tensor:
        """Return g for the layer before; add what concerns harmonics and distances."""
        gz = self.gate.backward(g)
        sent = self.convolution.backward(self.linear_out.backward(gz), gy, gr)
        gx = self.linear_in.backward(sent)
        self.self_connection.backward(gz, gx)
        return gx

    def tangent(self, dx: Tensor, direction: Direction) -> Tensor:
        """Return the change of the features that leave."""
        sent = self.linear_in.tangent(dx)
        dz = self.linear_out.tangent(self.convolution.tangent(sent, direction))
        self.self_connection.tangent(dx, dz)
        return self.gate.tangent(dz)

    def curvature(self, dg: Tensor) -> Tensor:
        """Return ġ for the layer before."""
        dgz = self.gate.curvature(dg)
        dgx = self.linear_in.curvature(self.convolution.curvature(self.linear_out.curvature(dgz)))
        self.self_connection.curvature(dgz, dgx)
        return dgx

    def gradients(self) -> list[Tensor]:
        """Return those of the scaled weights."""
        return [*self.linear_in.gradients, *self.linear_out.gradients]


class ReadoutForm:
    """The readout's parameters and activations."""

    def __init__(self, readout: ScalarMLP) -> None:
        self.blocks: list[Any] = list(readout.layers)
        hidden = [layer.weight.shape[1] for layer in self.blocks[:-1]]
        self.gates = [GateForm.silu(n) for n in hidden] if readout.is_nonlinear else []


class ReadoutRun:
    """Energies (N,) from the last scalars (N * features,), both before scale and shift."""

    def __init__(
        self, form: ReadoutForm, weights: list[Tensor], n_nodes: int, library: ctypes.CDLL
    ) -> None:
        self.linear = [_dense(weight, n_nodes) for weight in weights]
        gates = [GateStep(gate, library, n_nodes) for gate in form.gates]
        self.steps: list[LinearStep | GateStep] = [self.linear[0]]
        for k, linear in enumerate(self.linear[1:]):
            self.steps += [*gates[k : k + 1], linear]

    def forward(self, x: Tensor) -> Tensor:
        """Return energies."""
        for step in self.steps:
            x = step.forward(x)
        return x

    def backward(self, g: Tensor) -> Tensor:
        """Return g for the last layer."""
        for step in reversed(self.steps):
            g = step.backward(g)
        return g

    def tangent(self, dx: Tensor) -> Tensor:
        """Return the change of energies."""
        for step in self.steps:
            dx = step.tangent(dx)
        return dx

    def curvature(self, dg: Tensor) -> Tensor:
        """Return ġ for the last layer."""
        for step in reversed(self.steps):
            dg = step.curvature(dg)
        return dg

    def gradients(self) -> list[Tensor]:
        """Return those of the scaled weights."""
        return [g for linear in self.linear for g in linear.gradients]


def _dense(weight: Tensor, n_nodes: int) -> LinearStep:
    n_in, n_out = weight.shape
    return LinearStep([Mix(0, n_in, 0, n_out, 1)], [weight], n_nodes, n_in, n_out)


def split(items: Sequence[Tensor], counts: list[int]) -> list[list[Tensor]]:
    """Return the first, the next, ... items, as many as counted."""
    taken = iter(items)
    return [[next(taken) for _ in range(count)] for count in counts]
