"""Means with errors over a run of any length, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.analysis.statistics import Mean, block_average

__all__ = ["BlockMeans", "Running"]

FloatArray = NDArray[np.float64]


class Running(NamedTuple):
    """A mean against the part of the rows that it was taken over.

    Attributes
    ----------
    x
        (n,) up to which part of all rows, from 0 to 1.
    mean, error
        (n,) mean and its standard error; NaN where it cannot be told.
    """

    x: FloatArray
    mean: FloatArray
    error: FloatArray


class BlockMeans:
    """Keeps means of blocks of rows; when there are too many, neighbours are averaged and blocks become twice as long.

    Means of long blocks are all that the blocking method needs for its error, so that nothing is lost by it.

    Parameters
    ----------
    capacity
        Number of blocks kept, even.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._blocks: dict[str, list[float]] = {}
        self._rest: dict[str, list[float]] = {}
        self.length = 1
        """Rows in a block."""
        self.rows = 0
        """Rows added."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what is averaged."""
        return tuple(self._blocks)

    def add(self, columns: Mapping[str, FloatArray]) -> None:
        """Add rows; all columns have the same length, and are the same in every call."""
        for name, values in columns.items():
            self._blocks.setdefault(name, [])
            self._rest.setdefault(name, []).extend(values.tolist())
        self.rows += len(next(iter(columns.values()), ()))
        self._fold()

    def mean(self, column: str, skip: float = 0.2) -> Mean:
        """Return the mean and its error without the first ``skip`` of the rows, where the system relaxes."""
        blocks = np.array(self._blocks.get(column, ()), dtype=np.float64)
        kept = blocks[int(skip * len(blocks)) :]
        found = block_average(kept)
        return Mean(found.value, found.error, found.block * self.length)

    def running(self, column: str, skip: float = 0.2, points: int = 48) -> Running:
        """Return the mean as it has become what it is, with its error at each point."""
        blocks = np.array(self._blocks.get(column, ()), dtype=np.float64)
        first = int(skip * len(blocks))
        ends = np.unique(np.linspace(first + 4, len(blocks), points).astype(int))
        ends = ends[(ends > first) & (ends <= len(blocks))]
        found = [block_average(blocks[first:end]) for end in ends]
        return Running(
            ends / max(len(blocks), 1),
            np.array([mean.value for mean in found]),
            np.array([mean.error for mean in found]),
        )

    def clear(self) -> None:
        """Forget everything."""
        self._blocks, self._rest = {}, {}
        self.length, self.rows = 1, 0

    def _fold(self) -> None:
        for name, rest in self._rest.items():
            whole = len(rest) // self.length * self.length
            new = np.array(rest[:whole]).reshape(-1, self.length).mean(axis=1)
            self._blocks[name] += new.tolist()
            self._rest[name] = rest[whole:]
        while any(len(blocks) > self._capacity for blocks in self._blocks.values()):
            self._double()

    def _double(self) -> None:
        for name, blocks in self._blocks.items():
            if len(blocks) % 2:  # the odd last block goes back among single rows, as their mean
                self._rest[name] = [blocks.pop()] * self.length + self._rest[name]
            pairs = np.array(blocks).reshape(-1, 2).mean(axis=1)
            self._blocks[name] = pairs.tolist()
        self.length *= 2
