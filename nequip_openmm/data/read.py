"""Reads any data set that the package knows: the reader is chosen by what the file holds and by its name."""

from __future__ import annotations

from pathlib import Path

from nequip_openmm.data.conventions import Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.readers.extxyz import read_extxyz
from nequip_openmm.data.readers.stream import check_readable

__all__ = ["read_dataset"]


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
        Name of the format; by default found out from contents and name.
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
    return read_extxyz(path, units=units, keys=keys, progress=progress)
