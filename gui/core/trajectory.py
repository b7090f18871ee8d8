"""Frames of the trajectories that runs write, read where an event says they end: DCD, extended XYZ, i-PI's XYZ, XTC.

A ``frame`` event tells the file and the number of bytes up to the end of the frame. A frame of a DCD file has a fixed size; of
text so many lines as there are atoms, and two. Nothing before the frame is read, so that it does not matter how long the file
has grown.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.errors import DataError
from nequip_openmm.units import BOHR_TO_ANGSTROM

__all__ = ["Frame", "cell_of", "frame_ends", "read_beads", "read_frame"]

FloatArray = NDArray[np.float64]

_STEP = re.compile(rb"[Ss]tep[:=]\s*(\d+)")
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')
_IPI_CELL = re.compile(r"CELL[(\[{](abcABC|H)[)\]}]:\s*((?:[-+.\deE]+\s+){6,9})")
_IPI_UNIT = re.compile(r"(?:positions|x_centroid)\{(\w+)\}")


@dataclass(frozen=True)
class Frame:
    """Atoms at one step of a run.

    Attributes
    ----------
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, rows are vectors; zeros where the file tells none.
    step
        Time step, or -1.
    forces
        (N, 3) eV/Å, or None.
    beads
        (P, N, 3) Å, or None.
    symbols
        Of the atoms, where the file tells them.
    """

    positions: FloatArray
    cell: FloatArray
    step: int = -1
    forces: FloatArray | None = None
    beads: FloatArray | None = None
    symbols: tuple[str, ...] = ()


def read_frame(path: Path, end: int, n_atoms: int, step: int = -1) -> Frame:
    """Return the frame that ends at a byte of a file.

    Parameters
    ----------
    n_atoms
        Number of atoms, which text must agree with.
    step
        What the event says, for formats that do not tell.

    Raises
    ------
    DataError
        If no whole frame of so many atoms ends there.
    """
    try:
        with path.open("rb") as file:
            if path.suffix == ".dcd":
                return _read_dcd(file, end, step)
            if path.suffix == ".xtc":
                return _read_xtc(path, step)
            return _read_xyz(file, end, n_atoms, step)
    except (OSError, ValueError, IndexError, KeyError, struct.error) as error:
        raise DataError(f"{path}: no frame ends at byte {end}: {error}") from error


def read_beads(paths: list[Path], near: int, n_atoms: int, step: int) -> FloatArray | None:
    """Return the beads (P, N, 3) Å at a step, from i-PI's files of one bead each; None if one has not been written yet.

    Parameters
    ----------
    near
        Where the frame ends in the file of the centroid, of which that in the others' is not far: some titles are a letter
        longer.
    """
    beads = []
    for path in paths:
        try:
            with path.open("rb") as file:
                beads.append(_read_near(file, near, n_atoms, step).positions)
        except (OSError, ValueError, IndexError):
            return None
    return np.array(beads) if beads else None


def frame_ends(path: Path) -> list[tuple[int, int]]:
    """Return where the whole frames of a file end, in bytes, and their steps (-1 where only the frame itself tells).

    Nothing for XTC, which has no such places.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if path.suffix == ".dcd":
                return _dcd_ends(file, path.stat().st_size)
            return [] if path.suffix == ".xtc" else [(end, -1) for end in _xyz_ends(file)]
    except (OSError, ValueError, struct.error) as error:
        raise DataError(f"{path} is no trajectory: {error}") from error


def cell_of(lengths: FloatArray, cosines: FloatArray) -> FloatArray:
    """Return the cell (3, 3) Å with these lengths a, b, c in Å and cosines of α, β, γ; a along x, b in the xy plane."""
    (a, b, c), (cos_a, cos_b, cos_g) = lengths, cosines
    sin_g = np.sqrt(max(1 - cos_g**2, 1e-12))
    y = (cos_a - cos_b * cos_g) / sin_g
    z = np.sqrt(max(1 - cos_b**2 - y**2, 0.0))
    return np.array([[a, 0, 0], [b * cos_g, b * sin_g, 0], [c * cos_b, c * y, c * z]])


# DCD: Fortran records, each between two copies of its length


def _dcd_layout(file: BinaryIO) -> tuple[int, int, bool]:
    """Return where frames begin, how long each is, and whether it has a cell."""
    file.seek(0)
    head = file.read(92)
    if head[4:8] != b"CORD" or struct.unpack_from("<i", head)[0] != 84:
        raise ValueError("it is not a DCD file")
    has_cell = struct.unpack_from("<i", head, 48)[0] == 1
    titles = struct.unpack("<i", file.read(4))[0]
    file.seek(titles + 4, 1)
    n_atoms = struct.unpack("<3i", file.read(12))[1]
    return file.tell(), (56 if has_cell else 0) + 3 * (8 + 4 * n_atoms), has_cell


def _dcd_ends(file: BinaryIO, length: int) -> list[tuple[int, int]]:
    first, size, _ = _dcd_layout(file)
    file.seek(12)
    step, interval = struct.unpack("<2i", file.read(8))
    n_frames = (length - first) // size
    return [(first + size * (k + 1), step + k * interval) for k in range(n_frames)]


def _read_dcd(file: BinaryIO, end: int, step: int) -> Frame:
    first, size, has_cell = _dcd_layout(file)
    if end - size < first or (end - first) % size:
        raise ValueError("frames of this file end elsewhere")
    file.seek(end - size)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("the file is shorter")
    start = 56 if has_cell else 0
    rows = np.frombuffer(data[start:], "<f4").reshape(3, -1)[:, 1:-1]
    return Frame(rows.T.astype(float), _dcd_cell(data) if has_cell else np.zeros((3, 3)), step)


def _dcd_cell(data: bytes) -> FloatArray:
    """Return the cell: the file has a, γ, b, β, α, c with angles in degrees or as cosines."""
    a, gamma, b, beta, alpha, c = struct.unpack_from("<6d", data, 4)
    angles = np.array([alpha, beta, gamma])
    cosines = angles if np.all(np.abs(angles) <= 1) else np.cos(np.radians(angles))
    return cell_of(np.array([a, b, c]), cosines)


# text: a count, a comment, a line for each atom


def _read_xyz(file: BinaryIO, end: int, n_atoms: int, step: int) -> Frame:
    file.seek(0, 2)
    if not 0 < end <= file.tell():
        raise ValueError("the file is shorter")
    n_lines, block, text = n_atoms + 2, 128 * (n_atoms + 4), b""
    start = end
    while start > 0 and text.count(b"\n") <= n_lines:
        start = max(0, start - block)
        file.seek(start)
        text = file.read(end - start)
    lines = text.splitlines()[-n_lines:]
    if len(lines) < n_lines or not text.endswith(b"\n") or lines[0].strip() != b"%d" % n_atoms:
        raise ValueError(f"there is no frame of {n_atoms} atoms")
    return _parse_xyz(lines, step)


def _read_near(file: BinaryIO, near: int, n_atoms: int, step: int) -> Frame:
    """Return the frame of a step that ends near a byte."""
    file.seek(0, 2)
    size = file.tell()
    reach = 200 * (n_atoms + 4) + near // 64
    start = max(0, min(near, size) - reach)
    file.seek(start)
    text = file.read(2 * reach)
    for found in _STEP.finditer(text):
        if int(found[1]) == step:
            count = text.rfind(b"\n", 0, text.rfind(b"\n", 0, found.start()))
            lines = text[count + 1 :].split(b"\n", n_atoms + 2)
            if len(lines) == n_atoms + 3:  # the last is what follows
                return _parse_xyz(lines[:-1], step)
    raise ValueError(f"there is no frame of step {step}")


def _parse_xyz(lines: list[bytes], step: int) -> Frame:
    comment = lines[1].decode("utf-8", "replace")
    found = _STEP.search(lines[1])
    table = np.array([line.split() for line in lines[2:]])
    symbols = tuple(name.decode() for name in table[:, 0])
    step = int(found[1]) if found else step
    if comment.startswith("#"):
        return _ipi_frame(comment, table, symbols, step)
    fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(comment)}
    cell = (
        np.array(fields["Lattice"].split(), float).reshape(3, 3)
        if "Lattice" in fields
        else np.zeros((3, 3))
    )
    has_forces = "pos:R:3:forces:R:3" in fields.get("Properties", "")
    forces = table[:, 4:7].astype(float) if has_forces else None
    return Frame(table[:, 1:4].astype(float), cell, step, forces, symbols=symbols)


def _ipi_frame(comment: str, table: NDArray, symbols: tuple[str, ...], step: int) -> Frame:
    units = _IPI_UNIT.search(comment)
    name = units[1] if units else "atomic_unit"
    scale = {"angstrom": 1.0, "atomic_unit": BOHR_TO_ANGSTROM}[name]
    cell_unit = BOHR_TO_ANGSTROM if "cell{atomic_unit}" in comment else 1.0
    if "cell{" not in comment:
        cell_unit = scale
    cell = np.zeros((3, 3))
    if found := _IPI_CELL.search(comment):
        numbers = np.array(found[2].split(), float)
        cell = (
            numbers.reshape(3, 3).T
            if found[1] == "H"
            else cell_of(numbers[:3], np.cos(np.radians(numbers[3:6])))
        )
    return Frame(table[:, 1:4].astype(float) * scale, cell * cell_unit, step, symbols=symbols)


def _xyz_ends(file: BinaryIO) -> list[int]:
    ends, place = [], 0
    while count := file.readline().strip():
        lines = [file.readline() for _ in range(int(count) + 1)]
        if not lines[-1].endswith(b"\n"):
            break
        place = file.tell()
        ends.append(place)
    return ends


def _read_xtc(path: Path, step: int) -> Frame:
    """Return the newest frame: XTC cannot be read at a byte with what is installed everywhere."""
    try:
        from mdtraj.formats import XTCTrajectoryFile
    except ImportError as error:
        raise ValueError("mdtraj, which reads XTC, is not installed") from error
    with XTCTrajectoryFile(str(path)) as file:
        file.seek(len(file) - 1)
        xyz, _, steps, box = file.read(1)
    return Frame(
        10.0 * xyz[0].astype(float),
        10.0 * box[0].astype(float),
        int(steps[0]) if step < 0 else step,
    )
