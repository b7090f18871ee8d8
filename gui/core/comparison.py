"""Labels and predictions of a data set, from the arrays that ``nequip-openmm evaluate --save`` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gui.core.elements import symbol

__all__ = ["Comparison", "ElementErrors", "Scatter"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MILLI = 1e3


class ElementErrors(NamedTuple):
    """Force errors on the atoms of one element, meV/Å, and how many atoms these are."""

    symbol: str
    mae: float
    rmse: float
    n_atoms: int


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points of a parity plot.

    Attributes
    ----------
    reference, predicted
        (P,) labels and predictions.
    frame
        (P,) which frame each belongs to, as a position in the comparison.
    atom
        (P,) which atom of that frame; -1 for energies.
    group
        (P,) atomic number for colours; 0 for energies.
    unit
        Of both.
    """

    reference: FloatArray
    predicted: FloatArray
    frame: IntArray
    atom: IntArray
    group: IntArray
    unit: str

    def __len__(self) -> int:
        return len(self.reference)

    @cached_property
    def errors(self) -> FloatArray:
        """(P,) prediction minus label."""
        return self.predicted - self.reference

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.errors).mean()) if len(self) else np.nan

    @property
    def rmse(self) -> float:
        """Root mean square error."""
        return float(np.sqrt((self.errors**2).mean())) if len(self) else np.nan

    @property
    def r2(self) -> float:
        """Coefficient of determination; NaN where the labels do not vary."""
        spread = float(((self.reference - self.reference.mean()) ** 2).sum()) if len(self) else 0.0
        return 1.0 - float((self.errors**2).sum()) / spread if spread > 0.0 else np.nan

    def nearest(self, x: float, y: float, span: float) -> int | None:
        """Return the point nearest to a place in the plot, if it is within a fiftieth of ``span``."""
        if not len(self) or not span > 0.0:
            return None
        distance = np.hypot(self.reference - x, self.predicted - y)
        nearest = int(distance.argmin())
        return nearest if distance[nearest] < span / 50.0 else None

    def worst(self) -> int | None:
        """Return the point with the largest error."""
        return int(np.abs(self.errors).argmax()) if len(self) else None


@dataclass(frozen=True, eq=False)
class Comparison:
    """A model beside the labels of some frames.

    Attributes
    ----------
    arrays
        See `nequip_openmm.training.comparison`.
    document
        Errors, as ``nequip-openmm evaluate --json`` prints them.
    """

    arrays: Mapping[str, NDArray[Any]]
    document: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Comparison:
        """Read a folder into memory, so that it may be removed."""
        document = json.loads((folder / "errors.json").read_text(encoding="utf-8"))
        return cls({path.stem: np.load(path) for path in folder.glob("*.npy")}, document)

    def __len__(self) -> int:
        return len(self.arrays["frames"])

    @cached_property
    def n_atoms(self) -> IntArray:
        """(F,) atoms of every frame."""
        return np.diff(self.arrays["offsets"])

    @cached_property
    def energies(self) -> Scatter:
        """Energies per atom, eV, relative to the mean label: absolute values differ from code to code."""
        reference = self.arrays["energies"] / self.n_atoms
        predicted = self.arrays["predicted_energies"] / self.n_atoms
        frames = np.flatnonzero(np.isfinite(reference))
        zero = reference[frames].mean() if len(frames) else 0.0
        none = np.zeros(len(frames), dtype=np.int64)
        return Scatter(
            reference[frames] - zero, predicted[frames] - zero, frames, none - 1, none, "eV/atom"
        )

    @cached_property
    def forces(self) -> Scatter:
        """Components of forces, eV/Å."""
        reference, predicted = self.arrays["forces"], self.arrays["predicted_forces"]
        atoms = np.repeat(np.flatnonzero(np.isfinite(reference).all(axis=1)), 3)
        frame = np.repeat(np.arange(len(self)), self.n_atoms)[atoms]
        within = atoms - self.arrays["offsets"][frame]
        component = np.tile(np.arange(3), len(atoms) // 3)
        return Scatter(
            reference[atoms, component],
            predicted[atoms, component],
            frame,
            within,
            self.arrays["numbers"][atoms],
            "eV/Å",
        )

    @property
    def force_rms(self) -> float:
        """Root mean square of the labels' components, eV/Å."""
        forces = self.forces
        return float(np.sqrt((forces.reference**2).mean())) if len(forces) else np.nan

    @cached_property
    def by_element(self) -> tuple[ElementErrors, ...]:
        """Errors of the elements, in the order of their numbers."""
        forces = self.forces
        rows = []
        for number in np.unique(forces.group):
            errors = forces.errors[forces.group == number]
            mae, rmse = np.abs(errors).mean(), np.sqrt((errors**2).mean())
            rows.append(
                ElementErrors(symbol(int(number)), MILLI * mae, MILLI * rmse, len(errors) // 3)
            )
        return tuple(rows)

    def frame(self, index: int, atom: int = -1, source: str = "") -> dict[str, Any]:
        """Return a frame for the inspector, with the error of every atom's force as its colour."""
        offsets = self.arrays["offsets"]
        atoms = slice(int(offsets[index]), int(offsets[index + 1]))
        forces = self.arrays["forces"][atoms]
        has_forces = bool(np.isfinite(forces).all())
        number = int(self.arrays["frames"][index])
        return {
            "title": f"{source}, frame {number}" if source else f"Frame {number}",
            "numbers": self.arrays["numbers"][atoms],
            "positions": self.arrays["positions"][atoms],
            "cell": self.arrays["cells"][index],
            "pbc": self.arrays["pbc"][index],
            "forces": forces if has_forces else None,
            "atom": atom,
        }
