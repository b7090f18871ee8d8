"""Frames of i-PI's XYZ trajectories, found by step: every step once, and only those written completely.

i-PI's own reader turns a frame into numbers; this module only says where frames begin, so that a few hundred of many
thousand can be read without reading the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.errors import DataError

__all__ = ["Frame", "Trajectory"]

FloatArray = NDArray[np.float64]

STEP = re.compile(rb"Step:\s*(\d+)")


@dataclass(frozen=True)
class Frame:
    """Positions at one step.

    Attributes
    ----------
    positions
        (N, 3) Å, not wrapped into the cell.
    cell
        (3, 3) Å, rows are vectors.
    """

    positions: FloatArray
    cell: FloatArray


class Trajectory:
    """One XYZ file of i-PI.

    Attributes
    ----------
    path
        The file.
    symbols
        Name of every atom.
    steps
        Steps with a complete frame, ascending.

    Raises
    ------
    DataError
        If the file cannot be read, or is not what i-PI writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._offset = _index(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: is no trajectory of i-PI: {error}") from error
        self.steps = sorted(self._offset)
        self.symbols = self._read_symbols()

    def _read_symbols(self) -> tuple[str, ...]:
        if not self.steps:
            return ()
        with self.path.open(encoding="utf-8") as file:
            file.seek(self._offset[self.steps[0]])
            n = int(file.readline())
            file.readline()
            return tuple(file.readline().split()[0] for _ in range(n))

    def frames(self, steps: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames of some steps."""
        from ipi.utils.io import read_file
        from ipi.utils.units import unit_to_user

        angstrom = unit_to_user("length", "angstrom", 1.0)
        with self.path.open(encoding="utf-8") as file:
            for step in steps:
                file.seek(self._offset[step])
                try:
                    frame = read_file("xyz", file)
                except (ValueError, IndexError, EOFError) as error:
                    raise DataError(f"{self.path}: step {step} cannot be read: {error}") from error
                positions = np.array(frame["atoms"].q).reshape(-1, 3) * angstrom
                cell = np.array(frame["cell"].h).T * angstrom  # i-PI has vectors as columns
                if not np.isfinite(positions).all():
                    raise DataError(
                        f"{self.path}: positions are not finite at step {step}; the run failed there"
                    )
                yield Frame(positions, cell)


def _index(path: Path) -> dict[int, int]:
    """Return where the complete frame of each step begins; of a step that stands there twice, the later one.

    A crash may leave half a frame, and a restart goes on writing behind it.
    """
    offsets: dict[int, int] = {}
    with path.open("rb") as file:
        for start, comment, n_lines, is_ended in _candidates(file):
            found = STEP.search(comment)
            if found is None:
                raise ValueError("a comment line names no step")
            if is_ended and n_lines == _count(file, start):
                offsets[int(found[1])] = start
    return offsets


def _candidates(file: BinaryIO) -> list[tuple[int, bytes, int, bool]]:
    """Return (offset, comment, number of atom lines, whether the last one ends) for whatever begins like a frame."""
    heads: list[
        tuple[int, bytes, int]
    ] = []  # offset of the count, comment, number of the comment's line
    before, here, n_lines, line = 0, 0, 0, b"\n"
    for n_lines, line in enumerate(file, start=1):
        if line.startswith(b"#"):
            heads.append((before, line, n_lines))
        before, here = here, here + len(line)
    ends = [number - 2 for _, _, number in heads[1:]] + [n_lines]
    return [
        (start, comment, end - number, k + 1 < len(heads) or line.endswith(b"\n"))
        for k, ((start, comment, number), end) in enumerate(zip(heads, ends))
    ]


def _count(file: BinaryIO, start: int) -> int:
    """Return the number of atoms that a frame announces; -1 where no number stands."""
    file.seek(start)
    text = file.readline().strip()
    return int(text) if text.isdigit() else -1
