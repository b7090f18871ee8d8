"""``metrics.csv``: one row an epoch."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from nequip_openmm.runs import atomic_write

__all__ = ["MetricsTable", "Row", "column_names"]

Row = dict[str, float | int]

ERRORS = (
    "energy_mae_mev_per_atom",
    "energy_rmse_mev_per_atom",
    "forces_mae_mev_per_angstrom",
    "forces_rmse_mev_per_angstrom",
)


def column_names(species: Iterable[str]) -> list[str]:
    """Return the columns: when, losses, errors of training and validation, force errors by element.

    ``train_`` errors are those of the weights as they were while the epoch went on; ``valid_`` errors those of the average
    weights at its end.
    """
    errors = [f"{part}_{error}" for part in ("train", "valid") for error in ERRORS]
    by_species = [
        f"{part}_{error}_{symbol}"
        for part in ("train", "valid")
        for error in ERRORS[2:]
        for symbol in species
    ]
    when = ["epoch", "step", "elapsed_s", "learning_rate"]
    return [*when, "train_loss", "valid_loss", *errors, *by_species]


class MetricsTable:
    """The file.

    Parameters
    ----------
    path
        Made with its header if it is not there.
    columns
        Names, see `column_names`.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = list(columns)
        if not path.exists():
            self._rewrite([])

    def append(self, row: Row) -> None:
        """Add a row; NaN becomes an empty cell."""
        cells = [_cell(row.get(name, math.nan)) for name in self.columns]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(cells)

    def cut_after(self, step: int) -> None:
        """Drop the rows of epochs that a resumed run goes through again, and a last one that is half-written."""
        with self.path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        self._rewrite([row for row in rows if int(row["step"]) <= step])

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with (
            atomic_write(self.path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)


def _cell(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.8g}" if math.isfinite(value) else ""
