"""Real spherical harmonics and their couplings to features, in e3nn's basis and signs."""

import math

import torch
from e3nn.o3 import spherical_harmonics, wigner_3j
from torch import Tensor, nn

from nequip_openmm.model.irreps import CouplingRows

__all__ = ["Couplings", "SphericalHarmonics"]


class SphericalHarmonics(nn.Module):
    """Y_0 ... Y_lmax of a direction, with |Y_l|² = 2l + 1; l = 1 is √3 (x, y, z).

    Unlike e3nn's module of the same name, with which it agrees to rounding, it can be copied and pickled.
    """

    def __init__(self, l_max: int) -> None:
        super().__init__()
        self.l_max = l_max
        self.steps = nn.ModuleList(NextHarmonic(order) for order in range(1, l_max))

    def forward(self, n: Tensor) -> Tensor:
        """Map unit vectors (E, 3) to harmonics (E, (l_max + 1)²)."""
        harmonics = [torch.ones_like(n[:, :1])]
        if self.l_max > 0:
            y_1 = math.sqrt(3.0) * n
            y_l = y_1
            harmonics.append(y_l)
            for step in self.steps:
                y_l = step(y_l, y_1)
                harmonics.append(y_l)
        return torch.cat(harmonics, dim=1)


class NextHarmonic(nn.Module):
    """Y_(l+1) ∝ C^(l 1 l+1) Y_l ⊗ Y_1; the factor is fixed by comparison with e3nn in one direction."""

    c: Tensor

    def __init__(self, order: int) -> None:
        super().__init__()
        n = torch.tensor([0.36, 0.48, 0.8], dtype=torch.float64)
        y_1, y_l, wanted = (
            spherical_harmonics(k, n, True, "component") for k in (1, order, order + 1)
        )
        c = wigner_3j(order, 1, order + 1, dtype=torch.float64).reshape(-1, 2 * order + 3)
        found = torch.outer(y_l, y_1).reshape(-1) @ c
        self.register_buffer("c", c * ((wanted @ found) / (found @ found)), persistent=False)

    def forward(self, y_l: Tensor, y_1: Tensor) -> Tensor:
        return (y_l.unsqueeze(2) * y_1.unsqueeze(1)).flatten(1) @ self.c


class Couplings(nn.Module):
    """Clebsch-Gordan coefficients contracted with the harmonics of every pair, once for all layers and channels.

    M_ki = √(2 l3 + 1) Σ_j C^(l1 l2 l3)_ijk Y^(l2)_j is the matrix that takes the components i of a feature of order l1 to
    the components k of a message of order l3. For every l1 the matrices of all (l2, l3) in use are stacked along k.

    Parameters
    ----------
    rows
        Which (l1, l2, l3) are in use and where their matrices lie.
    """

    table: Tensor

    def __init__(self, rows: CouplingRows) -> None:
        super().__init__()
        tables = [_coupling_table(l1, l2, l3, rows.l_max) for l1, l2, l3 in rows.first]
        self.register_buffer("table", torch.cat(tables, dim=1), persistent=False)
        self.n_rows = rows.count
        self.sizes = [(2 * l1 + 1) * n for l1, n in enumerate(rows.count)]

    def forward(self, harmonics: Tensor) -> list[Tensor]:
        """Map harmonics (E, (l_max + 1)²) to one matrix (E, rows, 2 l1 + 1) for every l1."""
        flat = harmonics @ self.table.to(harmonics.dtype)
        stacks = torch.split(flat, self.sizes, dim=1)
        return [
            stack.view(harmonics.shape[0], self.n_rows[l1], 2 * l1 + 1)
            for l1, stack in enumerate(stacks)
        ]


def _coupling_table(l1: int, l2: int, l3: int, l_max: int) -> Tensor:
    """Return the map from harmonics ((l_max + 1)²) to the flat matrix ((2 l3 + 1) (2 l1 + 1))."""
    c = wigner_3j(l1, l2, l3, dtype=torch.float64) * math.sqrt(2 * l3 + 1)  # (i, j, k)
    table = torch.zeros((l_max + 1) ** 2, (2 * l3 + 1) * (2 * l1 + 1), dtype=torch.float64)
    table[l2**2 : (l2 + 1) ** 2] = c.permute(1, 2, 0).reshape(2 * l2 + 1, -1)
    return table
