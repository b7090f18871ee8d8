"""NequIP for training on forces: energies, their derivatives with respect to pair vectors, and the derivatives of both with respect to
all weights, with nothing for autograd to record between pairs and energies.
"""

from __future__ import annotations

import ctypes
from typing import cast

import torch
from torch import Tensor

from nequip_openmm.data.batch import Batch
from nequip_openmm.kernels.convolution import Neighbours
from nequip_openmm.kernels.geometry import PairGeometry
from nequip_openmm.kernels.layers import LayerForm, ReadoutForm
from nequip_openmm.kernels.library import address, library
from nequip_openmm.kernels.passes import Passes
from nequip_openmm.kernels.radial import value_and_slope
from nequip_openmm.kernels.species import fold_embedding
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.irreps import plan_layers
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.model.zbl import ZBL

__all__ = ["FusedNequIP"]

WEIGHTS_PER_THREAD = 50_000
"""Numbers w in the largest convolution that are worth a thread; with fewer, threads wait longer than they work."""


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
        type_i, type_j = types[batch.edge_index[0]], types[batch.edge_index[1]]
        pairs, first_pair = self._pairs(vectors, batch)
        geometry = PairGeometry.create(model, vectors, type_i, type_j, first_pair)
        epsilon, gy, gr = self._network(pairs, geometry, types)
        energies, g = model.scale_shift(epsilon, types), geometry.gradient(gy, gr)
        if model.zbl is None:
            return energies, g
        pair_energies, slopes = self._repulsion(model.zbl, vectors, type_i, type_j)
        return energies.index_add(0, batch.edge_index[0], pair_energies), g + slopes

    def _network(
        self, pairs: Neighbours, geometry: PairGeometry, types: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the energies without scale and shift, and the derivatives of `PairGeometry.gradient`."""
        dtype, embedding = self.model.dtype, self.model.type_embedding.weight
        basis = geometry.basis.to(dtype)
        radial = [value_and_slope(layer.radial, basis, self.library) for layer in self.layers]
        typed = fold_embedding(embedding, self.typed_weights, self.typed_scales, self.library)
        scale = self.model.scale_shift.scales[types].to(dtype)
        y = geometry.y.to(dtype)
        weights = (*radial, *typed, *self.weights)
        return Passes.apply(self, pairs, types, y, scale, embedding, *weights)

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
