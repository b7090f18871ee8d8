"""Folders of DeePMD-kit: ``type.raw``, ``type_map.raw`` and ``set.*/{coord,box,energy,force,virial}.npy``.

Units are eV and Å; the virial is -dE/dε, so stress = -virial / V. A folder with ``real_atom_types.npy`` ("mixed type") has
types per frame, -1 for padding. Definition: https://docs.deepmodeling.com/projects/deepmd/en/stable/data/system.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.conventions import EV_ANGSTROM, Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.errors import DataError

__all__ = ["is_deepmd", "read_deepmd"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def is_deepmd(path: Path) -> bool:
    """Return whether a folder is a DeePMD system, or holds some."""
    return path.is_dir() and next(path.rglob("type.raw"), None) is not None


def read_deepmd(
    path: Path,
    *,
    units: UnitSystem | str | None = None,
    keys: Keys | None = None,
    progress: bool = False,
) -> Dataset:
    """Read one system, or all systems under a folder, in alphabetical order.

    Raises
    ------
    DataError
        If a file is missing or its shape does not fit.
    """
    if keys is not None and keys.named():
        raise DataError(f"{path}: names of labels are fixed in DeePMD folders; give no keys")
    builder = DatasetBuilder(str(path))
    systems = sorted(found.parent for found in path.rglob("type.raw"))
    with progress_bar(f"reading {path.name}", len(systems), progress) as at:
        for done, folder in enumerate(systems):
            _read_system(folder, builder)
            at(done + 1)
    return builder.finish(UnitSystem.of(units, EV_ANGSTROM))


@dataclass(frozen=True)
class _System:
    """What all sets of a folder share."""

    types: IntArray  # (N,)
    elements: IntArray  # atomic number of every type
    periodic: bool


def _read_system(folder: Path, builder: DatasetBuilder) -> None:
    system = _System(
        types=_types(folder / "type.raw"),
        elements=_elements(folder / "type_map.raw"),
        periodic=not (folder / "nopbc").exists(),
    )
    if (
        len(system.types) == 0
        or system.types.max() >= len(system.elements)
        or system.types.min() < 0
    ):
        raise DataError(
            f"{folder / 'type.raw'}: types must lie in 0..{len(system.elements) - 1}, as type_map.raw names them"
        )
    sets = sorted(folder.glob("set.*"))
    if not sets:
        raise DataError(
            f"{folder}: has no set.* folder (text .raw files are not read; convert them)"
        )
    for each in sets:
        _read_set(each, system, builder)


def _read_set(folder: Path, system: _System, builder: DatasetBuilder) -> None:
    n = len(system.types)
    positions = _load(folder, "coord", (-1, n, 3))
    if positions is None:
        raise DataError(f"{folder}: has no coord.npy")
    f = len(positions)
    energy = _load(folder, "energy", (f,))
    forces = _load(folder, "force", (f, n, 3))
    virial = _load(folder, "virial", (f, 3, 3)) if system.periodic else None
    cells = _load(folder, "box", (f, 3, 3)) if system.periodic else None
    if system.periodic and cells is None:
        raise DataError(f"{folder}: has no box.npy, and the folder above no nopbc file")
    types = _load(folder, "real_atom_types", (f, n))
    for i in range(f):
        frame_types = system.types if types is None else types[i].astype(np.int64)
        real = frame_types >= 0
        builder.add(
            system.elements[frame_types[real]],
            positions[i][real],
            None if cells is None else cells[i],
            system.periodic,
            energy=None if energy is None else energy[i],
            forces=None if forces is None else forces[i][real],
            virial=None if virial is None else virial[i],
        )


def _load(folder: Path, name: str, shape: tuple[int, ...]) -> FloatArray | None:
    path = folder / f"{name}.npy"
    if not path.exists():
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged or not an array ({error})") from error
    try:
        return np.asarray(array, dtype=np.float64).reshape(shape)
    except ValueError as error:
        raise DataError(f"{path}: shape {array.shape} does not fit {shape}") from error


def _types(path: Path) -> IntArray:
    try:
        return np.array(_words(path), dtype=np.int64)
    except ValueError as error:
        raise DataError(f"{path}: must hold whole numbers: {error}") from error


def _elements(path: Path) -> IntArray:
    if not path.exists():
        raise DataError(
            f"{path.parent}: has no type_map.raw; add one that names the element of each type"
        )
    symbols = _words(path)
    unknown = [symbol for symbol in symbols if atomic_numbers.get(symbol, 0) == 0]
    if unknown:
        raise DataError(f"{path}: {', '.join(unknown)} are no chemical symbols")
    return np.array([atomic_numbers[symbol] for symbol in symbols], dtype=np.int64)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file in UTF-8") from error
