"""Extended XYZ, read frame by frame.

A frame is a line with the number of atoms N, a line of ``key=value`` pairs and N lines of columns that ``Properties`` names.
Definition: https://github.com/libAtoms/extxyz; the meaning of ``Lattice`` (row vectors) and of a missing ``pbc`` (periodic
along all vectors where there is a lattice) follows ASE, which most such files come from or go to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.conventions import EV_ANGSTROM, Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.frame import full_stress
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.data.readers.labels import LabelFinder
from nequip_openmm.data.readers.stream import open_text
from nequip_openmm.errors import DataError

__all__ = ["parse_comment", "read_extxyz"]

FloatArray = NDArray[np.float64]

PLAIN_XYZ = "species:S:1:pos:R:3"
SPECIES = ("species", "symbols", "element", "Z", "numbers")
ISOLATED = {"isolatedatom", "isolated_atom", "isolated"}
SHOW_EVERY = 200  # frames between two looks at the progress bar

_PAIR = re.compile(
    r"""("[^"]*"|[^\s="]+)\s*=\s*"""
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|\[(?:[^\[\]]|\[[^\]]*\])*\]|\S*)"""
)


def read_extxyz(
    path: Path,
    *,
    units: UnitSystem | str | None = None,
    keys: Keys | None = None,
    progress: bool = False,
) -> Dataset:
    """Read extended (or plain) XYZ, compressed or not.

    Raises
    ------
    DataError
        Naming file, line and frame (counted from 0) of what cannot be read.
    """
    system = UnitSystem.of(units, EV_ANGSTROM)
    builder = DatasetBuilder(str(path))
    labels = LabelFinder(keys or Keys(), builder)
    size = path.stat().st_size
    with open_text(path) as (text, raw), progress_bar(f"reading {path.name}", size, progress) as at:
        for frame in _frames(text, path):
            _add(frame, labels, builder)
            if frame.number % SHOW_EVERY == 0:
                at(raw.tell())
    labels.check_found()
    return builder.finish(system)


def parse_comment(line: str) -> dict[str, str]:
    """Return the ``key=value`` pairs of a comment line; values are text without their quotes."""
    return {key.strip('"'): _unquoted(value) for key, value in _PAIR.findall(line)}


@dataclass(frozen=True)
class _RawFrame:
    """Text of one frame, and where it stands."""

    info: dict[str, str]
    rows: list[list[str]]
    path: Path
    number: int
    line: int  # of the first atom

    def where(self, row: int = -1) -> str:
        """Return file, line and frame of an atom, or of the comment line."""
        return f"{self.path} line {self.line + row} (frame {self.number})"


def _frames(text: IO[str], path: Path) -> Iterator[_RawFrame]:
    line = 0
    number = 0
    for first in text:
        line += 1
        if not first.strip():
            continue
        n = _atom_count(first, f"{path} line {line} (frame {number})")
        comment = next(text, "")
        rows = [row.split() for row in islice(text, n)]
        if len(rows) < n:
            raise DataError(
                f"{path} line {line} (frame {number}): expected {n} atoms, but the file ends after {len(rows)}; "
                "it is truncated"
            )
        yield _RawFrame(parse_comment(comment), rows, path, number, line + 2)
        line += n + 1
        number += 1


def _atom_count(text: str, where: str) -> int:
    try:
        n = int(text)
    except ValueError:
        raise DataError(
            f"{where}: expected the number of atoms, found {_shown(text)}; this is not XYZ, "
            "or the frame before holds more atoms than it says"
        ) from None
    if n < 1:
        raise DataError(f"{where}: expected at least one atom, found {n}")
    return n


def _add(frame: _RawFrame, labels: LabelFinder, builder: DatasetBuilder) -> None:
    """Interpret a frame and append it."""
    info = frame.info
    columns = _columns_of(frame)
    names = labels.find((*info, *columns), frame.where())
    cell = _cell(frame)
    builder.add(
        _numbers(frame, columns),
        _vectors(frame, columns, "pos" if "pos" in columns else "positions"),
        cell,
        _pbc(frame, cell is not None),
        energy=None if names.energy is None else _scalar(frame, names.energy),
        forces=None if names.forces is None else _vectors(frame, columns, names.forces),
        stress=None if names.stress is None else _tensor(frame, names.stress),
        virial=None if names.virial is None else _tensor(frame, names.virial),
        isolated=info.get("config_type", "").lower() in ISOLATED,
    )


def _columns_of(frame: _RawFrame) -> Mapping[str, tuple[int, int]]:
    """Return name -> (first column, number of columns), checked against every row."""
    properties = frame.info.get("Properties", frame.info.get("properties"))
    try:
        columns, width = _parse_properties(properties or PLAIN_XYZ)
    except ValueError:
        raise DataError(
            f"{frame.where()}: Properties={_shown(str(properties))} is not a list of name:type:number"
        ) from None
    for row, values in enumerate(frame.rows):
        if len(values) != width and (properties or len(values) < width):
            raise DataError(
                f"{frame.where(row)}: expected {width} columns for an atom ({properties or PLAIN_XYZ}), found "
                f"{len(values)}: {_shown(' '.join(values))}"
            )
    return columns


@lru_cache(maxsize=64)
def _parse_properties(text: str) -> tuple[dict[str, tuple[int, int]], int]:
    fields = text.split(":")
    columns = {}
    width = 0
    for name, count in zip(fields[::3], fields[2::3]):
        columns[name] = (width, int(count))
        width += int(count)
    if len(fields) % 3:
        raise ValueError(text)
    return columns, width


def _numbers(frame: _RawFrame, columns: Mapping[str, tuple[int, int]]) -> list[int]:
    name = next((name for name in SPECIES if name in columns), None)
    if name is None:
        raise DataError(
            f"{frame.where()}: no column of elements (species) among {', '.join(columns)}"
        )
    column = columns[name][0]
    try:
        return [atomic_numbers[row[column]] or _unknown() for row in frame.rows]
    except KeyError:
        return [_number(frame, i, row[column]) for i, row in enumerate(frame.rows)]


def _number(frame: _RawFrame, row: int, symbol: str) -> int:
    """Read an element in any other spelling: an atomic number, or a symbol in the wrong case."""
    number = int(symbol) if symbol.isdigit() else atomic_numbers.get(symbol.capitalize(), 0)
    if not 1 <= number <= 118:
        raise DataError(f"{frame.where(row)}: {_shown(symbol)} is not an element")
    return number


def _unknown() -> int:
    raise KeyError  # X, ASE's element zero


def _vectors(frame: _RawFrame, columns: Mapping[str, tuple[int, int]], name: str) -> FloatArray:
    """Return the three columns called ``name`` as (N, 3)."""
    first, width = columns.get(name, (0, 0))
    if width != 3:
        raise DataError(
            f"{frame.where()}: {name!r} must be three columns for each atom, Properties gives {width}"
        )
    end = first + 3
    try:
        return np.array([[float(x) for x in row[first:end]] for row in frame.rows])
    except ValueError:
        row = next(i for i, row in enumerate(frame.rows) if not _all_numbers(row[first:end]))
        found = _shown(" ".join(frame.rows[row][first:end]))
        raise DataError(
            f"{frame.where(row)}: expected three numbers for {name}, found {found}"
        ) from None


def _scalar(frame: _RawFrame, name: str) -> float:
    text = frame.info.get(name, "")
    if not _all_numbers([text]):
        raise DataError(f"{frame.where()}: expected a number for {name}, found {_shown(text)}")
    return float(text)


def _tensor(frame: _RawFrame, name: str) -> FloatArray:
    """Return a (3, 3) tensor from nine numbers, or from six in Voigt order."""
    values = _list_of_numbers(frame.info.get(name, ""))
    if values is None or len(values) not in (6, 9):
        found = _shown(frame.info.get(name, ""))
        raise DataError(
            f"{frame.where()}: expected 9 (or 6, Voigt) numbers for {name}, found {found}"
        )
    return full_stress(values)


def _cell(frame: _RawFrame) -> FloatArray | None:
    """Return the lattice vectors as rows, or None where the frame has none."""
    text = frame.info.get("Lattice", frame.info.get("lattice"))
    if text is None:
        return None
    values = _list_of_numbers(text)
    if values is None or len(values) not in (3, 9):
        raise DataError(f"{frame.where()}: expected 9 numbers for Lattice, found {_shown(text)}")
    return np.diag(values) if len(values) == 3 else values.reshape(3, 3)


def _pbc(frame: _RawFrame, has_cell: bool) -> list[bool]:
    text = frame.info.get("pbc")
    if text is None:
        return [has_cell] * 3
    flags = [word[:1].upper() for word in re.split(r"[\s,\[\]{}]+", text) if word]
    if len(flags) not in (1, 3) or not set(flags) <= set("TF10"):
        raise DataError(f"{frame.where()}: expected three of T and F for pbc, found {_shown(text)}")
    return [flag in "T1" for flag in flags] * (3 // len(flags))


@lru_cache(maxsize=256)
def _list_of_numbers(text: str) -> FloatArray | None:
    """Return the numbers of ``1 2 3``, ``1,2,3`` or ``[[1, 2], [3, 4]]``; None if one is none."""
    words = [word for word in re.split(r"[\s,\[\]{}]+", text) if word]
    return np.array([float(word) for word in words]) if _all_numbers(words) else None


def _all_numbers(words: list[str]) -> bool:
    try:
        return all(float(word) is not None for word in words)
    except ValueError:
        return False


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] in "\"'{" else value


def _shown(text: str) -> str:
    """Return text as it may stand in a one-line message."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
