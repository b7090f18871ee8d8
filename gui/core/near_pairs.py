"""Pairs of points that are near each other, by sorting them into boxes. Plain numpy: SciPy's trees take a quarter of a second to import."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

__all__ = ["near_pairs"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# half of the 27 boxes around a box: each pair of boxes is looked at from one side
_HALF = [step for step in itertools.product((-1, 0, 1), repeat=3) if step >= (0, 0, 0)]


def near_pairs(points: FloatArray, reach: float) -> tuple[IntArray, IntArray]:
    """Return the pairs of points (N, 3) closer than ``reach``, each once, the lower number first."""
    if len(points) < 2:
        return np.empty(0, int), np.empty(0, int)
    box = np.floor((points - points.min(axis=0)) / reach).astype(np.int64) + 1
    strides = _strides(box.max(axis=0) + 2)
    key = box @ strides
    order = np.argsort(key, kind="stable")
    boxes, begin, count = np.unique(key[order], return_index=True, return_counts=True)
    found = [_between(boxes, begin, count, order, int(np.dot(step, strides))) for step in _HALF]
    first, second = (np.concatenate(part) for part in zip(*found))
    first, second = np.minimum(first, second), np.maximum(first, second)
    vector = points[first] - points[second]
    is_near = np.einsum("ij,ij->i", vector, vector) < reach**2
    return first[is_near], second[is_near]


def _strides(shape: IntArray) -> IntArray:
    return np.array([shape[1] * shape[2], shape[2], 1])


def _between(
    boxes: IntArray, begin: IntArray, count: IntArray, order: IntArray, step: int
) -> tuple[IntArray, IntArray]:
    """Return all pairs of a point in a box and one in the box that is ``step`` further."""
    there = np.searchsorted(boxes, boxes + step)
    there[there == len(boxes)] = 0
    here = np.flatnonzero(boxes[there] == boxes + step)
    there = there[here]
    n_pairs = count[here] * count[there]
    which = np.repeat(np.arange(len(here)), n_pairs)  # the pair of boxes of each pair of points
    within = np.arange(n_pairs.sum()) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    i = begin[here][which] + within // count[there][which]
    j = begin[there][which] + within % count[there][which]
    if step == 0:
        i, j = i[i < j], j[i < j]
    return order[i], order[j]
