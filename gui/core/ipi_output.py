"""The properties that i-PI writes while it runs.

The file is the truth of a run: it is there when the runner was killed, when the window was closed, and when i-PI was started by
hand. It is read piece by piece, so that a long run does not hold the window up, and from the start again when a resumed run has cut
it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "PropertyReader"]

FloatArray = NDArray[np.float64]
Columns = dict[str, FloatArray]

_HEADER = re.compile(rb"#\s*(?:column|cols\.)\s*(\d+)(?:-(\d+))?\s*-->\s*([^\s:]+)")
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

    def read(self, most: int = 1000) -> Columns | None:
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
        if not rows:
            return {}
        table = np.array(rows, dtype=np.float64)
        return {name: table[:, k] for k, name in enumerate(self._names)}

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
