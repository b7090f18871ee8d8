"""Means, errors and smoothing of the curves on the screen."""

from __future__ import annotations

import numpy as np

__all__ = ["Average", "average", "smoothed"]

from typing import NamedTuple

MIN_BLOCKS = 8


class Average(NamedTuple):
    """Mean of a correlated series and its standard error; the error is NaN where the series is too short to tell."""

    mean: float
    error: float


def average(y: np.ndarray) -> Average:
    """Return the mean of ``y`` with the error of block averages (Flyvbjerg and Petersen, doi:10.1063/1.457480).

    Neighbours are averaged in pairs until few blocks are left; the largest standard error met on the way counts.
    """
    y = np.asarray(y, dtype=float)
    if len(y) == 0:
        return Average(np.nan, np.nan)
    mean, error = float(y.mean()), np.nan
    while len(y) >= MIN_BLOCKS:
        error = np.fmax(error, y.std(ddof=1) / np.sqrt(len(y)))
        y = y[: len(y) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return Average(mean, float(error))


def smoothed(y: np.ndarray, width: int) -> np.ndarray:
    """Return the moving average over ``width`` points, as long as ``y``; ends are averaged over what is there."""
    if width <= 1 or len(y) < 2:
        return np.asarray(y, dtype=float)
    width = min(width, len(y))
    sums = np.concatenate([[0.0], np.cumsum(y)])
    half = width // 2
    first = np.clip(np.arange(len(y)) - half, 0, None)
    last = np.clip(np.arange(len(y)) - half + width, None, len(y))
    return (sums[last] - sums[first]) / (last - first)
