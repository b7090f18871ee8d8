"""What a file holds by name, looked up in its first frames: for choosing names where they are not found by themselves."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nequip_openmm.data.read import find_format
from nequip_openmm.data.readers.ase_files import first_values
from nequip_openmm.data.readers.extxyz import PLAIN_XYZ, parse_comment
from nequip_openmm.data.readers.npz import NUMBERS, POSITIONS
from nequip_openmm.data.readers.stream import open_text
from nequip_openmm.errors import DataError

__all__ = ["Field", "list_fields"]

Kind = Literal["number", "tensor", "vectors", "other"]

MOST_FRAMES = 20  # isolated atoms, which often lack labels, stand first in many files
STRUCTURE = {"species", "pos", "positions", "Properties", "Lattice", "pbc", "numbers", "Z"}


@dataclass(frozen=True)
class Field:
    """Values of one name.

    Attributes
    ----------
    name
        As in the file.
    kind
        ``"number"``: one for each frame, perhaps an energy; ``"tensor"``: six or nine for each frame, perhaps a stress or a virial;
        ``"vectors"``: three for each atom, perhaps forces; ``"other"``: nothing that can be learnt.
    example
        The first value.
    """

    name: str
    kind: Kind
    example: str

    def to_dict(self) -> dict[str, str]:
        """Return plain values for JSON."""
        return asdict(self)


def list_fields(path: Path, format: str | None = None) -> list[Field]:
    """Return what the first frames of a file hold beside the structure; nothing for a DeePMD folder, whose names are fixed.

    Raises
    ------
    DataError
        If the file cannot be read that far.
    """
    name = format or find_format(path)
    if name == "deepmd":
        return []
    if name == "npz":
        found = _of_archive(path)
    elif name in ("extxyz", "xyz"):
        found = _of_xyz(path)
    else:
        found = (
            _of_value(key, value, n_atoms)
            for n_atoms, values in first_values(path, name, MOST_FRAMES)
            for key, value in values.items()
        )
    return list({field.name: field for field in found if field.name not in STRUCTURE}.values())


def _of_xyz(path: Path) -> Iterator[Field]:
    with open_text(path) as (text, _):
        for _ in range(MOST_FRAMES):
            count = next(text, "").strip()
            if not count.isdigit():
                return
            info = parse_comment(next(text, ""))
            rows = [row.split() for row in islice(text, int(count))]
            yield from _of_columns(info.get("Properties", PLAIN_XYZ), rows)
            for name, value in info.items():
                numbers = _numbers(value)
                yield _of_value(name, value if numbers is None else numbers, len(rows))


def _of_columns(properties: str, rows: list[list[str]]) -> Iterator[Field]:
    """Yield the columns that ``name:type:number:...`` describes."""
    parts = properties.split(":")
    first = 0
    for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3]):
        width = int(count) if count.isdigit() else 1
        example = " ".join(rows[0][first : first + width]) if rows else ""
        yield Field(name, "vectors" if width == 3 and kind == "R" else "other", example)
        first += width


def _of_archive(path: Path) -> Iterator[Field]:
    """Yield the arrays of an archive, of which only the beginnings are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {Path(name).stem: _beginning(archive, name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise DataError(f"{path}: damaged or truncated archive ({error})") from error
    shapes = {name: shape for name, (shape, _) in found.items()}
    n_frames, n_atoms = next((shapes[name] for name in POSITIONS if name in shapes), (0, 0))[:2]
    kinds: Mapping[tuple[int, ...], Kind] = {
        (n_frames,): "number",
        (n_frames, 1): "number",
        (n_frames, n_atoms, 3): "vectors",
    }
    for name, (shape, example) in found.items():
        if name not in (*POSITIONS, *NUMBERS):
            yield Field(name, kinds.get(shape, "other"), example)


def _beginning(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], str]:
    """Return shape and first numbers of an array."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
        count = min(3, int(np.prod(shape)))
        if dtype.hasobject:
            return shape, ""
        values = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return shape, " ".join(f"{value:.6g}" if dtype.kind == "f" else f"{value}" for value in values)


def _of_value(name: str, value: Any, n_atoms: int) -> Field:
    """Tell from the shape of a value what it may be."""
    array = np.asarray(value)
    if array.dtype.kind not in "fi":
        return Field(name, "other", str(value)[:40])
    kinds: Mapping[tuple[int, ...], Kind] = {
        (n_atoms, 3): "vectors",
        (6,): "tensor",
        (9,): "tensor",
        (3, 3): "tensor",
        (): "number",
    }
    example = " ".join(f"{x:.6g}" for x in array.reshape(-1)[:3])
    return Field(name, kinds.get(array.shape, "other"), example)


def _numbers(text: str) -> Any:
    """Return the number or numbers that a text holds, or None."""
    words = text.replace(",", " ").replace("[", " ").replace("]", " ").split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    return values[0] if len(values) == 1 else values or None
