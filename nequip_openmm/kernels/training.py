"""NequIP for training on forces: energies, their derivatives with respect to pair vectors, and the derivatives of both with respect to
all weights, with nothing for autograd to record between pairs and energies.
"""

from __future__ import annotations

import ctypes
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.data.batch import Batch
from nequip_openmm.kernels.convolution import Neighbours
from nequip_openmm.kernels.geometry import harmonics_and_jacobian, radial_basis
from nequip_openmm.kernels.layers import LayerForm, LayerRun, ReadoutForm, ReadoutRun, split
from nequip_openmm.kernels.library import address, library
from nequip_openmm.kernels.operations import Direction
from nequip_openmm.kernels.radial import value_and_slope
from nequip_openmm.kernels.species import fold_embedding
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.irreps import plan_layers
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.model.zbl import ZBL

__all__ = ["FusedNequIP"]

WEIGHTS_PER_THREAD = (
    50_000  # of the largest convolution; with fewer, threads wait longer than they work
)


class FusedNequIP:
    """A model, evaluated and differentiated by fused kernels on the CPU.

    It shares the model's parameters, and computes the same numbers to rounding.

    Parameters
    ----------
    model
        The model, on the CPU.
    threads
        Number of threads; None follows torch's.

    Raises
    ------
    BackendError
        If no code can be compiled here.
    """

    def __init__(self, model: NequIP, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self.layers = [
            LayerForm(cast("InteractionLayer", layer), plan)
            for layer, plan in zip(model.layers, plan_layers(model.config))
        ]
        self.readout = ReadoutForm(model.readout)
        blocks = [block for layer in self.layers for block in layer.blocks] + self.readout.blocks
        self.weights = [block.weight for block in blocks]
        self.scales = [block.scale for block in blocks]
        self.counts = [len(layer.blocks) for layer in self.layers] + [len(self.readout.blocks)]
        typed_blocks = [block for layer in self.layers for block in layer.typed_blocks]
        self.typed_weights = [block.weight for block in typed_blocks]
        self.typed_scales = [block.scale for block in typed_blocks]
        self.typed_counts = [len(layer.typed_blocks) for layer in self.layers]
        self.n_weights = max(layer.convolution.n_weights for layer in self.layers)
        self.library = library(model.config.l_max, model.dtype)

    def energy_and_derivatives(
        self,
        batch: Batch,
        *,
        forces: bool = True,
        virial: bool = False,
        create_graph: bool = False,
    ) -> Prediction:
        """Do what `nequip_openmm.model.derivatives.energy_and_derivatives` does.

        With ``create_graph`` the results can be differentiated once, with respect to parameters.
        """
        with torch.set_grad_enabled(create_graph):
            vectors = pair_vectors(batch)
            atomic_energies, g = self.energies_and_gradients(vectors, batch)
            energy = torch.zeros_like(batch.cell[:, 0, 0]).index_add(
                0, batch.graph, atomic_energies
            )
            return Prediction(
                energy=energy,
                atomic_energies=atomic_energies,
                forces=forces_of(g, batch) if forces else None,
                virial=virial_of(g, vectors, batch) if virial else None,
            )

    def energies_and_gradients(self, vectors: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the energy of every atom (N,) in eV and dE/dvector (E, 3) in eV/Å of the sum of all, float64."""
        model, types = self.model, batch.types
        dtype = model.dtype
        pairs, first_pair = self._pairs(vectors, batch)
        type_i, type_j = types[batch.edge_index[0]], types[batch.edge_index[1]]
        r = vectors.square().sum(1).sqrt()
        y, jacobian = harmonics_and_jacobian(model.edge_embedding.spherical_harmonics, vectors, r)
        norm = model.norms[type_j].unsqueeze(1)  # of the atom that sends: messages are linear in y
        y, jacobian = y * norm, jacobian * norm.unsqueeze(1)

        basis, slope = radial_basis(
            model.edge_embedding, r[first_pair], type_i[first_pair], type_j[first_pair]
        )
        stacked = torch.stack([basis, slope]).to(dtype)
        radial = [value_and_slope(layer.radial, stacked, self.library) for layer in self.layers]
        embedding = model.type_embedding.weight
        typed = fold_embedding(embedding, self.typed_weights, self.typed_scales, self.library)
        scale = model.scale_shift.scales[types]
        epsilon, gy, gr = Passes.apply(
            self,
            pairs,
            types,
            y.to(dtype),
            scale.to(dtype),
            embedding,
            *radial,
            *typed,
            *self.weights,
        )
        energies = model.scale_shift(epsilon, types)
        g = torch.bmm(jacobian, gy.double().unsqueeze(2)).squeeze(2)
        direction = vectors[first_pair] / r[first_pair].unsqueeze(1)
        g = g.index_add(0, first_pair, direction * gr.double())
        if model.zbl is None:
            return energies, g
        pair_energies, slopes = self._repulsion(model.zbl, vectors, type_i, type_j)
        return energies.index_add(0, batch.edge_index[0], pair_energies), g + slopes

    def _pairs(self, vectors: Tensor, batch: Batch) -> tuple[Neighbours, Tensor]:
        """Return the neighbours with rows of weights, and the pair (rows,) whose distance each belongs to."""
        worth = len(vectors) * self.n_weights // WEIGHTS_PER_THREAD
        n_parts = max(1, min(self.threads or torch.get_num_threads(), worth))
        pairs = Neighbours.create(batch.edge_index, len(batch.types), n_parts)
        if self.model.edge_embedding.has_pair_cutoffs:  # opposite pairs differ
            return pairs, torch.arange(len(vectors))
        first_pair = torch.empty_like(pairs.row)
        count = self.library.share_rows(
            ctypes.byref(pairs.c),
            ctypes.c_int64(pairs.n_parts),
            *(address(array) for array in (pairs.bounds, vectors, pairs.row, first_pair)),
        )
        return pairs, first_pair[:count].long()

    @torch.enable_grad()
    def _repulsion(
        self, zbl: ZBL, vectors: Tensor, type_i: Tensor, type_j: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energies of pairs and their derivatives, which have no parameters."""
        vectors = vectors.detach().requires_grad_()
        r, f, *_ = self.model.edge_embedding(vectors, type_i, type_j)
        energies = zbl(r, f, type_i, type_j)
        (slopes,) = torch.autograd.grad(energies.sum(), vectors)
        return energies.detach(), slopes


def pair_vectors(batch: Batch) -> Tensor:
    """Return r_j - r_i + shift @ cell (E, 3) in Å, sorted as the pairs are."""
    i, j = batch.edge_index
    cells = batch.cell.index_select(0, batch.graph.index_select(0, i))
    images = torch.bmm(batch.shifts.unsqueeze(1), cells).squeeze(1)
    return batch.positions.index_select(0, j) - batch.positions.index_select(0, i) + images


def forces_of(g: Tensor, batch: Batch) -> Tensor:
    """Return forces (N, 3) from dE/dvector (E, 3)."""
    i, j = batch.edge_index
    return torch.zeros_like(batch.positions).index_add(0, i, g).index_add(0, j, -g)


def virial_of(g: Tensor, vectors: Tensor, batch: Batch) -> Tensor:
    """Return -dE/dε (B, 3, 3) for a symmetric strain ε of all pair vectors."""
    products = vectors.unsqueeze(2) * g.unsqueeze(1)
    symmetric = -0.5 * (products + products.transpose(1, 2))
    graph = batch.graph.index_select(0, batch.edge_index[0])
    return torch.zeros_like(batch.cell).index_add(0, graph, symmetric)


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
        counts = [len(fused.layers), len(fused.typed_weights), len(fused.weights)]
        run = NetworkRun(fused, pairs, types, y, embedding, *split(tensors, counts))
        epsilon = run.forward()
        ctx.run, ctx.scale = run, scale
        return epsilon, *run.backward(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
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
        x = self.embedding[self.types].flatten()
        for layer in self.layers:
            x = layer.forward(x)
        return self.readout.forward(x)

    def backward(self, scale: Tensor) -> tuple[Tensor, Tensor]:
        gy, gr = torch.zeros_like(self.y), self.y.new_zeros(self.n_rows, 1)
        g = self.readout.backward(scale)
        for layer in reversed(self.layers):
            g = layer.backward(g, gy, gr)
        return gy, gr

    def tangent(self, direction: Direction) -> Tensor:
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
