"""Averages over the structures of a simulation that is still running: distances between atoms, and how far atoms get."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.analysis.pairs import PairHistogram, largest_radius

__all__ = ["RunningDisplacements", "RunningDistances"]

FloatArray = NDArray[np.float64]

LONGEST_ANGSTROM = 10.0
BIN_ANGSTROM = 0.05


class RunningDistances:
    """Distributions of the distances between atoms, by pair of elements, over all structures so far.

    For periodic systems g(r) up to half the smallest height of any cell so far, at most 10 Å; for molecules densities of
    probability, 1/Å, see `PairHistogram.distributions`.

    Parameters
    ----------
    symbols
        Element of every atom.
    is_periodic
        Whether structures repeat.
    """

    def __init__(self, symbols: Sequence[str], is_periodic: bool) -> None:
        edges = np.linspace(0.0, LONGEST_ANGSTROM, round(LONGEST_ANGSTROM / BIN_ANGSTROM) + 1)
        self._histogram = PairHistogram(symbols, edges, is_periodic)
        self.n_frames = 0

    def add(self, positions: FloatArray, cell: FloatArray) -> None:
        """Take in positions (N, 3) Å and cell (3, 3) Å with rows as vectors; of a molecule the cell is not looked at."""
        if self._histogram.is_periodic:
            radius = largest_radius([cell])
            if radius < self._histogram.edges[-1]:
                self._histogram.shorten(radius)
        self._histogram.add(positions, cell)
        self.n_frames += 1

    def state(self) -> dict[str, FloatArray]:
        """Return the average as arrays."""
        return {**self._histogram.state(), "frames": np.array(self.n_frames)}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from what `state` of the same atoms returned."""
        self._histogram.restore(state)
        self.n_frames = int(state["frames"])

    @property
    def radii(self) -> FloatArray:
        """(bins,) Å."""
        return self._histogram.centres

    def curves(self) -> dict[str, FloatArray]:
        """Return (bins,) for every pair of elements, such as ``"H-O"``."""
        return {"-".join(pair): curve for pair, curve in self._histogram.distributions().items()}


class RunningDisplacements:
    """Mean square displacements ⟨|r(t + τ) - r(t)|²⟩ by element, over all pairs of structures so far that are τ apart.

    Atoms are followed through the faces of the cell: between two structures none may move by half the cell. In a cell that
    changes, displacements are those relative to it.

    Parameters
    ----------
    symbols
        Element of every atom.
    is_periodic
        Whether structures repeat.
    lags
        The largest τ, in intervals between structures.
    """

    def __init__(self, symbols: Sequence[str], is_periodic: bool, lags: int = 50) -> None:
        self._elements = sorted(set(symbols))
        of_element = np.array([[s == e for e in self._elements] for s in symbols], dtype=np.float64)
        self._average = of_element / of_element.sum(axis=0)  # (N, elements)
        self._is_periodic = is_periodic
        self._past: deque[FloatArray] = deque(maxlen=lags)  # of followed positions, the last first
        self._fractional = np.zeros((0, 3))
        self._sums = np.zeros((lags, len(self._elements)))
        self._counts = np.zeros(lags)
        self.n_frames = 0

    def add(self, positions: FloatArray, cell: FloatArray) -> None:
        """Take in positions (N, 3) Å and cell (3, 3) Å with rows as vectors, one interval after those before."""
        followed = self._follow(positions, cell) if self._is_periodic else positions.copy()
        if self._past:
            moved = np.stack(self._past) - followed  # (lags so far, N, 3)
            n = len(moved)
            self._sums[:n] += (moved * moved).sum(axis=2) @ self._average
            self._counts[:n] += 1
        self._past.appendleft(followed)
        self.n_frames += 1

    def _follow(self, positions: FloatArray, cell: FloatArray) -> FloatArray:
        fractional = positions @ np.linalg.inv(cell)
        if not self._past:
            self._fractional = fractional
            return positions.copy()
        step = fractional - self._fractional
        self._fractional = fractional
        followed: FloatArray = self._past[0] + (step - np.round(step)) @ cell
        return followed

    def state(self) -> dict[str, FloatArray]:
        """Return the average, and the structures that later ones are compared with, as arrays."""
        return {
            "past": np.array(self._past),
            "fractional": self._fractional,
            "sums": self._sums,
            "counts": self._counts,
            "frames": np.array(self.n_frames),
        }

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from what `state` of the same atoms returned."""
        self._past = deque(state["past"], maxlen=self._past.maxlen)
        self._fractional, self._sums = state["fractional"], state["sums"]
        self._counts, self.n_frames = state["counts"], int(state["frames"])

    @property
    def n_lags(self) -> int:
        """Number of τ that there is a value for."""
        return int((self._counts > 0).sum())

    def curves(self) -> dict[str, FloatArray]:
        """Return (n_lags,) Å² for every element, for τ of 1, 2, ... intervals."""
        n = self.n_lags
        means = self._sums[:n] / self._counts[:n, None]
        return dict(zip(self._elements, means.T))
