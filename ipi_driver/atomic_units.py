"""The border between i-PI (bohr, hartree, lattice vectors as columns) and the package (Å, eV, lattice vectors as rows)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipi_driver.evaluator import Results
from ipi_driver.protocol import AtomicResults
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

__all__ = [
    "cells_from_columns",
    "energies_in_hartree",
    "forces_in_atomic_units",
    "in_atomic_units",
    "positions_in_angstrom",
]

FloatArray = NDArray[np.float64]


def positions_in_angstrom(positions: ArrayLike) -> FloatArray:
    """Return positions (..., 3) given in bohr."""
    return np.asarray(positions, dtype=np.float64) * BOHR_TO_ANGSTROM


def cells_from_columns(h: ArrayLike) -> FloatArray:
    """Return lattice vectors as rows (..., 3, 3) in Å for i-PI's h, which has them as columns in bohr."""
    return np.swapaxes(np.asarray(h, dtype=np.float64), -1, -2) * BOHR_TO_ANGSTROM


def energies_in_hartree(energies: ArrayLike) -> FloatArray:
    """Return energies or virials, of any shape, given in eV."""
    return np.asarray(energies, dtype=np.float64) / HARTREE_TO_EV


def forces_in_atomic_units(forces: ArrayLike) -> FloatArray:
    """Return forces (..., 3) in hartree/bohr, given in eV/Å."""
    return np.asarray(forces, dtype=np.float64) * (BOHR_TO_ANGSTROM / HARTREE_TO_EV)


def in_atomic_units(results: Results) -> AtomicResults:
    """Return results as i-PI wants them.

    i-PI's virial is -dE/dε, not divided by the volume: the package's own. It is symmetric, so that rows and columns of
    the strain do not matter.
    """
    return AtomicResults(
        energies_in_hartree(results.energies),
        forces_in_atomic_units(results.forces),
        energies_in_hartree(results.virials),
        results.extras,
    )
