"""Which atoms are bonded, by distance, and how molecules are moved into the cell in one piece."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gui.core.elements import bond_radii
from gui.core.near_pairs import near_pairs

__all__ = ["Bonds", "find_bonds", "wrapped"]

TOLERANCE = 0.45  # Å beyond the sum of covalent radii, as Jmol and Open Babel have it

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Bonds(NamedTuple):
    """Bonds of N atoms, each once.

    Attributes
    ----------
    first, second
        (B,) the bonded atoms.
    shifts
        (B, 3) whole lattice vectors: the bond goes from ``positions[first]`` to ``positions[second] + shifts @ cell``.
    """

    first: IntArray
    second: IntArray
    shifts: IntArray

    @classmethod
    def none(cls) -> Bonds:
        """Return no bonds."""
        return cls(np.empty(0, int), np.empty(0, int), np.empty((0, 3), int))


def find_bonds(numbers: IntArray, positions: FloatArray, cell: FloatArray | None = None) -> Bonds:
    """Return the pairs of atoms closer than the sum of their covalent radii and 0.45 Å.

    Parameters
    ----------
    positions
        (N, 3) Å, wrapped into the cell or not.
    cell
        (3, 3) Å, rows are vectors; a row of zeros repeats nothing. None for no periodicity.
    """
    if len(numbers) == 0 or not np.isfinite(positions).all():
        return Bonds.none()
    radii = bond_radii(numbers)
    reach = 2 * radii.max() + TOLERANCE
    points, index, shifts = _with_images(positions, cell, reach)
    first, second = near_pairs(points, reach)
    is_atom = first < len(numbers)  # and not an image
    first, second = first[is_atom], second[is_atom]
    distance = np.linalg.norm(points[first] - points[second], axis=1)
    is_bond = distance < radii[index[first]] + radii[index[second]] + TOLERANCE
    first, second = first[is_bond], second[is_bond]
    bonds = Bonds(index[first], index[second], shifts[second] - shifts[first])
    return _each_once(bonds)


def wrapped(positions: FloatArray, cell: FloatArray, bonds: Bonds) -> tuple[FloatArray, IntArray]:
    """Return positions with the centre of every molecule inside the cell, and the lattice vectors (N, 3) that were added.

    A molecule that is bonded to its own images (a crystal, a polymer) has no centre: its atoms are moved one by one.
    """
    together, molecule, is_endless = _whole(len(positions), bonds)
    inverse = np.linalg.pinv(cell)
    fractional = positions @ inverse + together
    count = np.bincount(molecule)
    centres = np.stack([np.bincount(molecule, f) / count for f in fractional.T], axis=1)
    move = together - np.floor(centres + 1e-9).astype(int)[molecule]
    alone = is_endless[molecule]
    move[alone] = -np.floor(positions[alone] @ inverse + 1e-9).astype(int)
    move[:, ~np.any(cell, axis=1)] = 0
    return positions + move @ cell, move


def moved(bonds: Bonds, move: IntArray) -> Bonds:
    """Return the bonds of atoms that were moved by whole lattice vectors (N, 3)."""
    return bonds._replace(shifts=bonds.shifts + move[bonds.first] - move[bonds.second])


def _with_images(
    positions: FloatArray, cell: FloatArray | None, reach: float
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the atoms and those of their images that may bond with an atom: points, atom of each, its lattice vectors.

    The atoms themselves come first, each moved into the cell, which its lattice vectors tell.
    """
    n = len(positions)
    if cell is None or not np.any(cell):
        return positions, np.arange(n), np.zeros((n, 3), int)
    repeats = np.any(cell, axis=1)
    inverse = np.linalg.pinv(cell)
    fractional = positions @ inverse
    home = np.where(repeats, -np.floor(fractional).astype(int), 0)
    fractional = fractional + home
    # the distance of a plane of the cell from the opposite one is 1/|column of the inverse|
    margin = reach * np.linalg.norm(inverse, axis=0)
    ranges = [
        range(-int(np.ceil(m)), int(np.ceil(m)) + 1) if r else range(1)
        for m, r in zip(margin, repeats)
    ]
    chosen, steps = [np.arange(n)], [np.zeros((n, 3), int)]
    for step in itertools.product(*ranges):
        if any(step):
            image = fractional + step
            near = ((image > -margin) & (image < 1 + margin) | ~repeats).all(axis=1)
            chosen.append(np.flatnonzero(near))
            steps.append(np.tile(step, (int(near.sum()), 1)))
    index, shifts = np.concatenate(chosen), np.concatenate(steps)
    shifts = shifts + home[index]
    return positions[index] + shifts @ cell, index, shifts


def _each_once(bonds: Bonds) -> Bonds:
    """Turn every bond so that first ≤ second and drop what is there twice."""
    turn = bonds.first > bonds.second
    same = bonds.first == bonds.second
    sign = np.sign(bonds.shifts @ np.array([1_000_000, 1_000, 1]))
    turn |= same & (sign < 0)
    rows = np.column_stack(
        [
            np.where(turn, bonds.second, bonds.first),
            np.where(turn, bonds.first, bonds.second),
            np.where(turn[:, None], -bonds.shifts, bonds.shifts),
        ]
    )
    rows = np.unique(rows, axis=0)
    return Bonds(rows[:, 0], rows[:, 1], rows[:, 2:])


def _whole(n: int, bonds: Bonds) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
    """Return lattice vectors (N, 3) that put molecules together, the molecule of each atom, and which never end."""
    n_molecules, molecule = _components(n, bonds)
    offset, is_placed = np.zeros((n, 3), int), np.zeros(n, bool)
    is_placed[np.unique(molecule, return_index=True)[1]] = True
    a = np.concatenate([bonds.first, bonds.second])
    b = np.concatenate([bonds.second, bonds.first])
    shifts = np.concatenate([bonds.shifts, -bonds.shifts])
    while (edge := is_placed[a] & ~is_placed[b]).any():
        offset[b[edge]] = offset[a[edge]] + shifts[edge]
        is_placed[b[edge]] = True
    broken = (offset[b] != offset[a] + shifts).any(axis=1)
    is_endless = np.zeros(n_molecules, bool)
    is_endless[molecule[a[broken]]] = True
    return offset, molecule, is_endless


def _components(n: int, bonds: Bonds) -> tuple[int, IntArray]:
    """Return how many molecules there are, and which one each atom belongs to.

    Every atom takes the lowest number among its neighbours and the number of the atom of that number, until nothing changes.
    """
    label = np.arange(n)
    while True:
        new = label.copy()
        np.minimum.at(new, bonds.first, label[bonds.second])
        np.minimum.at(new, bonds.second, label[bonds.first])
        new = new[new]
        if np.array_equal(new, label):
            break
        label = new
    names, molecule = np.unique(label, return_inverse=True)
    return len(names), molecule.ravel()
