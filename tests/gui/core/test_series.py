"""Bounded series: fixed memory, spikes survive, order is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.core.running import smoothed
from gui.core.series import FOLD, Series


def filled(n: int, capacity: int = 200) -> tuple[Series, np.ndarray]:
    y = np.random.default_rng(1).normal(size=n)
    series = Series(["y"], capacity)
    for x, value in enumerate(y):
        series.append(x, {"y": value})
    return series, y


def test_few_samples_are_kept_as_they_came() -> None:
    series, y = filled(1000)
    x, kept = series.arrays("y")
    np.testing.assert_array_equal(x, np.arange(1000))
    np.testing.assert_array_equal(kept, y)
    assert series.last == {"x": 999.0, "y": y[-1]}


@pytest.mark.parametrize("n", [5_000, 30_000, 123_457])
def test_memory_is_bounded_and_points_are_true(n: int) -> None:
    series, y = filled(n)
    x, kept = series.arrays("y")
    assert len(x) <= 200 + 2 * FOLD
    assert len(series) <= 100 + 2 * FOLD
    assert np.all(np.diff(x) >= 0)
    np.testing.assert_array_equal(kept, y[x.astype(int)])
    assert x[-1] == n - 1


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, 9_999), sign=st.sampled_from([-1.0, 1.0]))
def test_a_spike_survives(at: int, sign: float) -> None:
    y = np.sin(np.arange(10_000))
    y[at] = sign * 1e6
    series = Series(["y"], 20)  # buckets that take in more than is folded at once
    series.extend(range(10_000), {"y": y.tolist()})
    x, y = series.arrays("y")
    assert x[np.argmax(np.abs(y))] == at
    assert np.abs(y).max() == 1e6


def test_gaps_and_values_that_are_no_numbers_are_left_out() -> None:
    series = Series(["a", "b"], 50)
    for x in range(20_000):
        series.append(x, {"a": float(x)} if x % 2 else {"a": None, "b": np.nan})
    x, a = series.arrays("a")
    assert np.all(x % 2 == 1)
    np.testing.assert_array_equal(a, x)
    assert len(series.arrays("b")[0]) == 0


def test_columns_keep_their_own_extremes() -> None:
    series = Series(["a", "b"], 20)
    for x in range(50_000):
        series.append(x, {"a": float(x == 777), "b": -float(x == 31_313)})
    assert series.arrays("a")[1].max() == 1
    assert series.arrays("b")[1].min() == -1


def test_cut_forgets_what_a_run_will_tell_again() -> None:
    series = Series(["y"], 100)
    for x in range(10_000):
        series.append(x, {"y": float(x)})
    series.cut(6_000)
    assert series.arrays("y")[0].max() < 6_000
    series.append(6_000, {"y": 1.0})
    assert series.last["x"] == 6_000


def test_cut_of_recent_samples_is_exact() -> None:
    series, _ = filled(100)
    series.cut(40)
    np.testing.assert_array_equal(series.arrays("y")[0], np.arange(40))


def test_extend_is_append_of_each() -> None:
    one, y = filled(9_000)
    other = Series(["y"], 200)
    other.extend(range(9_000), {"y": y})
    np.testing.assert_array_equal(one.arrays("y"), other.arrays("y"))


def test_versions_tell_of_change() -> None:
    series = Series(["y"])
    versions = [series.version]
    series.append(0, {"y": 1.0})
    versions.append(series.version)
    series.clear()
    versions.append(series.version)
    assert len(set(versions)) == 3
    assert len(series) == 0
    assert series.last == {}


@pytest.mark.parametrize("width", [1, 2, 5, 500])
def test_smoothing_keeps_length_and_constants(width: int) -> None:
    np.testing.assert_allclose(smoothed(np.full(100, 3.0), width), 3.0)


def test_smoothing_is_the_mean_of_neighbours() -> None:
    y = np.arange(10.0) ** 2
    assert smoothed(y, 3)[5] == pytest.approx(y[4:7].mean())
