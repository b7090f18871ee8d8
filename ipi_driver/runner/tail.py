"""Reading i-PI's output files while they grow; what is half written is left for the next time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FrameTail", "PropertyTail"]

_HEADER = re.compile(rb"#\s*(?:column|cols\.)\s*(\d+)(?:-(\d+))?\s*-->\s*([^\s:]+)")
_STEP = re.compile(rb"Step:\s*(\d+)")


class _LineTail:
    """Yields the complete lines that were added to a file since it was last looked at, one at a time: files may be large."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0  # bytes of all complete lines

    def lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self.offset += len(line)
                    yield line
        except FileNotFoundError:
            return


class PropertyTail:
    """New rows of a properties file.

    A row is a dict from column to number, units stripped: ``{"step": 10.0, "kinetic_cv(H)": 0.15, "cell_h[0]": ...}``.
    """

    def __init__(self, path: Path) -> None:
        self._tail = _LineTail(path)
        self._columns: list[str] = []

    def skip(self) -> None:
        """Pass over the rows that are there, which an earlier session has told."""
        for line in self._tail.lines():
            if line.startswith(b"#"):
                self._columns += _columns(line)

    def rows(self) -> list[dict[str, float]]:
        """Return the rows that were completed since the last call."""
        rows = []
        for line in self._tail.lines():
            if line.startswith(b"#"):
                self._columns += _columns(line)
            elif values := line.split():
                rows.append(dict(zip(self._columns, map(float, values))))
        return rows


class FrameTail:
    """New frames of an XYZ trajectory.

    Attributes
    ----------
    frames, bytes
        How many whole frames the file has and where the last one ends.
    step
        Step of the last whole frame, or None.
    """

    def __init__(self, path: Path, n_atoms: int) -> None:
        self._tail = _LineTail(path)
        self._size = n_atoms + 2
        self._pending: list[bytes] = []
        self.path = path
        self.frames = self.bytes = 0
        self.step: int | None = None

    def update(self) -> bool:
        """Look at the file; return whether there is a new frame."""
        before = self.frames
        for line in self._tail.lines():
            self._pending.append(line)
            if len(self._pending) == self._size:
                self._note(self._pending)
                self._pending = []
        return self.frames > before

    def _note(self, frame: list[bytes]) -> None:
        self.frames += 1
        self.bytes += sum(map(len, frame))
        if found := _STEP.search(frame[1]):
            self.step = int(found.group(1))


def _columns(line: bytes) -> list[str]:
    """Return the names that a header line gives to columns."""
    found = _HEADER.match(line)
    if found is None:
        return []
    first, last, name = found.groups()
    plain = name.decode().partition("{")[0]
    count = int(last) - int(first) + 1 if last else 1
    return [plain] if count == 1 and not last else [f"{plain}[{i}]" for i in range(count)]
