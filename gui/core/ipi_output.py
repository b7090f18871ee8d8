"""What i-PI writes while it runs: columns of properties and the positions of every bead.

The files are the truth of a run: they are there when the runner was killed, when the window was closed, and when i-PI was started
by hand. They are read piece by piece, so that a long run does not hold the window up, and from the start again when a resumed run
has cut them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BeadFrame", "BeadReader", "Columns", "PropertyReader", "bead_files", "unit_of"]

FloatArray = NDArray[np.float64]
Columns = dict[str, FloatArray]
PROPERTIES = "simulation.out"
CENTROID = "simulation.xc.xyz"

_HEADER = re.compile(rb"#\s*(?:column|cols\.)\s*(\d+)(?:-(\d+))?\s*-->\s*([^\s:]+)")
_STEP = re.compile(rb"Step:\s*(\d+)")
_CELL = re.compile(rb"CELL\(abcABC\):((?:\s+[-+.\deE]+){6})")
_ROW_BYTES = 400  # of a usual row of properties, to know how much to read at once


class PropertyReader:
    """New rows of i-PI's file of properties.

    Attributes
    ----------
    has_more
        Whether the last `read` has left rows for the next.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: list[str] = []
        self._offset = 0
        self.has_more = False

    def read(self, most: int = 2000) -> Columns | None:
        """Return up to about ``most`` new rows by column, units stripped; an empty mapping if there are none.

        Returns None when the file has become shorter, as a resumed run makes it: what was read before is void, and the next call
        begins at its start.
        """
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._offset:
                    self._offset, self._names = 0, []
                    return None
                file.seek(self._offset)
                text = file.read(most * _ROW_BYTES)
        except OSError:  # not there yet, or no longer
            return {}
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self.has_more = self._offset + _ROW_BYTES < size and bool(whole)
        return self._parsed(whole)

    def _parsed(self, text: bytes) -> Columns:
        rows = []
        for line in text.splitlines():
            if line.startswith(b"#"):
                self._note_header(line)
            elif len(values := line.split()) == len(self._names):  # else half a row before a crash
                rows.append(values)
        table = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        return {name: table[:, k] for k, name in enumerate(self._names)} if rows else {}

    def _note_header(self, line: bytes) -> None:
        found = _HEADER.match(line)
        if found is None:
            return
        first, last, name = found.groups()
        if int(first) == 1:
            self._names = []
        plain = name.decode().partition("{")[0]
        count = int(last) - int(first) + 1 if last else 1
        self._names += [f"{plain}[{i}]" for i in range(count)] if last else [plain]


class BeadFrame(NamedTuple):
    """All beads of all atoms at one step.

    Attributes
    ----------
    step
        Time step.
    beads
        (P, N, 3) positions, Å; not wrapped, ring polymers are whole.
    cell
        (3, 3) vectors as rows, Å.
    """

    step: int
    beads: NDArray[np.float32]
    cell: FloatArray

    @property
    def centroids(self) -> FloatArray:
        """(N, 3) means over the beads, Å."""
        return self.beads.mean(axis=0, dtype=np.float64)


class BeadReader:
    """New frames of the positions of all beads, which i-PI writes to one file each.

    Parameters
    ----------
    paths
        Files, in order of beads.
    n_atoms
        Atoms in a frame.
    most
        At the first look, at most so many of the last frames are read.
    """

    def __init__(self, paths: list[Path], n_atoms: int, most: int = 500) -> None:
        self._tails = [_XyzTail(path, n_atoms, most) for path in paths]
        self._waiting: list[dict[int, tuple[NDArray[np.float32], FloatArray]]] = [{} for _ in paths]

    def read(self, most: int = 20) -> list[BeadFrame]:
        """Return frames that are complete in every file and were not returned before, oldest first."""
        for tail, waiting in zip(self._tails, self._waiting):
            for step, positions, cell in tail.read(most):
                waiting[step] = (positions, cell)
        if not self._waiting:
            return []
        steps = sorted(set.intersection(*(set(waiting) for waiting in self._waiting)))
        frames = [self._taken(step) for step in steps]
        if steps:
            self._forget_before(steps[-1])
        return frames

    def _taken(self, step: int) -> BeadFrame:
        found = [waiting.pop(step) for waiting in self._waiting]
        return BeadFrame(step, np.stack([positions for positions, _ in found]), found[0][1])

    def _forget_before(self, step: int) -> None:
        """Drop what one file has and another never will: frames before the first that all have."""
        for waiting in self._waiting:
            for old in [one for one in waiting if one < step]:
                del waiting[old]


class _XyzTail:
    """New frames of one XYZ file of i-PI."""

    def __init__(self, path: Path, n_atoms: int, most: int) -> None:
        self._path = path
        self._lines = n_atoms + 2
        self._most = most
        self._offset: int | None = None

    def read(self, most: int) -> list[tuple[int, NDArray[np.float32], FloatArray]]:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if self._offset is None or size < self._offset:
                    self._offset = self._beginning(file, size)
                file.seek(self._offset)
                lines = [file.readline() for _ in range(most * self._lines)]
        except OSError:
            return []
        frames = []
        for first in range(0, len(lines), self._lines):
            frame = lines[first : first + self._lines]
            if not frame[-1].endswith(b"\n"):  # not there yet, or half written
                break
            self._offset += sum(map(len, frame))
            if (read := _parsed_frame(frame)) is not None:
                frames.append(read)
        return frames

    def _beginning(self, file, size: int) -> int:  # type: ignore[no-untyped-def]
        """Return where the last ``most`` frames begin; lengths of frames differ by a digit or two of the cell."""
        file.seek(0)
        length = sum(len(file.readline()) for _ in range(self._lines))
        if size <= self._most * length:
            return 0
        file.seek(size - self._most * length)
        text = file.read(2 * length)
        mark = text.find(b"\n# CELL")
        if mark < 0:
            return 0
        start = text.rfind(b"\n", 0, mark) + 1
        return size - self._most * length + start


def bead_files(folder: Path) -> list[Path]:
    """Return the files of positions, in order of beads; empty where none was written."""
    return sorted(folder.glob("simulation.pos_*.xyz"))  # i-PI pads the numbers with zeros


def unit_of(column: str) -> str:
    """Return the unit in which runs of this project print a property, empty for a bare number."""
    return _UNITS.get(column.partition("(")[0], "")


_UNITS = {
    "time": "ps",
    "conserved": "eV",
    "temperature": "K",
    "potential": "eV",
    "kinetic_cv": "eV",
    "kinetic_td": "eV",
    "kinetic_md": "eV",
    "r_gyration": "Å",
    "volume": "Å³",
    "density": "g/cm³",
    "pressure_cv": "MPa",
    "pressure_md": "MPa",
}


def _parsed_frame(lines: list[bytes]) -> tuple[int, NDArray[np.float32], FloatArray] | None:
    step, cell = _STEP.search(lines[1]), _CELL.search(lines[1])
    if step is None or cell is None:
        return None
    try:
        rows = [line.split()[1:4] for line in lines[2:]]
        positions = np.array(rows, dtype=np.float32)
        vectors = _cell_vectors(np.array(cell.group(1).split(), dtype=np.float64))
    except ValueError:
        return None
    return int(step.group(1)), positions, vectors


def _cell_vectors(parameters: FloatArray) -> FloatArray:
    """Return (3, 3) rows of a cell from its lengths (Å) and angles (degrees), a along x and b in the xy plane."""
    a, b, c = parameters[:3]
    cos_alpha, cos_beta, cos_gamma = np.cos(np.radians(parameters[3:]))
    sin_gamma = np.sqrt(1.0 - cos_gamma**2)
    y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    z = np.sqrt(max(1.0 - cos_beta**2 - y**2, 0.0))
    return np.array(
        [[a, 0.0, 0.0], [b * cos_gamma, b * sin_gamma, 0.0], [c * cos_beta, c * y, c * z]]
    )
