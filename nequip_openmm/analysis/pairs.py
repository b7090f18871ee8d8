"""Distances between atoms: radial distribution functions of periodic systems, distributions of distances in molecules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairHistogram", "element_pairs", "largest_radius"]

FloatArray = NDArray[np.float64]
Pair = tuple[str, str]


def element_pairs(symbols: Sequence[str]) -> list[Pair]:
    """Return the pairs of elements that atoms of a structure form, alphabetically; H-H only if there are two H."""
    elements = sorted(set(symbols))
    pairs = combinations_with_replacement(elements, 2)
    return [(a, b) for a, b in pairs if a != b or list(symbols).count(a) > 1]


def largest_radius(cells: Iterable[FloatArray]) -> float:
    """Return half the smallest height of all cells: below it, the nearest image found by rounding is the nearest.

    Parameters
    ----------
    cells
        (3, 3) each, rows are vectors, Å.
    """
    return min(0.5 / float(np.linalg.norm(np.linalg.inv(cell), axis=0).max()) for cell in cells)


@dataclass
class PairHistogram:
    """Counts of distances by pair of elements, over many structures of the same atoms.

    Attributes
    ----------
    symbols
        Element of every atom.
    edges
        (bins + 1,) Å, from 0, equally spaced.
    is_periodic
        Whether distances are those of nearest images; `edges` must then end at `largest_radius`.
    """

    symbols: Sequence[str]
    edges: FloatArray
    is_periodic: bool

    def __post_init__(self) -> None:
        self._first, self._second = np.triu_indices(len(self.symbols), k=1)
        pairs = element_pairs(self.symbols)
        number = {pair: k for k, pair in enumerate(pairs)}
        kinds = [
            number[min(a, b), max(a, b)]
            for a, b in zip(np.take(self.symbols, self._first), np.take(self.symbols, self._second))
        ]
        self._kind = np.array(kinds, dtype=np.int64)
        self._pairs = pairs
        self._counts = np.zeros((len(pairs), len(self.edges) - 1))
        self._density = np.zeros(len(pairs))  # sum over structures of pairs / V

    def add(self, positions: FloatArray, cell: FloatArray) -> None:
        """Count the distances of one structure.

        Parameters
        ----------
        positions
            (N, 3) Å; they need not lie in the cell.
        cell
            (3, 3) Å, rows are vectors.
        """
        d = positions[self._second] - positions[self._first]  # (N (N - 1) / 2, 3)
        if self.is_periodic:
            fractional = d @ np.linalg.inv(cell)
            d = (fractional - np.round(fractional)) @ cell
            self._density += np.bincount(self._kind, minlength=len(self._pairs)) / abs(
                np.linalg.det(cell)
            )
        n_bins = len(self.edges) - 1
        bins = (np.sqrt((d * d).sum(axis=1)) / self.edges[-1] * n_bins).astype(np.int64)
        inside = bins < n_bins
        cells = self._kind[inside] * n_bins + bins[inside]
        self._counts += np.bincount(cells, minlength=self._counts.size).reshape(self._counts.shape)

    def shorten(self, radius: float) -> None:
        """Keep the bins that end at a radius (Å) or before; what was counted in them stays."""
        kept = int(np.searchsorted(self.edges, radius, side="right")) - 1
        self.edges = self.edges[: max(kept, 0) + 1]
        self._counts = self._counts[:, : max(kept, 0)]

    def state(self) -> dict[str, FloatArray]:
        """Return all that was counted."""
        return {"edges": self.edges, "counts": self._counts, "density": self._density}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from what `state` of the same atoms returned."""
        self.edges, self._counts = state["edges"], state["counts"]
        self._density = state["density"]

    @property
    def centres(self) -> FloatArray:
        """(bins,) middle of every bin, Å."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def distributions(self) -> dict[Pair, FloatArray]:
        """Return a curve for every pair of elements.

        Periodic systems: g(r), the density of pairs at a distance over that of atoms without any order, in the same
        volumes. Molecules: the density of probability of a distance, 1/Å; its integral over all distances is 1.
        """
        if self.is_periodic:
            shells = 4.0 / 3.0 * np.pi * np.diff(self.edges**3)
            scale = 1.0 / (self._density[:, None] * shells)
        else:
            total = self._counts.sum(axis=1, keepdims=True) * np.diff(self.edges)
            scale = 1.0 / np.maximum(total, np.finfo(float).tiny)
        return dict(zip(self._pairs, self._counts * scale))
