"""Output files that can be marked, cut back to a mark and continued: what a run that resumes needs.

A `FileReporter` works as OpenMM's own reporters do (``simulation.reporters.append(...)``). All ask for positions that are not
wrapped into the cell, so OpenMM serves reporters that fire at the same step with one state.
"""

from __future__ import annotations

import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import openmm
from openmm import app

from nequip_openmm.errors import UserError

__all__ = ["FileReporter", "cut", "dcd_first_step", "dcd_frames"]


class FileReporter(ABC):
    """A reporter that writes one file, whole reports only: one that the disk had no room for is taken away again.

    Parameters
    ----------
    file
        Where to write.
    reportInterval
        Steps between reports.
    append
        Whether to continue the file instead of starting it.
    """

    includes: Sequence[str] = ("positions",)
    """What a report needs of the state."""

    def __init__(self, file: Path | str, reportInterval: int, append: bool = False) -> None:
        if (
            isinstance(reportInterval, bool)
            or not isinstance(reportInterval, int)
            or reportInterval < 1
        ):
            raise UserError(
                f"reportInterval must be a whole number of at least 1, got {reportInterval!r}"
            )
        self.path = Path(file)
        self.interval = reportInterval
        self._continues = append and self.path.exists() and self.path.stat().st_size > 0
        self._out: IO[Any] = self._open()
        self._whole = self._end()
        self._has_failed = False

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when the next report is due and what it needs."""
        steps = self.interval - simulation.currentStep % self.interval
        return {"steps": steps, "periodic": False, "include": list(self.includes)}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Write a report of the state."""
        try:
            self._write_report(simulation, state)
            self._out.flush()
        except OSError:
            self._has_failed = True
            raise
        self._whole = self._end()

    @property
    def end(self) -> dict[str, int]:
        """Where the last whole report ends: bytes, and frames for a format that counts them."""
        return self._whole

    def mark(self) -> dict[str, int]:
        """Bring everything to the disk; return the `end`, which `cut` can come back to."""
        self._out.flush()
        os.fsync(self._out.fileno())
        return self._whole

    def close(self) -> None:
        """Close the file; take a half-written report away."""
        with suppress(OSError):  # what could not be written before cannot be now
            self._out.close()
        if self._has_failed:
            cut(self.path, self._whole)

    def __del__(self) -> None:
        if hasattr(self, "_out"):  # the file could be opened
            self._out.close()

    @abstractmethod
    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Write one report of the state."""

    def _open(self) -> IO[Any]:
        return self.path.open("a" if self._continues else "w", encoding="utf-8", newline="\n")

    def _end(self) -> dict[str, int]:
        """Return how long the file is."""
        return {"bytes": os.fstat(self._out.fileno()).st_size}


def cut(path: Path, mark: dict[str, int]) -> None:
    """Take a file back to a mark: what was written after it, whole or in part, goes away.

    Raises
    ------
    UserError
        If the file is shorter than it was at the mark.
    """
    length = path.stat().st_size if path.exists() else 0
    if length < mark["bytes"]:
        raise UserError(
            f"{path} has {length} bytes, fewer than the {mark['bytes']} it had at the checkpoint: "
            "it was changed since; start the run again in a new folder"
        )
    if length > mark["bytes"]:
        os.truncate(path, mark["bytes"])
    if path.suffix == ".dcd" and mark["frames"]:
        _set_dcd_frames(path, mark["frames"])


# Integers in the header of a DCD file, by their offset in bytes.
_FRAMES, _FIRST_STEP, _INTERVAL, _LAST_STEP = 8, 12, 16, 20


def dcd_frames(path: Path) -> int:
    """Return the number of frames that a DCD header tells."""
    with path.open("rb") as file:
        return int(_integer(file, _FRAMES))


def dcd_first_step(path: Path) -> int:
    """Return the step of the first frame that a DCD header tells."""
    with path.open("rb") as file:
        return int(_integer(file, _FIRST_STEP))


def _set_dcd_frames(path: Path, frames: int) -> None:
    """Write the number of frames and the step of the last one into a DCD header."""
    with path.open("r+b") as file:
        last = _integer(file, _FIRST_STEP) + (frames - 1) * _integer(file, _INTERVAL)
        for offset, value in ((_FRAMES, frames), (_LAST_STEP, last)):
            file.seek(offset)
            file.write(struct.pack("<i", value))


def _integer(file: IO[bytes], offset: int) -> int:
    file.seek(offset)
    return int(struct.unpack("<i", file.read(4))[0])
