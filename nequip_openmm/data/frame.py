"""One atomic structure, with or without the labels that a potential learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import ase
import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.errors import DataError

__all__ = ["Frame", "as_unlabelled_frame", "full_stress"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Atoms in space; the unit of exchange between data sets, potentials and simulations.

    Attributes
    ----------
    numbers
        (N,) atomic numbers.
    positions
        (N, 3) in Å; atoms may lie outside the cell.
    cell
        (3, 3) lattice vectors as rows in Å; zeros where there is no vector.
    pbc
        (3,) whether the structure repeats along each lattice vector.
    energy
        Total energy in eV, or None.
    forces
        (N, 3) in eV/Å, or None.
    stress
        (3, 3) symmetric, (dE/dε)/V in eV/Å³, tension positive as in ASE, or None.
    """

    numbers: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray
    pbc: NDArray[np.bool_]
    energy: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None

    @classmethod
    def create(
        cls,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike | None = None,
        pbc: ArrayLike = False,
        *,
        energy: float | None = None,
        forces: ArrayLike | None = None,
        stress: ArrayLike | None = None,
    ) -> Frame:
        """Build a frame from anything array-like, with shapes checked.

        Raises
        ------
        DataError
            If a shape does not fit the number of atoms.
        """
        z = np.asarray(numbers, dtype=np.int64).reshape(-1)
        n = len(z)
        return cls(
            numbers=z,
            positions=_shaped(positions, (n, 3), "positions"),
            cell=_shaped(np.zeros((3, 3)) if cell is None else cell, (3, 3), "cell"),
            pbc=np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)).copy(),
            energy=None if energy is None else float(energy),
            forces=None if forces is None else _shaped(forces, (n, 3), "forces"),
            stress=None if stress is None else _shaped(stress, (3, 3), "stress"),
        )

    @classmethod
    def from_ase(cls, atoms: ase.Atoms, *, labels: bool = True) -> Frame:
        """Take structure and ``labels`` (from an attached calculator's results, if any) out of ASE Atoms."""
        if not labels:
            return cls.create(atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc)
        stress = _label(atoms, "stress")
        return cls.create(
            atoms.numbers,
            atoms.positions,
            np.array(atoms.cell),
            atoms.pbc,
            energy=cast("float | None", _label(atoms, "energy")),
            forces=_label(atoms, "forces"),
            stress=None if stress is None else full_stress(stress),
        )

    def to_ase(self) -> ase.Atoms:
        """Return ASE Atoms; labels that are present sit on a `SinglePointCalculator`."""
        atoms = ase.Atoms(
            numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=self.pbc
        )
        stress = self.stress
        voigt = None if stress is None else stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        labels = {"energy": self.energy, "forces": self.forces, "stress": voigt}
        present = {name: value for name, value in labels.items() if value is not None}
        if present:
            atoms.calc = SinglePointCalculator(atoms, **present)
        return atoms

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of every atom."""
        return [ase.data.chemical_symbols[z] for z in self.numbers]

    def with_labels(self, **labels: Any) -> Frame:
        """Return the same structure with ``energy``, ``forces`` or ``stress`` replaced."""
        return replace(self, **labels)


def as_unlabelled_frame(structure: Frame | ase.Atoms) -> Frame:
    """Return a `Frame` without labels for a Frame or ASE Atoms; raises `DataError` for anything else."""
    if isinstance(structure, Frame):
        return structure.with_labels(energy=None, forces=None, stress=None)
    if isinstance(structure, ase.Atoms):
        return Frame.from_ase(structure, labels=False)
    raise DataError(f"expected ase.Atoms or Frame, got {type(structure).__name__}")


def _shaped(value: ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(value, dtype=np.float64)  # a copy: frames are values
    if array.shape != shape:
        raise DataError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def _label(atoms: ase.Atoms, name: str) -> Any:
    """Look a result up without computing anything."""
    if atoms.calc is None:
        return None
    try:
        return atoms.calc.get_property(name, atoms, allow_calculation=False)
    except PropertyNotImplementedError:
        return None


def full_stress(stress: ArrayLike) -> FloatArray:
    """Return a (3, 3) stress for one that may be a Voigt vector, xx, yy, zz, yz, xz, xy."""
    array = np.asarray(stress, dtype=np.float64)
    if array.shape == (6,):
        return array[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    return array.reshape(3, 3)
