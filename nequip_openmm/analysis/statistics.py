"""Means with honest errors, and drift, of time series from molecular dynamics."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.errors import DataError

__all__ = [
    "Drift",
    "Mean",
    "ThermoSummary",
    "block_average",
    "energy_drift",
    "read_columns",
    "read_thermo",
    "summarise_thermo",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """Mean of a correlated time series.

    Attributes
    ----------
    value
        The mean.
    error
        Its standard error; NaN if the series is too short to tell.
    block
        Number of samples in the blocks that the error was taken from: neighbouring blocks of that length are independent.
    """

    value: float
    error: float
    block: int


@dataclass(frozen=True)
class Drift:
    """Least-squares line through the total energy.

    Attributes
    ----------
    mev_per_atom_per_ps
        Slope.
    rms_mev_per_atom
        Root mean square distance of the energy from the line.
    duration_ps
        Time between the first sample and the last.
    """

    mev_per_atom_per_ps: float
    rms_mev_per_atom: float
    duration_ps: float


def block_average(series: ArrayLike) -> Mean:
    """Return the mean and its standard error by blocking.

    Samples are averaged in pairs again and again; the error of the mean from blocks of length 2^i rises to a plateau when
    blocks become independent. The level is the first with 2^(3i) > 2 n (σ_i/σ_0)⁴, where σ_i is the error at level i.

    H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461 (1989), doi:10.1063/1.457480; choice of level: R. M. Lee et al.,
    Phys. Rev. E 83, 066706 (2011), doi:10.1103/PhysRevE.83.066706.

    Parameters
    ----------
    series
        (n,) samples at equal distances in time.
    """
    blocks = np.asarray(series, dtype=np.float64)
    n = len(blocks)
    if n == 0:
        return Mean(np.nan, np.nan, 0)
    value = float(blocks.mean())
    errors = _errors_by_level(blocks)
    if not errors:
        return Mean(value, np.nan, 1)
    if errors[0] == 0.0:
        return Mean(value, 0.0, 1)  # a constant
    for i, error in enumerate(errors):
        if 2 ** (3 * i) > 2 * n * (error / errors[0]) ** 4:
            return Mean(value, error, 2**i)
    return Mean(value, max(errors), 2 ** int(np.argmax(errors)))


def energy_drift(time_ps: ArrayLike, energy_ev: ArrayLike, n_atoms: int) -> Drift:
    """Return the drift of a total energy.

    Parameters
    ----------
    time_ps, energy_ev
        (n,) times in ps and total energies of the whole system in eV, two or more.

    Raises
    ------
    DataError
        For fewer than two samples.
    """
    time = np.asarray(time_ps, dtype=np.float64)
    energy = 1000.0 * np.asarray(energy_ev, dtype=np.float64) / n_atoms  # meV/atom
    if len(time) < 2 or time[0] == time[-1]:
        raise DataError("a drift needs samples at two or more times")
    t, e = time - time.mean(), energy - energy.mean()
    slope = float(t @ e / (t @ t))
    rms = float(np.sqrt(((e - slope * t) ** 2).mean()))
    return Drift(slope, rms, float(time[-1] - time[0]))


def _errors_by_level(blocks: FloatArray) -> list[float]:
    """Return the standard error of the mean from blocks of 1, 2, 4, ... samples, as long as there are two."""
    errors = []
    while len(blocks) >= 2:
        errors.append(float(blocks.std(ddof=1) / np.sqrt(len(blocks))))
        blocks = 0.5 * (blocks[: len(blocks) // 2 * 2 : 2] + blocks[1::2])
    return errors


# --- tables of runs -------------------------------------------------------------------------------------------------------


def read_columns(path: Path | str) -> dict[str, FloatArray]:
    """Return the columns of a CSV file as numbers; what is empty or no number is NaN.

    Raises
    ------
    DataError
        If the file cannot be read or has no header.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not rows:
        raise DataError(f"{path}: is empty")
    header, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    return {
        name: np.array([_number(row[k]) for row in body], dtype=np.float64)
        for k, name in enumerate(header)
    }


def read_thermo(path: Path | str) -> dict[str, FloatArray]:
    """Return the columns of a ``thermo.csv``; raises `DataError` for another file."""
    columns = read_columns(path)
    missing = {"time_ps", "temperature_K", "potential_eV", "total_eV"} - set(columns)
    if missing:
        raise DataError(f"{path}: is no thermo.csv, it lacks {', '.join(sorted(missing))}")
    return columns


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@dataclass(frozen=True)
class ThermoSummary:
    """Averages over a run.

    Attributes
    ----------
    samples
        Rows that were averaged.
    duration_ps
        Time at the last row.
    means
        Mean of every quantity that is defined, by its column.
    """

    samples: int
    duration_ps: float
    means: Mapping[str, Mean]

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (quantity with unit, mean, error) as text."""
        return [
            (_LABELS[name], *_rounded(mean)) for name, mean in self.means.items() if name in _LABELS
        ]


_LABELS = {
    "temperature_K": "temperature (K)",
    "potential_eV": "potential energy (eV)",
    "kinetic_eV": "kinetic energy (eV)",
    "density_g_per_cm3": "density (g/cm³)",
    "pressure_bar": "pressure (bar)",
    "volume_A3": "volume (Å³)",
}


def summarise_thermo(path: Path | str, *, skip: float = 0.2) -> ThermoSummary | None:
    """Return averages over the last stage in a ``thermo.csv``, or None if it has fewer than two rows.

    Parameters
    ----------
    skip
        Fraction of the stage's rows to leave out at the start, where the system relaxes.
    """
    columns = read_thermo(path)
    n = len(columns["time_ps"])
    stage = columns.get("stage", np.ones(n))
    begin = int((stage < stage.max(initial=1)).sum())
    if n - begin < 2:
        return None
    first = begin + int(skip * (n - begin))
    kept = {name: values[first:] for name, values in columns.items()}
    means = {
        name: block_average(values)
        for name, values in kept.items()
        if name in _LABELS and np.isfinite(values).all()
    }
    return ThermoSummary(n - first, float(columns["time_ps"][-1]), means)


def _rounded(mean: Mean) -> tuple[str, str]:
    """Return value and error, rounded to two digits of the error."""
    if not (np.isfinite(mean.error) and mean.error > 0):
        return f"{mean.value:.6g}", ""
    digits = max(0, 1 - int(np.floor(np.log10(mean.error))))
    return f"{mean.value:.{digits}f}", f"{mean.error:.{digits}f}"
