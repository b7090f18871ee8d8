"""What an engine computes for i-PI, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Evaluator", "Results"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Results:
    """Energies and derivatives of n structures with N atoms.

    Attributes
    ----------
    energies
        (n,) eV.
    forces
        (n, N, 3) eV/Å.
    virials
        (n, 3, 3) symmetric -dE/dε in eV.
    extras
        n texts for i-PI: a JSON object each, with the same keys, or empty.
    """

    energies: FloatArray
    forces: FloatArray
    virials: FloatArray
    extras: Sequence[str]

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, rows: Sequence[int] | NDArray[np.int64]) -> Results:
        """Return some of the structures, in the order of ``rows``."""
        chosen = np.asarray(rows, dtype=np.int64)
        extras = [self.extras[k] for k in chosen]
        return Results(self.energies[chosen], self.forces[chosen], self.virials[chosen], extras)


class Evaluator(Protocol):
    """Anything that evaluates structures of one composition."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms N of every structure."""

    def evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        """Evaluate n structures at once.

        Parameters
        ----------
        positions
            (n, N, 3) Å, not wrapped into the cell.
        cells
            (n, 3, 3) Å, lattice vectors as rows.

        Raises
        ------
        UserError, RunFailed
            For structures that cannot be evaluated.
        """
