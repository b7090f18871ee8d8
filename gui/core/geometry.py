"""What is told about a structure in a line: formula, cell, distances."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from gui.core.elements import symbol

__all__ = ["cell_text", "distance", "formula"]

FloatArray = NDArray[np.float64]


def formula(numbers: NDArray[np.int64]) -> str:
    """Return the formula in Hill's order, carbon and hydrogen first where there is carbon: ``CH4O``."""
    kinds, counts = np.unique(numbers, return_counts=True)
    found = {symbol(int(kind)): int(count) for kind, count in zip(kinds, counts)}
    first = [name for name in ("C", "H") if "C" in found and name in found]
    names = first + sorted(name for name in found if name not in first)
    return "".join(name + (str(found[name]) if found[name] > 1 else "") for name in names)


def cell_text(cell: FloatArray) -> str:
    """Return lengths in Å, and angles where one is not right."""
    lengths = np.linalg.norm(cell, axis=1)
    used = lengths > 0
    text = " × ".join(f"{length:.2f}" for length in lengths[used]) + " Å"
    if used.all():
        units = cell / lengths[:, None]
        cosines = [units[1] @ units[2], units[0] @ units[2], units[0] @ units[1]]
        angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
        if np.any(np.abs(angles - 90) > 0.01):
            text += ", " + ", ".join(f"{angle:.1f}°" for angle in angles)
    return text


def distance(first: FloatArray, second: FloatArray, cell: FloatArray) -> float:
    """Return the distance in Å of two places, or of one from the nearest image of the other."""
    vector = second - first
    if not np.any(cell):
        return float(np.linalg.norm(vector))
    nearest = vector - np.round(vector @ np.linalg.pinv(cell)) @ cell
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    return float(np.linalg.norm(nearest + steps @ cell, axis=1).min())
