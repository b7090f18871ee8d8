"""The equivariant convolution: messages from neighbours, summed over them.

m_i = Σ_j R(r_ij) (x_j ⊗ Y(r_ij)), where ⊗ is the tensor product of representations and R a learnt function of the distance
for every path and channel.

Source: Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5, eq. 5; Thomas et al., arXiv:1802.08219.
"""

import torch
from torch import Tensor, nn

from nequip_openmm.model.irreps import CouplingRows, LayerPlan, Path
from nequip_openmm.model.radial import ScalarMLP

__all__ = ["Convolution"]


class Convolution(nn.Module):
    """Sum of tensor-product messages; blocks of `LayerPlan.irreps_in` in, of `LayerPlan.after_product` out.

    Parameters
    ----------
    plan
        The layer's irreps and paths.
    rows
        Where the model stacks the matrix of every (l1, l2, l3).
    radial_widths
        Number of radial basis functions, then width of every hidden layer of the radial network.
    """

    def __init__(self, plan: LayerPlan, rows: CouplingRows, radial_widths: list[int]) -> None:
        super().__init__()
        by_block = [
            [path for path in plan.paths if path.block_in == a] for a in range(len(plan.irreps_in))
        ]
        self.orders = [ir.l for _, ir in plan.irreps_in]
        self.products = nn.ModuleList(
            BlockProduct(l1, paths, rows) for l1, paths in zip(self.orders, by_block)
        )
        self.n_weights = [len(paths) * mul for paths, (mul, _) in zip(by_block, plan.irreps_in)]
        self.radial = ScalarMLP([*radial_widths, sum(self.n_weights)])
        # Paths to the same irrep become channels of one block, in the order of the paths.
        self.merged = [
            [k for k, path in enumerate(plan.paths) if path.ir_out == ir]
            for _, ir in plan.after_product
        ]

    def forward(
        self,
        features: list[Tensor],
        radial_basis: Tensor,
        couplings: list[Tensor],
        edge_index: Tensor,
    ) -> list[Tensor]:
        """Convolve.

        Parameters
        ----------
        features
            Blocks (N, 2l+1, channels).
        radial_basis
            (E, n_bessels).
        couplings
            For every l1 the stacked matrices (E, rows, 2 l1 + 1).
        edge_index
            (2, E): centre, neighbour.
        """
        weights = torch.split(self.radial(radial_basis), self.n_weights, dim=1)
        outputs: list[Tensor] = []
        for a, product in enumerate(self.products):
            outputs += product(features[a], couplings[self.orders[a]], weights[a], edge_index)
        return [torch.cat([outputs[k] for k in paths], dim=2) for paths in self.merged]


class BlockProduct(nn.Module):
    """All paths that begin at one block of features, in one batched matrix product."""

    rows: Tensor
    path_of_row: Tensor

    def __init__(self, l1: int, paths: list[Path], rows: CouplingRows) -> None:
        super().__init__()
        self.sizes = [path.ir_out.dim for path in paths]
        taken = [
            rows.first[l1, path.l_filter, path.ir_out.l] + k
            for path in paths
            for k in range(path.ir_out.dim)
        ]
        path_of_row = [k for k, size in enumerate(self.sizes) for _ in range(size)]
        self.takes_all_rows = taken == list(range(rows.count[l1]))
        self.register_buffer("rows", torch.tensor(taken), persistent=False)
        self.register_buffer("path_of_row", torch.tensor(path_of_row), persistent=False)

    def forward(
        self, x: Tensor, coupling: Tensor, weights: Tensor, edge_index: Tensor
    ) -> list[Tensor]:
        """Return one block (N, 2 l3 + 1, channels) for every path."""
        if not self.takes_all_rows:
            coupling = coupling.index_select(1, self.rows)
        x_j = x.index_select(0, edge_index[1])  # (E, 2 l1 + 1, channels)
        w = weights.view(weights.shape[0], len(self.sizes), x.shape[2])  # (E, paths, channels)
        if x.shape[1] == 1:  # weigh the one component of scalars before it becomes many
            messages = coupling * (x_j * w).index_select(1, self.path_of_row)
        else:
            messages = torch.bmm(coupling, x_j) * w.index_select(1, self.path_of_row)
        total = torch.zeros(
            [x.shape[0], messages.shape[1], x.shape[2]], dtype=x.dtype, device=x.device
        ).index_add(0, edge_index[0], messages)
        return list(torch.split(total, self.sizes, dim=1))
