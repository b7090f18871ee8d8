"""Bounded columns over a common x that never lose a spike: what the live plots draw from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

__all__ = ["Series"]

FOLD = 512  # rows that are folded into buckets at once; as many of the newest stay as they came


class Series:
    """Samples of several columns, thinned to a fixed number of points as they grow.

    While there is room every sample is kept. After that neighbours share a bucket, of which the smallest and the largest
    value of each column are kept, at their own x; each time the buckets are full they are merged in pairs. Memory is fixed
    and an outlier is always visible.

    Parameters
    ----------
    columns
        Names of the columns.
    capacity
        Largest number of points that `arrays` returns for a column, apart from the newest few.
    """

    def __init__(self, columns: Iterable[str], capacity: int = 20_000) -> None:
        self.columns = tuple(columns)
        self.version = 0
        self._index = {name: number for number, name in enumerate(self.columns)}
        self._n_buckets = max(4, capacity // 2)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        width = len(self.columns)
        # low, high of each bucket and column; then the x at which they were met
        self._values = np.full((self._n_buckets, 2, width), np.nan)
        self._x = np.full((self._n_buckets, 2, width), np.nan)
        self._used = 0
        self._stride = 1  # rows in a full bucket, a power of two
        self._fill = 0  # rows in the last bucket
        self._pending: list[tuple[float, ...]] = []
        self._last: tuple[float, ...] | None = None
        self.version += 1

    def __len__(self) -> int:
        return self._used + len(self._pending)

    @property
    def last(self) -> dict[str, float]:
        """The newest sample with its ``x``; empty before the first."""
        if self._last is None:
            return {}
        return dict(zip(("x", *self.columns), self._last))

    def append(self, x: float, values: Mapping[str, float | None]) -> None:
        """Add a sample; columns that are missing, None or not finite leave a gap."""
        get = values.get
        row = (x, *[_number(get(name)) for name in self.columns])
        self._pending.append(row)
        self._last = row
        self.version += 1
        if len(self._pending) == 2 * FOLD:
            self._fold()

    def extend(self, x: Sequence[float], values: Mapping[str, Sequence[float]]) -> None:
        """Add many samples, such as those of a file."""
        columns = [values.get(name, [np.nan] * len(x)) for name in self.columns]
        for row in zip(x, *columns):
            self.append(row[0], dict(zip(self.columns, row[1:])))

    def cut(self, x: float) -> None:
        """Forget the samples at and after ``x``: a run that went back to a checkpoint tells them again."""
        self._pending = [row for row in self._pending if row[0] < x]
        ends = self._x[: self._used].max(axis=(1, 2), initial=-np.inf)
        while self._used and not ends[self._used - 1] < x:
            self._used -= 1
        self._fill = self._stride
        self._last = self._pending[-1] if self._pending else None
        self.version += 1

    def arrays(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of a column, in order of x, without gaps."""
        number = self._index[column]
        if self._stride == 1:
            x, y = self._x[: self._used, 0, number], self._values[: self._used, 0, number]
        else:
            x, y = self._interleaved(number)
        if self._pending:
            new = np.array([(row[0], row[number + 1]) for row in self._pending], dtype=float)
            x, y = np.concatenate([x, new[:, 0]]), np.concatenate([y, new[:, 1]])
        finite = np.isfinite(y)
        return x[finite], y[finite]

    def _interleaved(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the two extremes of each bucket in the order in which they came."""
        x, y = self._x[: self._used, :, number], self._values[: self._used, :, number]
        order = np.argsort(x, axis=1, kind="stable")
        return np.take_along_axis(x, order, 1).ravel(), np.take_along_axis(y, order, 1).ravel()

    def _fold(self) -> None:
        """Move the older pending rows into the fixed arrays."""
        rows = np.array(self._pending[:FOLD], dtype=float)
        del self._pending[:FOLD]
        while self._used + max(1, FOLD // self._stride) > self._n_buckets:
            self._merge_pairs()
        size = min(self._stride, FOLD)
        rows = rows.reshape(FOLD // size, size, -1)
        y = rows[:, :, 1:]
        x = np.broadcast_to(rows[:, :, :1], y.shape)
        if self._used and self._fill + FOLD <= self._stride:
            last = slice(self._used - 1, self._used)
            x, y = (
                np.concatenate(pair, axis=1)
                for pair in ((self._x[last], x), (self._values[last], y))
            )
            self._store(x, y, self._used - 1, 1)
            self._fill += FOLD
            return
        self._store(x, y, self._used, len(rows))
        self._used += len(rows)
        self._fill = size

    def _merge_pairs(self) -> None:
        """Halve the number of buckets; an odd last one stays as it is, shorter than its neighbours."""
        pairs = self._used // 2
        width = len(self.columns)
        y = self._values[: 2 * pairs].reshape(pairs, 4, width)
        x = self._x[: 2 * pairs].reshape(pairs, 4, width)
        odd = self._used % 2
        rest = self._values[self._used - 1].copy(), self._x[self._used - 1].copy()
        self._store(x.copy(), y.copy(), 0, pairs)
        if odd:
            self._values[pairs], self._x[pairs] = rest
        else:
            self._fill += self._stride
        self._used = pairs + odd
        self._stride *= 2

    def _store(self, x: np.ndarray, y: np.ndarray, first: int, number: int) -> None:
        """Keep the extremes of ``y (n, k, columns)``, and where they were, as ``number`` buckets from ``first``."""
        finite = np.isfinite(y)
        for side, arg in enumerate((np.argmin, np.argmax)):
            filler = np.inf if side == 0 else -np.inf
            at = arg(np.where(finite, y, filler), axis=1)[:, None]
            self._values[first : first + number, side] = np.take_along_axis(y, at, 1)[:, 0]
            self._x[first : first + number, side] = np.take_along_axis(x, at, 1)[:, 0]


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
