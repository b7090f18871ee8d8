"""Which atoms a run has, from the files in its folder: elements, and whether they repeat."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nequip_openmm.errors import DataError

__all__ = ["RunAtoms", "read_run_atoms"]


class RunAtoms(NamedTuple):
    """The atoms of a run.

    Attributes
    ----------
    numbers
        (N,) atomic numbers; 0 for what is no element.
    is_periodic
        Whether they repeat.
    """

    numbers: NDArray[np.int64]
    is_periodic: bool


def read_run_atoms(folder: Path) -> RunAtoms:
    """Return the atoms of a run in OpenMM (``topology.pdb``) or i-PI (``template.xyz``).

    Raises
    ------
    DataError
        If neither file is there, or it cannot be read.
    """
    for name, read in (("topology.pdb", _from_pdb), ("template.xyz", _from_xyz)):
        path = folder / name
        if path.is_file():
            try:
                return read(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, IndexError) as error:
                raise DataError(f"{path}: cannot be read: {error}") from error
    raise DataError(f"{folder} does not say which atoms it has (no topology.pdb, no template.xyz)")


def _from_pdb(text: str) -> RunAtoms:
    lines = text.splitlines()
    symbols = [line[76:78].strip() for line in lines if line.startswith(("HETATM", "ATOM"))]
    is_periodic = any(line.startswith("CRYST1") for line in lines)
    return RunAtoms(_numbers(symbols), is_periodic)


def _from_xyz(text: str) -> RunAtoms:
    lines = text.splitlines()
    symbols = [line.split()[0] for line in lines[2 : 2 + int(lines[0])]]
    is_periodic = 'pbc="T' in lines[1] or ("Lattice=" in lines[1] and "pbc=" not in lines[1])
    return RunAtoms(_numbers(symbols), is_periodic)


def _numbers(symbols: list[str]) -> NDArray[np.int64]:
    return np.array([atomic_numbers.get(name.capitalize(), 0) for name in symbols], int)
