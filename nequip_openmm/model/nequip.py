"""The NequIP model: from positions to the energy of every atom.

Source: Batzner, Musaelian, Sun, Geiger, Mailoa, Kornbluth, Molinari, Smidt, Kozinsky, Nat. Commun. 13, 2453 (2022),
doi:10.1038/s41467-022-29939-5. The definition is, number by number, that of the official package at version 0.19.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.embedding import EdgeEmbedding, TypeEmbedding
from nequip_openmm.model.harmonics import Couplings
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.irreps import CouplingRows, plan_layers
from nequip_openmm.model.readout import ScaleShift, readout_network
from nequip_openmm.model.zbl import ZBL

__all__ = ["NequIP"]


class NequIP(nn.Module):
    """E(3)-equivariant interatomic potential.

    Positions, displacements, radial basis, cutoff, harmonics, scale, shift and pair repulsion are float64; what lies
    between, the network, has the dtype of its weights (see `to_dtype`). Weights are drawn in float64 from torch's
    global random generator, so that one seed gives one model in either precision.

    Parameters
    ----------
    config
        The architecture.
    dtype
        Precision of the network.
    """

    __jit_unused_properties__: ClassVar[list[str]] = ["dtype", "device"]

    norms: Tensor

    def __init__(self, config: ModelConfig, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.config = config
        plans = plan_layers(config)
        rows = CouplingRows.create(plans, config.l_max)
        self.type_embedding = TypeEmbedding(len(config.species), config.embedding_width)
        self.edge_embedding = EdgeEmbedding(config)
        self.couplings = Couplings(rows)
        self.layers = nn.ModuleList(
            InteractionLayer(config, plan, rows, is_first=k == 0) for k, plan in enumerate(plans)
        )
        self.readout = readout_network(config)
        self.scale_shift = ScaleShift(config)
        self.zbl = ZBL(config.atomic_numbers) if config.zbl else None
        neighbours = config.by_species(config.avg_num_neighbors, 1.0)
        norms = torch.tensor([1.0 / math.sqrt(n) for n in neighbours], dtype=torch.float64)
        self.register_buffer("norms", norms, persistent=False)
        self.to_dtype(dtype)

    def forward(
        self,
        positions: Tensor,
        types: Tensor,
        edge_index: Tensor,
        shifts: Tensor,
        cell: Tensor,
        graph: Tensor,
    ) -> Tensor:
        """Return the energy (N,) of every atom in eV, float64.

        Parameters
        ----------
        positions
            (N, 3) float64, Å.
        types
            (N,) int64 indices into the species.
        edge_index
            (2, E) int64: row 0 the centre i, which receives; row 1 the neighbour j, which sends. Both directions of
            every pair.
        shifts
            (E, 3) float64 whole numbers of lattice vectors: r_ij = r_j - r_i + shift @ cell.
        cell
            (B, 3, 3) float64 lattice vectors as rows, Å.
        graph
            (N,) int64 number of the structure an atom belongs to.
        """
        i, j = edge_index[0], edge_index[1]
        vectors = positions.index_select(0, j) - positions.index_select(0, i)
        if cell.shape[0] == 1:
            vectors = vectors + shifts @ cell[0]
        else:
            edge_cells = cell.index_select(0, graph.index_select(0, i))
            vectors = vectors + torch.bmm(shifts.unsqueeze(1), edge_cells).squeeze(1)
        return self.atomic_energies(vectors, types, edge_index)

    def atomic_energies(self, vectors: Tensor, types: Tensor, edge_index: Tensor) -> Tensor:
        """Return the energy (N,) of every atom in eV from the pair vectors r_ij (E, 3) in Å, float64."""
        type_i, type_j = types[edge_index[0]], types[edge_index[1]]
        r, f, radial_basis, harmonics = self.edge_embedding(vectors, type_i, type_j)

        embedding = self.type_embedding.weight
        dtype = embedding.dtype
        radial_basis = radial_basis.to(dtype)
        couplings = self.couplings(harmonics.to(dtype))
        norm = self.norms[types].to(dtype).view(-1, 1, 1)

        features = [self.type_embedding(types).unsqueeze(1)]  # blocks (N, 2l+1, channels)
        for layer in self.layers:
            features = layer(features, types, embedding, norm, radial_basis, couplings, edge_index)
        epsilon = self.readout(features[0].squeeze(1)).squeeze(1)

        energies = self.scale_shift(epsilon, types)
        if self.zbl is not None:
            energies = energies.index_add(0, edge_index[0], self.zbl(r, f, type_i, type_j))
        return energies

    @torch.jit.unused
    def to_dtype(self, dtype: torch.dtype) -> "NequIP":
        """Set the precision of the network, float32 or float64, in place; the rest stays float64."""
        for part in (self.type_embedding, self.layers, self.readout):
            for parameter in part.parameters():
                parameter.data = parameter.data.to(dtype)
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network."""
        return self.type_embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.type_embedding.weight.device
