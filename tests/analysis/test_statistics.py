"""Averages of correlated series and drifts, against series whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.analysis.statistics import (
    block_average,
    energy_drift,
    read_columns,
    read_thermo,
    summarise_thermo,
)
from nequip_openmm.errors import DataError


def _correlated(n: int, rng: np.random.Generator, memory: float) -> np.ndarray:
    """An AR(1) series with unit variance; its mean has the variance (1 + a) / (1 - a) / n."""
    noise = rng.normal(size=n) * np.sqrt(1 - memory**2)
    values = np.empty(n)
    values[0] = rng.normal()
    for k in range(1, n):
        values[k] = memory * values[k - 1] + noise[k]
    return values


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_error_of_a_correlated_mean(memory: float) -> None:
    n = 4096
    exact = np.sqrt((1 + memory) / (1 - memory) / n)
    rng = np.random.default_rng(1)
    errors = [block_average(_correlated(n, rng, memory)).error for _ in range(20)]
    assert np.mean(errors) == pytest.approx(exact, rel=0.15)


def test_short_constant_and_empty_series() -> None:
    assert block_average([2.0]).value == 2.0
    assert np.isnan(block_average([2.0]).error)
    assert np.isnan(block_average([]).value)
    assert block_average([3.0] * 10).error == 0.0


def test_drift_is_the_slope_per_atom() -> None:
    time = np.linspace(0, 20, 401)
    energy = -500.0 + 0.006 * time
    drift = energy_drift(time, energy, 6)
    assert drift.mev_per_atom_per_ps == pytest.approx(1.0, rel=1e-9)
    assert drift.rms_mev_per_atom == pytest.approx(0.0, abs=1e-6)
    assert drift.duration_ps == 20.0
    wobble = energy_drift(time, energy + 0.006 * np.sin(100 * time), 6)
    assert wobble.rms_mev_per_atom == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_a_drift_needs_two_times() -> None:
    with pytest.raises(DataError, match="two or more times"):
        energy_drift([1.0], [2.0], 3)


def test_columns_of_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,\n4,x\n5")
    columns = read_columns(path)
    np.testing.assert_array_equal(columns["a"], [1, 3, 4])
    np.testing.assert_array_equal(columns["b"], [2, np.nan, np.nan])


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_columns(tmp_path / "no.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="is empty"):
        read_columns(tmp_path / "empty.csv")
    (tmp_path / "other.csv").write_text("time_ps,x\n1,2\n")
    with pytest.raises(DataError, match=r"is no thermo\.csv, it lacks potential_eV"):
        read_thermo(tmp_path / "other.csv")


def test_a_summary_rounds_to_the_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "thermo.csv"
    header = "time_ps,temperature_K,potential_eV,total_eV,density_g_per_cm3"
    rows = [f"{k},{300 + t},{-5},{-4}," for k, t in enumerate(rng.normal(size=1000) * 50)]
    path.write_text("\n".join([header, *rows]) + "\n")
    summary = summarise_thermo(path)
    assert summary is not None
    assert summary.samples == 800
    (name, mean, error), (other, value, none) = summary.rows()
    assert (name, other, value, none) == ("temperature (K)", "potential energy (eV)", "-5", "")
    assert float(error) == pytest.approx(50 / np.sqrt(800), rel=0.3)
    assert abs(float(mean) - 300) < 4 * float(error)
    path.write_text(header + "\n")
    assert summarise_thermo(path) is None


def test_averages_are_over_the_last_stage(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    temperature = np.concatenate([np.full(100, 20.0), 300.0 + rng.normal(size=200)])
    rows = "\n".join(
        f"{k},{0.1 * k},{t},0,0,{1 if k < 100 else 2}" for k, t in enumerate(temperature)
    )
    path = tmp_path / "thermo.csv"
    path.write_text(f"step,time_ps,temperature_K,potential_eV,total_eV,stage\n{rows}\n")
    summary = summarise_thermo(path)
    assert summary is not None
    assert summary.samples == 160
    assert summary.means["temperature_K"].value == pytest.approx(300, abs=0.5)
