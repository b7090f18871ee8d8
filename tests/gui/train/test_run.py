"""A training that runs or ran, without widgets: curves, best model, verdict, ways on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gui.core.verdict import Level
from gui.demo.training import EPOCHS, demo_events, demo_run, write_run
from gui.jobs import Action, JobState
from gui.viewmodels.training import RUN_STATES
from gui.viewmodels.training_run import FORCES, clock


def until(qtbot, model, *states):
    qtbot.waitUntil(lambda: model.state in states)


def test_every_state_of_a_job_has_a_face():
    assert set(RUN_STATES) == set(JobState)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.2, "0:00"), (310, "5:10"), (3723, "1:02:03"), (np.inf, "")]
)
def test_time_that_is_left(seconds, text):
    assert clock(seconds) == text


def test_curves_best_and_memory_come_from_the_events(qtbot):
    run = demo_run(137)
    epochs, _ = run.series.arrays(f"valid_{FORCES}")
    assert list(epochs) == list(range(1, 138))
    rows = [e for e in demo_events(137) if e["ev"] == "epoch"]
    best = min(rows, key=lambda row: row["valid_loss"])
    assert run.best["epoch"] == best["epoch"]
    assert run.improvements[-1]["epoch"] == best["epoch"]
    assert run.epoch_text == f"epoch 137 of {EPOCHS}"
    assert run.memory == pytest.approx(830_000_000 / 2**30)
    assert run.epoch_s == pytest.approx(0.23, abs=0.15)
    assert [symbol for symbol, *_ in run.elements()] == ["H", "C", "O"]
    assert run.job.state is JobState.RUNNING


def test_a_resumed_run_does_not_count_epochs_twice(qtbot):
    run = demo_run(20)
    for event in demo_events(15)[2:]:
        if event["ev"] == "epoch" and event["epoch"] > 12:
            run._on_event(event)
    epochs, _ = run.series.arrays("valid_loss")
    assert list(epochs) == list(range(1, 16))
    assert all(row["epoch"] <= 15 for row in run.improvements)


def test_the_verdict_needs_to_know_typical_forces(qtbot):
    run = demo_run(EPOCHS, "finished")
    assert run.verdict.level is Level.UNKNOWN
    run.force_rms = 1.3
    assert run.verdict.level in (Level.EXCELLENT, Level.GOOD)
    assert run.target == pytest.approx(65.0)


def test_failures_lead_to_ways_on(qtbot):
    error = {"code": "nan-loss", "title": "the loss became NaN", "detail": "", "hint": ""}
    run = demo_run(30, "failed", error)
    assert run.job.state is JobState.FAILED
    assert run.suggestions[0].changes["training.lr"] < 0.02


# --- with a worker


def test_from_start_to_finish(make_model, qtbot):
    model = make_model("ok")
    states = []
    model.state_changed.connect(states.append)
    assert model.state == "ready"
    model.start()
    assert model.state == "starting"
    until(qtbot, model, "finished")
    assert states[:2] == ["starting", "running"]
    assert len(model.run.series.arrays("train_loss")[0]) == 20
    assert model.run.model is not None


def test_pause_resume_checkpoint_stop_continue(make_model, qtbot):
    model = make_model("slow")
    model.start()
    until(qtbot, model, "running")
    assert not model.can(Action.CONTINUE)
    model.run.job.pause()
    until(qtbot, model, "paused")
    model.run.job.resume()
    until(qtbot, model, "running")
    model.run.job.checkpoint()
    model.run.job.stop()
    until(qtbot, model, "stopped")
    assert model.can(Action.CONTINUE)
    model.continue_run()
    until(qtbot, model, "running")
    model.run.job.kill()
    until(qtbot, model, "stopped")


def test_a_crash_keeps_the_curves_and_offers_to_continue(make_model, qtbot):
    model = make_model("crash")
    model.start()
    until(qtbot, model, "failed")
    assert len(model.run.series.arrays("train_loss")[0]) == 10
    (way,) = model.run.suggestions
    assert way.continues


def test_a_kill_is_taken_for_lack_of_memory(make_model, qtbot):
    model = make_model("kill")
    model.setup.choose_preset("quick")
    model.start()
    until(qtbot, model, "failed")
    way = model.run.suggestions[0]
    assert way.changes["training.batch_size"] == 5
    first = model.run.job
    model.follow(way)
    assert model.run.job is not first
    until(qtbot, model, "running", "failed")
    assert model.setup.spec["training"]["batch_size"] == 5
    assert model.run.settings["training"]["batch_size"] == 5


def test_a_full_disk_can_be_continued(make_model, qtbot):
    model = make_model("disk-full")
    model.start()
    until(qtbot, model, "failed")
    assert [way.button for way in model.run.suggestions] == ["Continue"]


def test_wrong_settings_lead_back_to_the_form(make_model, qtbot):
    model = make_model("user-error")
    model.start()
    until(qtbot, model, "failed")
    assert "must be a number" in model.run.job.error["title"]
    assert model.run.suggestions == []
    model.edit_settings_of_run()
    assert model.state == "ready"


def test_a_run_from_elsewhere_that_died_is_lost(make_model, qtbot, tmp_path):
    model = make_model("ok")
    events = demo_events(10)
    events[0]["pid"] = 2**22 - 1
    folder = write_run(tmp_path / "elsewhere", events)
    model.show_job(model.session.jobs.attach(folder))
    until(qtbot, model, "lost")
    assert model.run.suggestions[0].continues
    assert len(model.run.series.arrays("train_loss")[0]) == 10


def test_garbage_and_silence_change_nothing(make_model, qtbot):
    model = make_model("garbage")
    model.start()
    until(qtbot, model, "finished")
    assert model.run.job.n_garbled >= 3
    assert len(model.run.series.arrays("train_loss")[0]) == 20


def test_other_jobs_are_not_shown(make_model, qtbot):
    model = make_model("slow")
    job = model.session.start_job("md", {"model": "m", "structure": "s", "steps": 1})
    model.show_job(job)
    assert model.run is None
    job.kill()


def test_the_model_goes_to_the_simulation(make_model, qtbot):
    model = make_model("ok")
    model.start()
    until(qtbot, model, "finished")
    heard = []
    model.session.page_wanted.connect(heard.append)
    model.session.model_chosen.connect(heard.append)
    model.use_in_simulation()
    assert heard == ["simulate", model.run.model]  # the page is there when the model is told


def test_training_longer_doubles_epochs_and_time(make_model, qtbot, monkeypatch):
    model = make_model("ok")
    model.setup.choose_preset("quick")
    model.start()
    until(qtbot, model, "finished")
    given = {}
    monkeypatch.setattr(
        model.session.jobs, "continue_", lambda folder, **changes: given.update(changes)
    )
    model.train_longer()
    assert given == {"training.max_epochs": 440, "training.max_time": 330.0}


# --- parity


def test_the_best_model_is_compared_once_somebody_looks(make_model, qtbot):
    model = make_model("ok")
    model.start()
    until(qtbot, model, "finished")
    parity = model.parity
    assert not parity.is_busy
    assert parity.comparison is None
    parity.watch(True)
    assert parity.is_busy
    qtbot.waitUntil(lambda: parity.comparison is not None)
    assert parity.epoch == 20
    assert not parity.is_outdated
    assert model.run.force_rms == pytest.approx(parity.comparison.force_rms)
    arguments = json.loads((parity._folder.parent / "evaluate-arguments.json").read_text())
    assert arguments[arguments.index("--indices") + 1].endswith("split.json:valid")
    assert "--background" not in arguments


def test_during_a_run_one_comparison_at_a_time_and_in_the_background(make_model, qtbot):
    model = make_model("slow")
    model.start()
    until(qtbot, model, "running")
    qtbot.waitUntil(lambda: bool(model.run.best))
    parity = model.parity
    started = []
    start = model.session.task
    model.session.task = lambda arguments, **options: (
        started.append(arguments) or start(arguments, **options)
    )
    parity.watch(True)
    qtbot.waitUntil(lambda: parity.comparison is not None)
    qtbot.wait(200)  # further best models come, none is compared before the pause is over
    assert len(started) == 1
    assert "--background" in started[0]
    qtbot.waitUntil(lambda: parity.is_outdated)
    parity.refresh()
    assert len(started) == 2
    model.run.job.kill()


def test_other_frames_can_be_chosen(make_model, qtbot):
    model = make_model("ok")
    model.start()
    until(qtbot, model, "finished")
    model.parity.watch(True)
    model.parity.choose("train")
    assert model.parity.comparison is None
    qtbot.waitUntil(lambda: model.parity.comparison is not None)
    assert not model.parity.has_set("test")
