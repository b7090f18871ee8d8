"""What the network is told about atoms and pairs before any message is passed."""

import math

import torch
from torch import Tensor, nn

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.harmonics import SphericalHarmonics

__all__ = ["EdgeEmbedding", "TypeEmbedding", "polynomial_cutoff"]


def polynomial_cutoff(u: Tensor, p: float) -> Tensor:
    """Return the envelope f(u) that falls from 1 at u = 0 to 0 at u = 1, with two vanishing derivatives there.

    f(u) = 1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2) for u < 1, else 0.

    Source: Gasteiger et al., ICLR 2020, arXiv:2003.03123, eq. 8.
    """
    f = (
        1.0
        - (p + 1.0) * (p + 2.0) / 2.0 * u.pow(p)
        + p * (p + 2.0) * u.pow(p + 1.0)
        - p * (p + 1.0) / 2.0 * u.pow(p + 2.0)
    )
    return f * (u < 1.0)


class TypeEmbedding(nn.Module):
    """One learnt vector per element: the first features, and the attributes in every self-connection."""

    def __init__(self, n_types: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_types, width, dtype=torch.float64))

    def forward(self, types: Tensor) -> Tensor:
        """Map types (N,) to vectors (N, width)."""
        return self.weight[types]


class EdgeEmbedding(nn.Module):
    """Distance and direction of every pair, in float64.

    Radial part: B_n = (2π / r_c²) b_n sinc(b_n u) f(u), with u = r / r_c and frequencies b_n = 1, 2, ... (learnt on
    request). Where a pair of species has its own cutoff, u and f use it while the prefactor keeps the general one.
    Angular part: real spherical harmonics with |Y_l|² = 2l + 1, where l = 1 is √3 (x, y, z) / r.

    Source: Gasteiger et al., arXiv:2003.03123, eq. 7; Batzner et al., doi:10.1038/s41467-022-29939-5.
    """

    bessel_frequencies: Tensor
    pair_cutoffs: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        frequencies = torch.arange(1, config.num_bessels + 1, dtype=torch.float64)
        if config.bessel_trainable:
            self.bessel_frequencies = nn.Parameter(frequencies)
        else:
            self.register_buffer("bessel_frequencies", frequencies)
        cutoffs = [[config.pair_cutoff(i, j) for j in config.species] for i in config.species]
        self.register_buffer("pair_cutoffs", torch.tensor(cutoffs).double(), persistent=False)
        self.has_pair_cutoffs = config.per_edge_type_cutoff is not None
        self.cutoff = config.cutoff
        self.prefactor = 2.0 * math.pi / config.cutoff**2
        self.p = config.polynomial_cutoff_p
        self.spherical_harmonics = SphericalHarmonics(config.l_max)

    def forward(
        self, vectors: Tensor, type_i: Tensor, type_j: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embed pairs.

        Parameters
        ----------
        vectors
            (E, 3) r_j - r_i in Å, float64.
        type_i, type_j
            (E,) types of centre and neighbour.

        Returns
        -------
        tuple
            Distances (E,) in Å, envelope f (E,), radial basis (E, n_bessels), harmonics (E, (l_max + 1)²).
        """
        r = vectors.square().sum(1).sqrt()
        u = r / self.pair_cutoffs[type_i, type_j] if self.has_pair_cutoffs else r / self.cutoff
        f = polynomial_cutoff(u, self.p)
        b = self.bessel_frequencies
        waves = torch.sinc(u.unsqueeze(1) * b) * b  # (E, n_bessels)
        basis = waves * (self.prefactor * f).unsqueeze(1)
        return r, f, basis, self.spherical_harmonics(vectors / r.unsqueeze(1))
