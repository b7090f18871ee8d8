"""The columns that i-PI prints, in our units, without what an interrupted run repeats or leaves unfinished."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.errors import DataError

__all__ = ["Series", "per_element", "read_series"]

FloatArray = NDArray[np.float64]

# what every column is turned into, by dimension
UNITS = {
    "energy": "electronvolt",
    "length": "angstrom",
    "time": "picosecond",
    "temperature": "kelvin",
    "volume": "angstrom3",
    "pressure": "bar",
    "density": "g/cm3",
}


@dataclass(frozen=True)
class Series:
    """One printed quantity over time.

    Attributes
    ----------
    time
        (n,) ps.
    values
        (n,) or (n, k), in eV, Å, K, Å³, bar or g/cm³ by dimension.
    """

    time: FloatArray
    values: FloatArray


def read_series(files: Iterable[Path], timestep: float) -> dict[str, Series]:
    """Return what i-PI printed, by its name with arguments and without unit, such as ``kinetic_cv(H)``.

    A restarted run may print steps twice; the later ones are those it went on from, and are kept.

    Parameters
    ----------
    files
        Files of columns; of a quantity that stands in several, the first is taken.
    timestep
        In fs, for files with steps but without time.

    Raises
    ------
    DataError
        If a file cannot be read, has no rows or holds what is not finite.
    """
    series: dict[str, Series] = {}
    for path in files:
        columns = _in_our_units(*_read(path))
        for name, one in _over_time(path, columns, timestep).items():
            series.setdefault(name, one)
    return series


def per_element(series: Mapping[str, Series], quantity: str) -> dict[str, Series]:
    """Return a quantity that was printed for elements, by element: ``r_gyration(H)``, or ``(atom=H)``."""
    pattern = re.compile(rf"{re.escape(quantity)}\((?:atom=)?\s*([A-Za-z]\w*)\s*\)")
    matches = ((pattern.fullmatch(name), one) for name, one in series.items())
    return {match[1]: one for match, one in matches if match}


def _read(path: Path) -> tuple[dict[str, FloatArray], dict[str, tuple[str | None, str]]]:
    """Return columns and (unit, help text) by name, as i-PI's reader gives them."""
    from ipi import read_output

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    header, rows = _whole_rows(text)
    if not header:
        raise DataError(f"{path}: names no columns; i-PI writes them at the start of a run")
    if not rows:
        raise DataError(f"{path}: has no rows yet")
    with tempfile.NamedTemporaryFile("w", suffix=".out", encoding="utf-8") as file:
        file.writelines([*header, *rows])
        file.flush()
        try:
            columns, info = read_output(file.name)
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}: is no output of i-PI, or is damaged: {error}") from error
    # a single row comes without its axis
    shaped = {name: values.reshape(len(rows), -1) for name, values in columns.items()}
    return {name: v[:, 0] if v.shape[1] == 1 else v for name, v in shaped.items()}, info


def _whole_rows(text: str) -> tuple[list[str], list[str]]:
    """Return header lines and complete rows; a crash may leave half a row, and a restart goes on writing behind it."""
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if not line.startswith("#") and line.strip()]
    n_columns = len(rows[0].split()) if rows else 0
    return header, [row for row in rows if len(row.split()) == n_columns]


def _in_our_units(
    columns: dict[str, FloatArray], info: Mapping[str, tuple[str | None, str]]
) -> dict[str, FloatArray]:
    from ipi.engine.properties import Properties
    from ipi.utils.units import unit_to_internal, unit_to_user

    known = Properties().property_dict
    converted = {}
    for name, values in columns.items():
        dimension = known.get(name.partition("(")[0], {}).get("dimension", "")
        unit = UNITS.get(dimension)
        factor = 1.0
        if unit is not None:
            printed_in = info[name][0] or "atomic_unit"
            factor = unit_to_user(dimension, unit, unit_to_internal(dimension, printed_in, 1.0))
        converted[name] = values * factor
    return converted


def _over_time(path: Path, columns: dict[str, FloatArray], timestep: float) -> dict[str, Series]:
    """Return the columns with their times, each step once, in order."""
    steps, time = columns.pop("step", None), columns.pop("time", None)
    if time is None and steps is None:
        raise DataError(f"{path}: has neither 'step' nor 'time'; print one of them in <properties>")
    if time is None:
        time = np.asarray(steps) * timestep * 1e-3  # fs to ps
    _require_finite(path, columns, time)
    order = time if steps is None else steps
    # of equal steps the last: np.unique finds the first, so it looks from the end
    _, from_end = np.unique(order[::-1], return_index=True)
    kept = len(order) - 1 - from_end
    return {name: Series(time[kept], values[kept]) for name, values in columns.items()}


def _require_finite(path: Path, columns: Mapping[str, FloatArray], time: FloatArray) -> None:
    for name, values in columns.items():
        bad = ~np.isfinite(values.reshape(len(time), -1)).all(axis=1)
        if bad.any():
            raise DataError(
                f"{path}: '{name}' is not finite from {time[bad.argmax()]:.6g} ps on; the run failed there "
                "(i-PI itself goes on and ends with success)"
            )
