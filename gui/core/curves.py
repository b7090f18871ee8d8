"""Curves of runs, from the tables that they write: metrics.csv, thermo.csv, i-PI's simulation.out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gui.core.ipi_output import PropertyReader
from nequip_openmm.units import MPA_TO_BAR

__all__ = ["QUANTITIES", "Quantity", "RunCurves", "read_curves"]

FloatArray = NDArray[np.float64]

_ROWS_AT_MOST = 20_000  # read of a table; of a longer one every second, third, ... row


@dataclass(frozen=True)
class Quantity:
    """What can be drawn of runs.

    Attributes
    ----------
    key
        Its name here.
    title, unit
        For people.
    columns
        Its name in the tables, the first that is there counts.
    is_log
        Whether it spans decades.
    """

    key: str
    title: str
    unit: str
    columns: tuple[str, ...]
    is_log: bool = False


QUANTITIES = (
    Quantity("force_mae", "Force error, validation", "meV/Å", ("valid_forces_mae_mev_per_angstrom",), True),
    Quantity("energy_mae", "Energy error, validation", "meV/atom", ("valid_energy_mae_mev_per_atom",), True),
    Quantity("valid_loss", "Loss, validation", "", ("valid_loss",), True),
    Quantity("train_loss", "Loss, training", "", ("train_loss",), True),
    Quantity("train_force_mae", "Force error, training", "meV/Å", ("train_forces_mae_mev_per_angstrom",), True),
    Quantity("train_energy_mae", "Energy error, training", "meV/atom", ("train_energy_mae_mev_per_atom",), True),
    Quantity("learning_rate", "Learning rate", "", ("learning_rate",), True),
    Quantity("temperature", "Temperature", "K", ("temperature_K", "temperature")),
    Quantity("potential", "Potential energy", "eV", ("potential_eV", "potential")),
    Quantity("kinetic", "Kinetic energy", "eV", ("kinetic_eV", "kinetic_cv", "kinetic_md")),
    Quantity("kinetic_td", "Kinetic energy, primitive", "eV", ("kinetic_td",)),
    Quantity("total", "Total energy", "eV", ("total_eV",)),
    Quantity("conserved", "Conserved energy", "eV", ("conserved_eV", "conserved")),
    Quantity("pressure", "Pressure", "bar", ("pressure_bar", "pressure_cv", "pressure_md")),
    Quantity("volume", "Volume", "Å³", ("volume_A3", "volume")),
    Quantity("density", "Density", "g/cm³", ("density_g_per_cm3", "density")),
    Quantity("max_force", "Largest force", "eV/Å", ("max_force_eV_per_A",)),
    Quantity("rms_force", "Root mean square force", "eV/Å", ("rms_force_eV_per_A",)),
    Quantity("r_gyration", "Radius of gyration", "Å", ("r_gyration",)),
)  # fmt: skip

_FILES = {"train": "metrics.csv", "md": "thermo.csv", "pimd": "simulation.out"}
_X = {"train": ("epoch", "epoch"), "md": ("time_ps", "time / ps"), "pimd": ("time", "time / ps")}


@dataclass(frozen=True)
class RunCurves:
    """What a run has written.

    Attributes
    ----------
    x_title
        What the curves run along.
    x
        (T,).
    values
        (T,) by `Quantity.key`, in the quantity's unit.
    """

    x_title: str
    x: FloatArray
    values: dict[str, FloatArray]


def read_curves(folder: Path, kind: str) -> RunCurves | None:
    """Return the curves of a run; None if it has written no table yet, or one that cannot be understood."""
    if kind not in _FILES:
        return None
    read = _ipi_columns if kind == "pimd" else _csv_columns
    path = folder / _FILES[kind]
    if kind == "pimd" and not path.exists():  # replicas have files of their own
        path = next(iter(sorted(folder.glob("*simulation.out"))), path)
    try:
        columns = read(path)
    except (OSError, ValueError):
        return None
    name, title = _X[kind]
    if name not in columns:
        return None
    if kind == "pimd":
        columns |= {
            key: columns[key] * MPA_TO_BAR
            for key in columns
            if key in ("pressure_cv", "pressure_md")
        }
    values = {}
    for quantity in QUANTITIES:
        found = next((columns[column] for column in quantity.columns if column in columns), None)
        if found is not None and np.isfinite(found).any():
            values[quantity.key] = found
    return RunCurves(title, columns[name], values)


def _csv_columns(path: Path) -> dict[str, FloatArray]:
    """Return the columns of a table; empty fields are not numbers, a last line that is being written is left out."""
    with path.open("rb") as file:
        names = next(csv.reader([file.readline().decode("utf-8")]))
        lines = file.readlines()
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    stride = max(-(-len(lines) // _ROWS_AT_MOST), 1)
    rows = [line.rstrip(b"\r\n").split(b",") for line in lines[::-1][::stride][::-1]]
    table = np.array([[field or b"nan" for field in row] for row in rows if len(row) == len(names)])
    if not len(table):
        return {}
    return {name: column.astype(float) for name, column in zip(names, table.T)}


def _ipi_columns(path: Path) -> dict[str, FloatArray]:
    reader, parts = PropertyReader(path), []
    while part := reader.read():
        parts.append(part)
        if not reader.has_more:
            break
    if not parts:
        return {}
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    stride = max(-(-len(next(iter(columns.values()))) // _ROWS_AT_MOST), 1)
    return {name: column[::stride] for name, column in columns.items()}
