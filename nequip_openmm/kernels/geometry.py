"""What the network reads of pairs, with derivatives: radial basis, spherical harmonics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from nequip_openmm.model.embedding import EdgeEmbedding
from nequip_openmm.model.harmonics import NextHarmonic, SphericalHarmonics
from nequip_openmm.model.nequip import NequIP

__all__ = ["PairGeometry", "harmonics_and_jacobian", "radial_basis"]


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """Pairs as the network sees them, float64.

    Attributes
    ----------
    y
        (E, (l_max + 1)²) harmonics, times the normalisation of the atom that sends: messages are linear in both.
    jacobian
        (E, 3, (l_max + 1)²) their derivatives with respect to the pair vectors, 1/Å.
    basis
        (2, rows, n_bessels) radial basis, and its derivatives with respect to the distance.
    first_pair, direction
        (rows,) the pair whose distance a row belongs to, and (rows, 3) its unit vector.
    """

    y: Tensor
    jacobian: Tensor
    basis: Tensor
    first_pair: Tensor
    direction: Tensor

    @classmethod
    def create(
        cls, model: NequIP, vectors: Tensor, type_i: Tensor, type_j: Tensor, first_pair: Tensor
    ) -> PairGeometry:
        """Return the geometry of vectors (E, 3) in Å between atoms of known types (E,)."""
        embedding = model.edge_embedding
        r = vectors.square().sum(1).sqrt()
        y, jacobian = harmonics_and_jacobian(embedding.spherical_harmonics, vectors, r)
        norm = model.norms[type_j].unsqueeze(1)
        rows = r[first_pair], type_i[first_pair], type_j[first_pair]
        return cls(
            y=y * norm,
            jacobian=jacobian * norm.unsqueeze(1),
            basis=torch.stack(radial_basis(embedding, *rows)),
            first_pair=first_pair,
            direction=vectors[first_pair] / rows[0].unsqueeze(1),
        )

    def gradient(self, gy: Tensor, gr: Tensor) -> Tensor:
        """Return dE/dvector (E, 3) from dE/dy (E, (l_max + 1)²) and dE/dr (rows, 1)."""
        through_y = torch.bmm(self.jacobian, gy.double().unsqueeze(2)).squeeze(2)
        return through_y.index_add(0, self.first_pair, self.direction * gr.double())


def radial_basis(
    embedding: EdgeEmbedding, r: Tensor, type_i: Tensor, type_j: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the basis of `EdgeEmbedding` and its derivative with respect to r, both (rows, n_bessels).

    With u = r / r_c the basis is A(u) sin(π b u), where A = c f(u) / (π u), c the prefactor and f the envelope. Frequencies b get
    gradients where they are learnt.

    Parameters
    ----------
    embedding
        Cutoffs and frequencies.
    r
        (rows,) distances in Å.
    type_i, type_j
        (rows,) types of centre and neighbour.
    """
    cutoff = embedding.pair_cutoffs[type_i, type_j]
    u = r / cutoff
    f, df = _envelope(u, embedding.p)
    amplitude = embedding.prefactor / math.pi * f / u
    slope = embedding.prefactor / math.pi * (df - f / u) / u
    b = math.pi * embedding.bessel_frequencies
    phase = torch.outer(u, b)
    sine, cosine = torch.sin(phase), torch.cos(phase)
    basis = amplitude.unsqueeze(1) * sine
    along_u = slope.unsqueeze(1) * sine + amplitude.unsqueeze(1) * (b * cosine)
    return basis, along_u / cutoff.unsqueeze(1)


def _envelope(u: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """Return the polynomial cutoff f(u) and df/du = -p (p+1) (p+2) / 2 u^(p-1) (1 - u)²."""
    inside = (u < 1.0).to(u.dtype)
    power = u.pow(p - 1.0) * inside
    bracket = (p + 1.0) * (p + 2.0) / 2.0 - p * (p + 2.0) * u + p * (p + 1.0) / 2.0 * u * u
    slope = -0.5 * p * (p + 1.0) * (p + 2.0) * power * (1.0 - u).square()
    return inside - power * u * bracket, slope


def harmonics_and_jacobian(
    harmonics: SphericalHarmonics, vectors: Tensor, r: Tensor
) -> tuple[Tensor, Tensor]:
    """Return Y (E, (l_max + 1)²) of the directions of vectors (E, 3), and dY/dvector (E, 3, (l_max + 1)²).

    The recursion makes Y_l a homogeneous polynomial of degree l in n = vector / r, whose derivative along n is l Y_l, so that
    dY_l/dvector = (∂Y_l/∂n - l Y_l n) / r.
    """
    n = vectors / r.unsqueeze(1)
    values, slopes = [torch.ones_like(n[:, :1])], [torch.zeros_like(n).unsqueeze(2)]
    if harmonics.l_max > 0:
        y_1 = math.sqrt(3.0) * n
        d_1 = math.sqrt(3.0) * torch.eye(3, dtype=n.dtype).expand(len(n), 3, 3)
        y, d = y_1, d_1  # Y_l and ∂Y_l/∂n (E, 3, 2l + 1)
        values.append(y)
        slopes.append(d - y.unsqueeze(1) * n.unsqueeze(2))
        for k, step in enumerate(cast("list[NextHarmonic]", list(harmonics.steps))):
            table = step.c.view(y.shape[1], 3, -1)
            by_y = torch.matmul(y, math.sqrt(3.0) * table.permute(1, 0, 2))  # (3, E, 2l + 3)
            d = (d.unsqueeze(3) * y_1.view(-1, 1, 1, 3)).flatten(2) @ step.c + by_y.transpose(0, 1)
            y = step(y, y_1)
            values.append(y)
            slopes.append(d - (k + 2) * y.unsqueeze(1) * n.unsqueeze(2))
    return torch.cat(values, 1), torch.cat(slopes, 2) / r.view(-1, 1, 1)
