"""NumPy archives of trajectories: sGDML (``R, z, E, F``) and revised MD17 (``coords, nuclear_charges, energies, forces``).

Conventions: http://www.sgdml.org (units in ``r_unit`` and ``e_unit``, otherwise Å and kcal/mol; ``lattice`` holds vectors as
columns) and A. S. Christensen, O. A. von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020),
doi:10.1088/2632-2153/abba6f (Å and kcal/mol). Pickled objects in an archive are refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.conventions import KCAL_PER_MOL, Keys, UnitSystem, choose_key
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.errors import ConfigError, DataError, UnclearData

__all__ = ["read_npz"]

FloatArray = NDArray[np.float64]

POSITIONS = ("R", "coords", "positions")
NUMBERS = ("z", "nuclear_charges", "numbers", "atomic_numbers")
SHORT = {
    "energy": ("E", "energies"),
    "forces": ("F",),
}  # beside the names that every format may use
KNOWN_UNITS = {"R", "coords"}  # names that come with a convention


def read_npz(
    path: Path,
    *,
    units: UnitSystem | str | None = None,
    keys: Keys | None = None,
    progress: bool = False,
) -> Dataset:
    """Read an archive whose frames have the same atoms.

    Raises
    ------
    DataError
        If arrays are missing or do not fit together, or their units are neither known nor given.
    """
    builder = DatasetBuilder(str(path))
    with _archive(path) as arrays:
        positions_key = _first(arrays, POSITIONS, "positions", path)
        positions = _array(arrays, positions_key, path)
        if positions.ndim != 3 or positions.shape[2] != 3:
            raise DataError(
                f"{path}: {positions_key} must have shape (frames, atoms, 3), got {positions.shape}"
            )
        n_frames, n_atoms = positions.shape[:2]
        numbers_key = _first(arrays, NUMBERS, "atomic numbers", path)
        numbers = _shaped(_array(arrays, numbers_key, path), (n_atoms,), numbers_key, path)
        labels = _labels(arrays, keys or Keys(), n_frames, n_atoms, builder)
        cell = _cell(arrays, path)
        system = _units(arrays, positions_key, units, builder)
    if not (numbers == np.round(numbers)).all() or not ((numbers >= 1) & (numbers <= 118)).all():
        raise DataError(f"{path}: {numbers_key} holds values that are no atomic numbers")
    for i in range(n_frames):
        builder.add(
            numbers,
            positions[i],
            cell,
            cell is not None,
            energy=None if labels["energy"] is None else labels["energy"][i],
            forces=None if labels["forces"] is None else labels["forces"][i],
        )
    return builder.finish(system)


@contextmanager
def _archive(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not hasattr(arrays, "files"):
                raise DataError(f"{path}: a single array, not an archive with positions and labels")
            yield arrays
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, MemoryError) as error:
        raise DataError(f"{path}: damaged or truncated archive ({error})") from error


def _first(arrays: Any, names: tuple[str, ...], what: str, path: Path) -> str:
    found = [name for name in names if name in arrays.files]
    if len(found) == 1:
        return found[0]
    have = ", ".join(arrays.files) or "nothing"
    problem = (
        f"{' and '.join(found)} could all be" if found else f"none of {', '.join(names)} gives"
    )
    raise DataError(f"{path}: {problem} the {what}; the archive holds {have}")


def _array(arrays: Any, name: str, path: Path) -> FloatArray:
    try:
        return np.asarray(arrays[name], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: array {name!r} does not hold numbers: {error}") from error


def _shaped(array: FloatArray, shape: tuple[int, ...], name: str, path: Path) -> FloatArray:
    if array.size != np.prod(shape):
        raise DataError(f"{path}: {name} must have shape {shape}, got {array.shape}")
    return array.reshape(shape)


def _labels(
    arrays: Any, keys: Keys, n_frames: int, n_atoms: int, builder: DatasetBuilder
) -> dict[str, FloatArray | None]:
    path = Path(builder.source)
    if keys.stress or keys.virial:
        raise DataError(f"{path}: stresses and virials are not read from archives")
    shapes: Mapping[str, tuple[int, ...]] = {
        "energy": (n_frames,),
        "forces": (n_frames, n_atoms, 3),
    }
    found: dict[str, FloatArray | None] = {}
    for label, shape in shapes.items():
        name = _label_name(arrays, label, keys.named().get(label), path)
        builder.names.update({} if name is None else {label: name})
        found[label] = (
            None if name is None else _shaped(_array(arrays, name, path), shape, name, path)
        )
    return found


def _label_name(arrays: Any, label: str, wanted: str | None, path: Path) -> str | None:
    if wanted is not None and wanted not in arrays.files:
        raise DataError(f"{path}: no array {wanted!r}; the archive holds {', '.join(arrays.files)}")
    short = [name for name in SHORT[label] if name in arrays.files]
    if wanted is None and len(short) == 1:
        return short[0]
    return choose_key(label, wanted, arrays.files, str(path))


def _cell(arrays: Any, path: Path) -> FloatArray | None:
    """Return lattice vectors as rows; sGDML keeps them as columns of ``lattice``."""
    if "lattice" not in arrays.files:
        return None
    return _shaped(_array(arrays, "lattice", path), (3, 3), "lattice", path).T


def _units(
    arrays: Any, positions_key: str, units: UnitSystem | str | None, builder: DatasetBuilder
) -> UnitSystem:
    """Return the units given, those in the file, or those of the convention."""
    if units is not None:
        return UnitSystem.of(units, KCAL_PER_MOL)
    stated = {
        name: str(arrays[name].item()) for name in ("e_unit", "r_unit") if name in arrays.files
    }
    if len(stated) == 1:
        raise UnclearData(
            f"{builder.source}: the archive says {next(iter(stated))} only, not both e_unit and r_unit; "
            "give the units, for example --units kcal/mol/Å",
            "units",
        )
    if len(stated) == 2:
        length = "Å" if stated["r_unit"].lower().startswith("ang") else stated["r_unit"]
        try:
            return UnitSystem(stated["e_unit"], length)
        except ConfigError as error:
            raise UnclearData(
                f"{builder.source}: {error}; say which with --units", "units"
            ) from error
    if positions_key not in KNOWN_UNITS:
        raise UnclearData(
            f"{builder.source}: the archive does not say its units; give them, for example --units eV/Å",
            "units",
        )
    builder.note(
        "the archive does not say its units; kcal/mol and Å taken, as sGDML and rMD17 have them"
    )
    return KCAL_PER_MOL
