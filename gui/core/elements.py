"""How elements are drawn: symbol, colour and radius."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from numpy.typing import NDArray

__all__ = ["ball_radii", "bond_radii", "element_colours", "symbol"]

# Calmer than Jmol's for what is seen most; every other element keeps Jmol's colour. RGB, 0 to 255.
_TUNED = {
    1: (240, 240, 238),
    3: (172, 108, 214),
    5: (240, 176, 160),
    6: (98, 104, 114),
    7: (62, 101, 214),
    8: (222, 56, 46),
    9: (118, 200, 112),
    11: (139, 98, 214),
    12: (96, 178, 64),
    14: (222, 180, 136),
    15: (240, 144, 40),
    16: (240, 196, 48),
    17: (66, 190, 84),
    29: (200, 128, 66),
    35: (163, 62, 48),
}
_SMALLEST, _GROWTH = 0.18, 0.28  # Å; balls of different elements should differ less than the atoms


def symbol(number: int) -> str:
    """Return the symbol of an atomic number; "X" for what is no element."""
    return chemical_symbols[number] if 0 < number < len(chemical_symbols) else "X"


def element_colours(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the colour of each atom as (N, 3) RGB between 0 and 1."""
    table = jmol_colors.copy()
    for number, colour in _TUNED.items():
        table[number] = np.array(colour) / 255
    return np.asarray(table[np.clip(numbers, 0, len(table) - 1)])


def bond_radii(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the covalent radius of each atom in Å."""
    return np.asarray(covalent_radii[np.clip(numbers, 0, len(covalent_radii) - 1)])


def ball_radii(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the radius in Å at which each atom is drawn."""
    return _SMALLEST + _GROWTH * bond_radii(numbers)
