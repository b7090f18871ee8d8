"""Reads any data set that the package knows: the reader is chosen by what the file holds and by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nequip_openmm.data.conventions import Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.readers.ase_files import guess_format, read_ase
from nequip_openmm.data.readers.deepmd import is_deepmd, read_deepmd
from nequip_openmm.data.readers.extxyz import read_extxyz
from nequip_openmm.data.readers.npz import read_npz
from nequip_openmm.data.readers.stream import check_readable, read_start
from nequip_openmm.errors import DataError, nearest

__all__ = ["find_format", "read_dataset"]

Reader = Callable[..., Dataset]

READERS: dict[str, Reader] = {
    "extxyz": read_extxyz,
    "npz": read_npz,
    "deepmd": read_deepmd,
    "traj": partial(read_ase, format="traj"),
    "db": partial(read_ase, format="db"),
}
XYZ_NAMES = {".xyz", ".extxyz", ".exyz"}
COMPRESSED_NAMES = {".gz", ".bz2", ".xz", ".zst"}
PICKLE_NAMES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}

MAGIC = {
    b"PK\x03\x04": "npz",
    b"- of Ulm": "traj",
    b"AFFormat": "traj",
    b"SQLite format 3\x00": "db",
    b"\x89HDF\r\n\x1a\n": "hdf5",
}


def read_dataset(
    path: Path | str,
    *,
    format: str | None = None,
    units: UnitSystem | str | None = None,
    keys: Keys | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    path
        File, or folder of DeePMD files.
    format
        ``"extxyz"``, ``"npz"``, ``"deepmd"``, ``"traj"``, ``"db"`` or ASE's name of any other format; by default found out
        from contents and name.
    units
        Units of the file's numbers, as a `UnitSystem` or text such as ``"kcal/mol/Å"`` (see `UnitSystem.parse`); by default
        eV and Å, or what the file says or its format prescribes.
    keys
        Names of the labels; by default known names are found.
    progress
        Whether a progress bar may appear on the error stream.

    Returns
    -------
    In eV and Å.

    Raises
    ------
    DataError
        If the file is missing, damaged, empty, of no known format, or says two things at once.
    """
    path = Path(path)
    check_readable(path)
    reader = _named(find_format(path) if format is None else format, path)
    return reader(path, units=units, keys=keys, progress=progress)


def find_format(path: Path) -> str:
    """Return the format of a file or folder: first bytes decide, then the name, then ASE's knowledge of outputs.

    Raises
    ------
    DataError
        If it cannot be read, or is of no format known here.
    """
    check_readable(path)
    if path.is_dir():
        if is_deepmd(path):
            return "deepmd"
        raise DataError(f"{path}: a folder without DeePMD files (type.raw); name a file in it")
    names = [suffix.lower() for suffix in path.suffixes]
    plain = [suffix for suffix in names if suffix not in COMPRESSED_NAMES]
    start = read_start(path)
    if PICKLE_NAMES & set(names[-1:]) or start[:1] == b"\x80":
        raise DataError(
            f"{path}: looks like a pickle, which can run code when loaded, and is not read; convert to extended XYZ"
        )
    known = next((name for magic, name in MAGIC.items() if start.startswith(magic)), None)
    if known == "hdf5":
        raise DataError(f"{path}: HDF5 files are not read; convert to extended XYZ")
    if known is not None:
        return known
    if plain[-1:] and plain[-1] in XYZ_NAMES:
        return "extxyz"
    found = guess_format(path)
    if found in (None, "xyz", "extxyz"):
        first = start.split(b"\n", 1)[0].strip()
        if found or first.isdigit():
            return "extxyz"
        raise DataError(
            f"{path}: no format known here; give its name with --format, or convert to extended XYZ"
        )
    return str(found)


def _named(format: str, path: Path) -> Reader:
    from ase.io.formats import ioformats

    if format in READERS:
        return READERS[format]
    if format == "xyz":
        return read_extxyz
    if format not in ioformats or not ioformats[format].can_read:
        known = [*READERS, *ioformats]
        raise DataError(
            f"{path}: unknown format {format!r}{nearest(format, known)}; known are {', '.join(READERS)} and ASE's formats"
        )
    return partial(read_ase, format=format)
