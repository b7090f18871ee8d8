"""Which components of features, harmonics and messages couple, and how strongly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from e3nn.o3 import wigner_3j

from nequip_openmm.model.harmonics import NextHarmonic

__all__ = ["Coupling", "couplings", "next_harmonic"]

NOTHING = 1e-10  # a coefficient that is zero but for rounding


class Coupling(NamedTuple):
    """One term of out[m3] = Σ value x[m1] y[m2]."""

    m1: int
    m2: int
    m3: int
    value: float


@cache
def couplings(l1: int, l2: int, l3: int) -> tuple[Coupling, ...]:
    """Return the terms of the tensor product of orders l1 (features) and l2 (harmonics) to l3, √(2 l3 + 1) C^(l1 l2 l3)."""
    return tuple(_nonzero(wigner_3j(l1, l2, l3, dtype=torch.float64) * math.sqrt(2 * l3 + 1)))


@cache
def next_harmonic(order: int) -> tuple[Coupling, ...]:
    """Return the terms of Y_(l+1)[m3] = Σ value Y_l[m1] Y_1[m2] for l = ``order``."""
    table = NextHarmonic(order).c.reshape(2 * order + 1, 3, 2 * order + 3)
    return tuple(_nonzero(table))


def _nonzero(table: torch.Tensor) -> Iterator[Coupling]:
    for m1, m2, m3 in table.abs().gt(NOTHING).nonzero().tolist():
        yield Coupling(m1, m2, m3, float(table[m1, m2, m3]))
