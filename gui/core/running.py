"""Smoothing of the curves on the screen."""

from __future__ import annotations

import numpy as np

__all__ = ["smoothed"]


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
