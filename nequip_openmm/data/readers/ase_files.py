"""Files that ASE reads: its own trajectories and data bases, and outputs of electronic-structure programs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import ase
import ase.db
import ase.io
import numpy as np
from ase.io.formats import UnknownFileTypeError, filetype
from ase.io.trajectory import Trajectory

from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.conventions import EV_ANGSTROM, Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.frame import full_stress
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.data.readers.labels import LabelFinder
from nequip_openmm.errors import DataError

__all__ = ["first_values", "guess_format", "read_ase"]

Item = TypeVar("Item")

PICKLED = {"bundletrajectory"}
DATABASES = {"db", "json"}
STRUCTURE = {"numbers", "positions"}
ISOLATED = {"isolatedatom", "isolated_atom", "isolated"}


def guess_format(path: Path) -> str | None:
    """Return ASE's name for the format of a file, or None."""
    try:
        return str(filetype(str(path), guess=False))
    except UnknownFileTypeError:
        return None
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def read_ase(
    path: Path,
    format: str,
    *,
    units: UnitSystem | str | None = None,
    keys: Keys | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a file whose format ASE calls ``format``, one structure at a time.

    ASE converts to eV and Å itself. Labels are looked for among the results of the attached calculator, then in ``info`` and
    ``arrays`` (data bases: key-value pairs and data). Forces are those stored, without constraints applied.

    Raises
    ------
    DataError
        If ASE cannot read the file, or the format is a pickle.
    """
    if format in PICKLED:
        raise DataError(
            f"{path}: {format} files may hold pickled code and are not read; convert to extended XYZ"
        )
    builder = DatasetBuilder(str(path))
    labels = LabelFinder(keys or Keys(), builder)
    with progress_bar(f"reading {path.name}", 1.0, progress) as at:
        for number, (atoms, done) in enumerate(_guarded(_structures(path, format), path)):
            _add(atoms, f"{path} (frame {number})", labels, builder)
            at(done)
    labels.check_found()
    return builder.finish(UnitSystem.of(units, EV_ANGSTROM))


def first_values(path: Path, format: str, n: int) -> list[tuple[int, dict[str, Any]]]:
    """Return number of atoms and everything that is not structure, by name, of the first ``n`` frames."""
    structures = islice(_guarded(_structures(path, format), path), n)
    return [(len(atoms), _values(atoms)) for atoms, _ in structures]


def _structures(path: Path, format: str) -> Iterator[tuple[ase.Atoms, float]]:
    """Yield structures, each with the part of the file read so far (0 where that is not known)."""
    if format in DATABASES:
        yield from _rows(path, format)
    elif format == "traj":
        with Trajectory(str(path)) as trajectory:
            for number, atoms in enumerate(trajectory):
                yield atoms, (number + 1) / len(trajectory)
    else:
        for atoms in ase.io.iread(str(path), index=":", format=format):
            yield atoms, 0.0


def _rows(path: Path, format: str) -> Iterator[tuple[ase.Atoms, float]]:
    rows = ase.db.connect(str(path), type=format, use_lock_file=False)
    total = max(rows.count(), 1)
    for number, row in enumerate(rows.select()):
        atoms = row.toatoms()
        atoms.info.update({**row.data, **row.key_value_pairs})
        yield atoms, (number + 1) / total


def _guarded(structures: Iterator[Item], path: Path) -> Iterator[Item]:
    """Turn whatever a parser of foreign files raises into one line."""
    number = 0
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                item = next(structures)
        except StopIteration:
            return
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise DataError(
                f"{path}: cannot be read (frame {number}): {type(error).__name__}: {text}"
            ) from error
        yield item
        number += 1


def _add(atoms: ase.Atoms, where: str, labels: LabelFinder, builder: DatasetBuilder) -> None:
    values = _values(atoms)
    names = labels.find(tuple(values), where)
    if not ((atoms.numbers >= 1) & (atoms.numbers <= 118)).all():
        raise DataError(f"{where}: an atom is of no element")
    if len(atoms) == 0:
        raise DataError(f"{where}: expected at least one atom, found 0")
    try:
        builder.add(
            atoms.numbers,
            atoms.positions,
            np.array(atoms.cell),
            atoms.pbc,
            energy=None if names.energy is None else float(values[names.energy]),
            forces=None if names.forces is None else values[names.forces],
            stress=None if names.stress is None else full_stress(values[names.stress]),
            virial=None if names.virial is None else full_stress(values[names.virial]),
            isolated=str(atoms.info.get("config_type", "")).lower() in ISOLATED,
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: a label has the wrong shape or is no number: {error}") from error


def _values(atoms: ase.Atoms) -> dict[str, Any]:
    """Return everything by name: results first, then the structure's own additions."""
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    if results.get("free_energy") == results.get("energy"):
        results.pop("free_energy", None)
    extra = {name: value for name, value in atoms.arrays.items() if name not in STRUCTURE}
    found = {**atoms.info, **extra, **results}
    return {name: value for name, value in found.items() if value is not None}
