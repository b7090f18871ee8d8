"""Tables of results: printed line by line as they are measured, and kept in a page of the documentation.

A page holds a table between ``<!-- name -->`` and ``<!-- end -->``. Lines of a run replace those that begin with the same
cells, so that a table can be measured in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Table"]


class Table:
    """One table in Markdown.

    Parameters
    ----------
    name
        Of the place in the page.
    columns
        Headings.
    keys
        Number of cells, from the left, that say what a line is about.
    page
        File that is to hold the table too, or None.
    """

    def __init__(self, name: str, columns: Sequence[str], keys: int, page: Path | None) -> None:
        self.name = name
        self.columns = list(columns)
        self.keys = keys
        self.page = page
        print(f"\n{self.name}\n")
        print(_line(self.columns))
        print(_line(["---"] * len(self.columns)), flush=True)

    def add(self, *cells: object) -> None:
        """Print a line, and put it into the page."""
        row = [str(cell) for cell in cells]
        if len(row) != len(self.columns):
            raise ValueError(f"table {self.name} has {len(self.columns)} columns, got {len(row)}")
        print(_line(row), flush=True)
        if self.page is not None:
            self._keep(row)

    def _keep(self, row: list[str]) -> None:
        page = self.page
        if page is None:
            return
        text = page.read_text() if page.exists() else ""
        place = re.compile(rf"<!-- {re.escape(self.name)} -->\n(.*?)<!-- end -->", re.DOTALL)
        found = place.search(text)
        rows = [] if found is None else _rows(found.group(1))[2:]
        index = next(
            (k for k, old in enumerate(rows) if old[: self.keys] == row[: self.keys]), None
        )
        if index is None:
            rows.append(row)
        else:
            rows[index] = row
        lines = [self.columns, ["---"] * len(self.columns), *rows]
        table = f"<!-- {self.name} -->\n\n" + "\n".join(map(_line, lines)) + "\n\n<!-- end -->"
        if found is None:
            page.write_text(f"{text.rstrip()}\n\n{table}\n")
        else:
            page.write_text(text[: found.start()] + table + text[found.end() :])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
