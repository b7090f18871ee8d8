"""Distributions of a data set: what they are of, and what their bins are in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HISTOGRAMS", "Histogram", "Quantity"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Quantity:
    """What a histogram is of; ``phrase`` says in words which frames a range of it picks."""

    title: str
    unit: str
    per_atom: bool
    phrase: str


HISTOGRAMS: Mapping[str, Quantity] = {
    "energies_per_atom": Quantity("Energy / atom", "eV", False, "energy per atom {}"),
    "force_norms": Quantity("Force", "eV/Å", True, "an atom with a force of {}"),
    "neighbours": Quantity("Neighbours", "", True, "an atom with {} neighbours"),
    "nearest": Quantity("Nearest atom", "Å", True, "an atom with its nearest at {}"),
}
"""Name of the array -> what it holds."""


@dataclass(frozen=True)
class Histogram:
    """Counts of all values of a quantity; bins are half-open, the last one closed."""

    name: str
    edges: FloatArray
    counts: IntArray

    @property
    def quantity(self) -> Quantity:
        """What is counted."""
        return HISTOGRAMS[self.name]

    def range_text(self, first: int, last: int) -> str:
        """Return what the bins ``first`` to ``last`` span, with the unit."""
        low, high = float(self.edges[first]), float(self.edges[last + 1])
        if not self.quantity.unit:  # whole numbers, in the middle of bins
            low, high = np.ceil(low), np.floor(high)
            return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        digits = max(0, 2 - int(np.floor(np.log10(max(high - low, 1e-12)))))
        return f"{low:.{digits}f} to {high:.{digits}f} {self.quantity.unit}".replace("-", "\u2212")

    def short_phrase(self, first: int, last: int) -> str:
        """Return what the bins are of, and their range."""
        return f"{self.quantity.title} {self.range_text(first, last)}"

    def phrase(self, first: int, last: int) -> str:
        """Return in words which frames the bins pick."""
        return self.quantity.phrase.format(self.range_text(first, last))
