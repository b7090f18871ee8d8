"""Colours of a quantity: viridis, which grows evenly in brightness and which colour-blind people can read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEPS", "steps_of", "viridis"]

STEPS = 32  # colours that are told apart; each needs pictures of its own
# Every eighth of matplotlib's viridis (S. van der Walt and N. Smith, CC0).
_ANCHORS = (
    (0.267, 0.005, 0.329),
    (0.283, 0.141, 0.458),
    (0.254, 0.265, 0.530),
    (0.207, 0.372, 0.553),
    (0.164, 0.471, 0.558),
    (0.128, 0.567, 0.551),
    (0.135, 0.659, 0.518),
    (0.267, 0.749, 0.441),
    (0.478, 0.821, 0.318),
    (0.741, 0.873, 0.150),
    (0.993, 0.906, 0.144),
)


def viridis(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours (N, 3), RGB between 0 and 1, of numbers between 0 and 1."""
    anchors = np.array(_ANCHORS)
    at = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(fractions, at, channel) for channel in anchors.T], axis=1)


def steps_of(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    """Return for each value which of the `STEPS` colours between low and high it gets; the lowest if it is no number."""
    span = high - low if high > low else 1.0
    fractions = np.nan_to_num(np.clip((values - low) / span, 0, 1))
    return np.minimum((STEPS * fractions).astype(int), STEPS - 1)
