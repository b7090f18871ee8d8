"""The bead-convergence helper: run after run, stopped, resumed, failed, judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gui.core.bead_convergence import Outcome
from gui.viewmodels.bead_series import BeadSeries, SeriesState, parse_beads
from gui.viewmodels.quantum import QuantumModel
from nequip_openmm.errors import UserError

Make = Callable[..., QuantumModel]


def reached(qtbot: Any, series: BeadSeries, state: SeriesState) -> None:
    qtbot.waitUntil(lambda: series.state is state)


def test_runs_follow_one_another_and_are_judged(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    followed: list[int] = []
    model.series.member_started.connect(lambda job: followed.append(job.folder))
    model.start_series((2, 4, 8), steps=8000)
    reached(qtbot, model.series, SeriesState.FINISHED)
    assert list(model.series.points) == [2, 4, 8]
    assert [folder.name for folder in followed] == ["beads-2beads", "beads-4beads", "beads-8beads"]
    kinetic = [point.kinetic["H"].value for point in model.series.points.values()]
    assert kinetic == sorted(kinetic)
    assert model.series.verdict.outcome is Outcome.NOT_CONVERGED
    gathered = BeadSeries(model._jobs)
    gathered.temperature = 300.0
    gathered.gather(followed)
    assert gathered.points == model.series.points


def test_a_series_is_stopped_and_resumed(qtbot: Any, make_model: Make) -> None:
    model = make_model("long")
    model.start_series((2, 4), steps=2000)
    reached(qtbot, model.series, SeriesState.RUNNING)
    qtbot.waitUntil(lambda: bool(model.run and model.run.job.progress.done))
    model.series.stop()
    reached(qtbot, model.series, SeriesState.STOPPED)
    model.series.resume()
    reached(qtbot, model.series, SeriesState.FINISHED)
    assert list(model.series.points) == [2, 4]


def test_a_member_that_fails_stops_the_series_and_what_was_found_stays(
    qtbot: Any, make_model: Make
) -> None:
    model = make_model("ipi-dies")
    model.start_series((2, 4), steps=1000)
    reached(qtbot, model.series, SeriesState.FAILED)
    assert "i-PI was killed" in model.series.problem
    model.series.resume()
    qtbot.waitUntil(lambda: 2 in model.series.points)


@pytest.mark.parametrize(
    ("text", "beads"), [("4, 8 16", (4, 8, 16)), ("32,4", (4, 32)), ("4 4 8", (4, 8))]
)
def test_numbers_of_beads_are_read(text: str, beads: tuple[int, ...]) -> None:
    assert parse_beads(text) == beads


@pytest.mark.parametrize("text", ["", "8", "4, x", "0, 4", "4, 9999", "-4 8"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="4, 8, 16, 32"):
        parse_beads(text)
