"""Repulsion of screened nuclei, which no ab initio data set samples."""

import torch
from torch import Tensor, nn

__all__ = ["ZBL"]

COULOMB_EV_ANGSTROM = 14.399645  # e²/(4πε0), the value LAMMPS uses in metal units


class ZBL(nn.Module):
    """Universal potential of Ziegler, Biersack and Littmark, times the model's smooth cutoff.

    V(r) = e²/(4πε0) Z_i Z_j / r φ(r / a), φ(x) = Σ_k c_k exp(-d_k x), a = 0.46850 Å / (Z_i^0.23 + Z_j^0.23).
    Every pair appears twice, once from either atom, and gives half of V to each.

    Source: J. F. Ziegler, J. P. Biersack, U. Littmark, "The Stopping and Range of Ions in Matter", 1985; constants of
    LAMMPS `pair_style zbl`.
    """

    z: Tensor
    c: Tensor
    d: Tensor

    def __init__(self, atomic_numbers: tuple[int, ...]) -> None:
        super().__init__()
        self.half_coulomb = 0.5 * COULOMB_EV_ANGSTROM
        z = torch.tensor(atomic_numbers, dtype=torch.float64)
        self.register_buffer("z", z, persistent=False)
        c = torch.tensor([0.02817, 0.28022, 0.50986, 0.18175], dtype=torch.float64)
        d = torch.tensor([0.20162, 0.40290, 0.94229, 3.19980], dtype=torch.float64)
        self.register_buffer("c", c, persistent=False)
        self.register_buffer("d", d, persistent=False)

    def forward(self, r: Tensor, f: Tensor, type_i: Tensor, type_j: Tensor) -> Tensor:
        """Return the half pair energy (E,) in eV that belongs to the centre.

        Parameters
        ----------
        r, f
            (E,) distance in Å and cutoff envelope.
        type_i, type_j
            (E,) types of centre and neighbour.
        """
        z_i, z_j = self.z[type_i], self.z[type_j]
        x = r * (z_i.pow(0.23) + z_j.pow(0.23)) / 0.46850
        phi = torch.exp(-x.unsqueeze(1) * self.d) @ self.c
        return self.half_coulomb * z_i * z_j / r * phi * f
