"""The starting structure in the two forms that a run needs: i-PI's, and the template of the driver.

i-PI wants a cell always, with lattice vectors as the columns of an upper triangular matrix; a molecule gets a cell that is
larger than itself, which the driver ignores because the template is not periodic. Both files have the same orientation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.geometry import complete_cell
from numpy.typing import NDArray

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import StructureError

__all__ = ["START", "TEMPLATE", "Start", "read_start"]

FloatArray = NDArray[np.float64]
START = "start.xyz"
TEMPLATE = "template.xyz"
_VACUUM = 15.0  # Å on each side of what does not repeat


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run starts from.

    Attributes
    ----------
    frame
        As the driver sees it: its cell and periodicity are those of the file, in i-PI's orientation.
    cell
        (3, 3) the cell that i-PI gets, vectors as rows, lower triangular, Å.
    """

    frame: Frame
    cell: FloatArray

    @property
    def is_periodic(self) -> bool:
        """Whether the structure repeats along all vectors, so that pressure and volume mean something."""
        return bool(self.frame.pbc.all())

    @property
    def symbols(self) -> list[str]:
        """Elements, each once, in the order in which they occur."""
        return list(dict.fromkeys(self.frame.to_ase().symbols))

    def write(self, folder: Path) -> None:
        """Write ``start.xyz`` for i-PI and ``template.xyz`` for the driver."""
        (folder / START).write_text(self.to_ipi(), encoding="utf-8")
        ase.io.write(folder / TEMPLATE, self.template(), format="extxyz")

    def template(self) -> Atoms:
        """Return the atoms as the driver sees them, without labels."""
        frame = Frame.create(
            self.frame.numbers, self.frame.positions, self.frame.cell, self.frame.pbc
        )
        return frame.to_ase()

    def to_ipi(self) -> str:
        """Return the structure in i-PI's XYZ format; the comment line states cell and units."""
        h = " ".join(f"{value:.10f}" for value in self.cell.T.ravel())
        lines = [
            str(len(self.frame)),
            f"# CELL(H): {h}  positions{{angstrom}} cell{{angstrom}}",
        ]
        for symbol, position in zip(self.frame.to_ase().symbols, self.frame.positions):
            lines.append(f"{symbol:<3}" + " ".join(f"{x:18.10f}" for x in position))
        return "\n".join(lines) + "\n"


def read_start(path: Path, index: int = 0) -> Start:
    """Read one structure and turn it into i-PI's orientation.

    Raises
    ------
    StructureError
        If the file is missing, not understood, has no such structure, or holds something that cannot be simulated.
    """
    frame = Frame.from_ase(_read(path, index))
    _check(frame, path)
    extent = np.ptp(frame.positions, axis=0).max() + 2 * _VACUUM
    cell = _filled(frame, extent)
    lower, rotation = _triangular(cell)
    own_cell = np.where(_has_vector(frame)[:, None], lower, 0.0)
    turned = Frame.create(frame.numbers, frame.positions @ rotation, own_cell, frame.pbc)
    return Start(turned, lower)


def _read(path: Path, index: int) -> Atoms:
    if not path.is_file():
        raise StructureError(f"structure {path}: no such file")
    try:
        atoms = ase.io.read(path, index=index)
    except (IndexError, StopIteration) as error:
        raise StructureError(f"structure {path}: has no frame {index}") from error
    except Exception as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise StructureError(f"structure {path}: cannot be read: {detail}") from error
    return atoms


def _check(frame: Frame, path: Path) -> None:
    if len(frame) == 0:
        raise StructureError(f"structure {path}: holds no atoms")
    if (frame.numbers == 0).any():
        dummies = ", ".join(str(i) for i in np.flatnonzero(frame.numbers == 0)[:8])
        raise StructureError(f"structure {path}: atoms {dummies} (counted from 0) have no element")
    if not np.isfinite(frame.positions).all():
        atom = int(np.flatnonzero(~np.isfinite(frame.positions).all(axis=1))[0])
        raise StructureError(
            f"structure {path}: the position of atom {atom} (counted from 0) is not finite"
        )
    if frame.pbc.any() and not abs(np.linalg.det(complete_cell(frame.cell))) > 1e-6:
        raise StructureError(f"structure {path}: is periodic but its cell has no volume")


def _filled(frame: Frame, extent: float) -> FloatArray:
    """Return the cell with vectors that are long enough where the structure does not repeat."""
    if not frame.pbc.any():
        return np.eye(3) * extent
    cell = np.asarray(complete_cell(frame.cell), dtype=float)
    return np.where(_has_vector(frame)[:, None], cell, cell * extent)


def _has_vector(frame: Frame) -> NDArray[np.bool_]:
    """Return (3,) which lattice vectors the structure has."""
    return np.asarray(np.abs(frame.cell).max(axis=1) > 0)


def _triangular(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a lattice with lower triangular rows and the proper rotation R with ``cell @ R`` the same lattice."""
    right_handed = cell if np.linalg.det(cell) > 0 else -cell
    q, r = np.linalg.qr(right_handed.T)
    rotation = q * np.sign(np.diag(r))
    return np.tril(right_handed @ rotation), rotation
