"""The structure that tells the driver what i-PI never does: which element every atom is, and what repeats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase.geometry import cellpar_to_cell
from numpy.typing import NDArray

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import RunFailed, StructureError
from nequip_openmm.units import BOHR_TO_ANGSTROM, length_factor

__all__ = ["Template", "read_template"]

FloatArray = NDArray[np.float64]

LOWEST_CELL = 0.1
"""Å. A cell lower than this between two faces has collapsed: no two atoms come so close."""

LARGEST_CHANGE = 1e4
"""Volume relative to the template's beyond which a simulation at constant pressure has blown up."""

SAME_PLACE = 0.02
"""Å. Atoms of two structures that are closer than this are the same atom; file formats round less."""

SAME_SIZE = 1e-4
"""Relative difference in extent below which two structures are the same but for the unit of length."""

_CELL = re.compile(r"CELL[({](abcABC|H|GENH)[)}]:?\s*((?:[-+.\deE]+\s*)+)")


@dataclass(frozen=True, eq=False)
class Template:
    """Elements, periodicity and a first structure.

    Attributes
    ----------
    frame
        The structure; its atoms stand in i-PI's order.
    source
        Where it comes from, for messages.
    """

    frame: Frame
    source: str = "the template"

    def check_cells(self, cells: FloatArray) -> None:
        """Refuse cells (n, 3, 3) in Å that make no sense.

        Raises
        ------
        RunFailed
            If the template repeats and a cell has collapsed or has blown up.
        """
        if not self.frame.pbc.all():
            return
        volumes = np.abs(np.linalg.det(cells))
        areas = np.linalg.norm(np.cross(np.roll(cells, -1, 1), np.roll(cells, -2, 1)), axis=2)
        heights = volumes / areas.max(axis=1).clip(min=1e-300)
        usual = abs(np.linalg.det(self.frame.cell))
        change = volumes / usual
        bad = (heights < LOWEST_CELL) | (change > LARGEST_CHANGE) | (change < 1.0 / LARGEST_CHANGE)
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            raise RunFailed(
                f"i-PI sent a cell of {volumes[k]:.4g} Å³ and {heights[k]:.3g} Å height, the template's has "
                f"{usual:.4g} Å³",
                code="cell",
                hint="The cell has collapsed or blown up (barostat, stress), or i-PI's input lacks the unit of its cell.",
            )

    def check_start(self, positions: FloatArray) -> None:
        """Refuse a first structure (N, 3) in Å that shows that i-PI was told something else.

        Raises
        ------
        RunFailed
            If it is the template in other units of length, or with its elements in another order.
        """
        self._check_size(positions)
        nearest, distances = _nearest(self.frame.positions, positions)
        if len(set(nearest)) < len(nearest) or (distances > SAME_PLACE).any():
            return  # another configuration: nothing can be said
        wrong = np.flatnonzero(self.frame.numbers[nearest] != self.frame.numbers)
        if len(wrong):
            atom, other = int(wrong[0]), int(nearest[wrong[0]])
            symbols = self.frame.symbols
            raise RunFailed(
                f"i-PI's atom {atom} lies where {self.source} has atom {other} ({symbols[other]}), but its own atom {atom} "
                f"is {symbols[atom]}, counted from 0: the order of the atoms differs",
                code="atom-order",
                hint="Give the structure file of i-PI's input as --template.",
            )

    def _check_size(self, positions: FloatArray) -> None:
        size, usual = (float(np.std(x, axis=0).max()) for x in (positions, self.frame.positions))
        for unit, factor in (("Å", BOHR_TO_ANGSTROM), ("bohr", 1.0 / BOHR_TO_ANGSTROM)):
            if usual > 0.0 and abs(size / usual / factor - 1.0) < SAME_SIZE:
                other = "bohr" if unit == "Å" else "Å"
                raise RunFailed(
                    f"i-PI's structure is {factor:.4f} times as large as {self.source}: lengths in {unit} were read as {other}",
                    code="units",
                    hint="Write positions{angstrom} cell{angstrom} into the second line of i-PI's xyz file, which is in bohr "
                    "otherwise.",
                )


def read_template(path: Path) -> Template:
    """Read the first structure of any file that ASE reads, or of one in i-PI's own xyz format.

    The latter is periodic always. A line that is both i-PI's and extended XYZ is read as the latter.

    Raises
    ------
    StructureError
        If the file is missing, not understood, or has atoms without an element.
    """
    if not path.is_file():
        raise StructureError(f"template {path}: no such file")
    try:
        atoms = ase.io.read(path, index=0)
        frame = _with_ipi_cell(Frame.from_ase(atoms), path)
    except StructureError:
        raise
    except Exception as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise StructureError(f"template {path}: cannot be read: {detail}") from error
    if len(frame) == 0 or (frame.numbers == 0).any():
        raise StructureError(f"template {path}: has no atoms, or atoms without an element")
    return Template(frame, f"the template {path}")


def _with_ipi_cell(frame: Frame, path: Path) -> Frame:
    """Return the frame as i-PI reads the file, if its second line is written for i-PI."""
    if path.suffix != ".xyz":
        return frame
    with path.open(encoding="utf-8", errors="replace") as file:
        comment = [file.readline(), file.readline()][1]
    found = _CELL.search(comment)
    if found is None or "Properties=" in comment:  # extended XYZ says more: what repeats, too
        return frame
    kind, numbers = found[1], [float(word) for word in found[2].split()]
    if len(numbers) != (6 if kind == "abcABC" else 9):
        raise StructureError(f"template {path}: {len(numbers)} numbers for CELL({kind})")
    length = length_factor(_unit(comment, "cell"))
    if kind == "abcABC":
        cell = cellpar_to_cell([*(length * x for x in numbers[:3]), *numbers[3:]])
    else:
        cell = length * np.array(numbers).reshape(3, 3).T
    positions = frame.positions * length_factor(_unit(comment, "positions"))
    return Frame.create(frame.numbers, positions, cell, True)


def _unit(comment: str, name: str) -> str:
    """Return the unit in braces after a word; i-PI's default is bohr."""
    found = re.search(name + r"\{(\w+)\}", comment)
    unit = found[1] if found else "bohr"
    return "bohr" if unit == "atomic_unit" else unit


def _nearest(points: FloatArray, queries: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    from scipy.spatial import cKDTree

    distances, indices = cKDTree(points).query(queries)
    return np.asarray(indices, dtype=np.int64), np.asarray(distances)
