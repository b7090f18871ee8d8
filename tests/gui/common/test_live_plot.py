"""Live plots: draw what a series holds, follow until a person looks elsewhere, export what is shown."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gui.core.series import Series
from gui.theme import theme
from gui.views.common.clock import RepaintClock
from gui.views.common.live_plot import LivePlot


@pytest.fixture
def plot(qtbot: Any) -> LivePlot:
    made = LivePlot("Temperature", "K", "time / ps")
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    return made


def series(n: int = 500) -> Series:
    made = Series(["temp", "target"])
    random = np.random.default_rng(1)
    for x in range(n):
        made.append(0.1 * x, {"temp": 300 + 10 * random.normal(), "target": 300.0})
    return made


def test_it_draws_what_the_series_holds(plot: LivePlot) -> None:
    data = series()
    plot.bind(data, {"temperature": "temp"})
    x, y = plot._curves["temperature"].getOriginalDataset()
    np.testing.assert_array_equal((x, y), data.arrays("temp"))


def test_it_draws_only_on_a_tick_and_only_if_there_is_news(
    qtbot: Any, plot: LivePlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = series(10)
    plot.bind(data, "temp")
    drawn: list[str] = []
    monkeypatch.setattr(plot, "_show", lambda name, x, y: drawn.append(name))
    clock = RepaintClock()
    clock.register(plot)
    data.append(99.0, {"temp": 1.0})
    assert drawn == []
    clock.tick()
    clock.tick()
    assert drawn == ["temp"]
    plot.hide()
    data.append(100.0, {"temp": 1.0})
    clock.tick()
    assert drawn == ["temp"]
    plot.show()
    clock.tick()
    assert drawn == ["temp", "temp"]


def test_mean_and_error_in_the_corner(plot: LivePlot) -> None:
    plot.bind(series(), {"temperature": "temp"})
    plot.setStatistics(True)
    words = plot._statistics.text().split()
    assert words[0] == "mean"
    assert float(words[1]) == pytest.approx(300, abs=3)
    assert words[2] == "±"
    assert words[-1] == "K"
    plot.setData("later", [0, 1], [1, 1])
    plot.setStatisticsSince(49.0)
    assert plot._statistics.text().startswith("temperature")


def test_the_target_also_on_a_logarithmic_axis(plot: LivePlot) -> None:
    plot.setData("error", [1, 2, 3], [100.0, 0.0, 10.0])
    plot.setTarget(50.0)
    assert plot._target.value() == 50.0
    plot.setLog(True)
    assert plot._target.value() == pytest.approx(np.log10(50.0))
    plot.setTarget(None)
    assert plot._target is None


@pytest.mark.parametrize(("low", "high"), [(1.0, 900.0), (20.0, 60.0), (1e-9, 1.0), (20.0, 24.0)])
def test_ticks_of_a_logarithmic_axis_are_few_and_plain(
    plot: LivePlot, low: float, high: float
) -> None:
    plot.setLog(True)
    axis = plot._item.getAxis("left")
    ((_, ticks),) = axis.tickValues(np.log10(low), np.log10(high), 200.0)
    words = axis.tickStrings(ticks, 1.0, 1.0)
    assert 2 <= len(words) <= 10
    assert all(low <= 1.0001 * float(word) and float(word) <= 1.0001 * high for word in words)


def test_it_follows_until_a_person_looks_elsewhere(plot: LivePlot) -> None:
    data = series(100)
    plot.bind(data, "temp")
    assert plot.isFollowing()
    plot._item.getViewBox().sigRangeChangedManually.emit([True, True])
    assert not plot.isFollowing()
    plot._follow.click()
    assert plot.isFollowing()


def test_smoothing_leaves_the_points_behind_it(plot: LivePlot) -> None:
    plot.bind(series(), "temp")
    plot.setSmoothing(50)
    raw, shown = (item["temp"].getOriginalDataset()[1] for item in (plot._raw, plot._curves))
    np.testing.assert_array_equal(raw, plot.data("temp")[1])
    assert shown.std() < 0.5 * raw.std()
    plot.setSmoothing(1)
    assert not plot._raw["temp"].xData


@pytest.mark.parametrize("suffix", ["png", "svg", "csv"])
def test_export(plot: LivePlot, tmp_path: Path, suffix: str) -> None:
    plot.bind(series(50), {"temperature": "temp"})
    path = tmp_path / f"plot.{suffix}"
    plot.export(path)
    content = path.read_bytes()
    if suffix == "png":
        assert content.startswith(b"\x89PNG")
    elif suffix == "svg":
        assert b"<svg" in content
    else:
        rows = list(csv.reader(content.decode().splitlines()))
        assert rows[0] == ["time / ps", "temperature / K"]
        np.testing.assert_array_equal(np.array(rows[1:], float).T, plot.data("temperature"))


def test_an_export_that_cannot_be_written(plot: LivePlot, tmp_path: Path) -> None:
    for suffix in ("png", "svg", "csv"):
        with pytest.raises(OSError, match="plot"):
            plot.export(tmp_path / "nowhere" / f"plot.{suffix}")


def test_a_change_of_theme_and_marks(plot: LivePlot) -> None:
    plot.bind(series(50), "temp")
    plot.setMarks([(1.0, "320 K", "muted"), (2.0, "blow-up", "error")])
    try:
        theme().choose("dark")
        assert plot._curves["temp"].opts["pen"].color() == theme().colour("curve1")
    finally:
        theme().choose("light")
    plot.clear()
    assert plot._marks == []


def test_what_ends_a_curve_is_written_where_there_is_room(plot: LivePlot) -> None:
    plot.bind(series(50), "temp")
    x, _ = plot._data["temp"]
    plot.setMarks([(x[-1], "ended here", "error"), (x[0], "ended here", "error")])
    assert [line.label.anchors[0][0] for line, _ in plot._marks] == [
        1,
        0,
    ]  # left of it, right of it
