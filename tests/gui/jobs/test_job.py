"""Jobs with workers that do well and workers that do not: what was told is kept, and how it ended is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gui.jobs import Action, Job, Jobs, JobState
from gui.session import Session
from nequip_openmm.errors import UserError
from tests.gui.conftest import fake_program

S = JobState
MakeSession = Callable[..., Session]
SPEC: dict[str, Any] = {"model": "m.safetensors", "steps": 200}


def start(session: Session, kind: str = "md", name: str = "run") -> Job:
    job = session.start_job(kind, SPEC, name)
    assert job is not None
    return job


def wait_for(qtbot: Any, job: Job, *states: JobState) -> None:
    qtbot.waitUntil(lambda: job.state in states)


def test_a_run_from_start_to_finish(qtbot: Any, session: Session) -> None:
    job = start(session)
    assert (job.state, job.is_ours, job.kind, job.name) == (S.STARTING, True, "md", "run")
    seen: list[JobState] = []
    told: list[str] = []
    job.state_changed.connect(seen.append)
    job.event_received.connect(lambda event: told.append(event["ev"]))
    wait_for(qtbot, job, S.FINISHED)
    qtbot.waitUntil(lambda: job.exit_code == 0)
    assert seen == [S.RUNNING, S.FINISHED]
    assert (job.progress.done, job.progress.total, job.progress.speed) == (200, 200, "12.5 ns/day")
    assert job.result["reason"] == "finished"
    assert told[0] == "hello"
    assert told[-1] == "done"
    assert told.count("sample") == len(job.events("sample")) == 20
    assert job.error is None


def test_the_folder_holds_settings_events_and_output(qtbot: Any, session: Session) -> None:
    job = start(session)
    wait_for(qtbot, job, S.FINISHED)
    assert yaml.safe_load((job.folder / "spec.yaml").read_text()) == {"kind": "md", **SPEC}
    assert "chatter on stdout" in job.output.read_text()
    assert list(job.folder.parent.glob(".*")) == []  # nothing stays beside it


def test_pause_and_resume(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("slow"))
    wait_for(qtbot, job, S.RUNNING)
    assert job.can(Action.PAUSE)
    assert not job.can(Action.RESUME)
    assert job.pause()
    wait_for(qtbot, job, S.PAUSED)
    n_events = len(job.events())
    qtbot.wait(100)
    assert len(job.events()) == n_events
    assert job.silence_s == 0
    assert job.resume()
    wait_for(qtbot, job, S.RUNNING)


def test_stop_saves_and_ends(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("slow"))
    wait_for(qtbot, job, S.RUNNING)
    assert job.stop()
    assert job.state is S.STOPPING
    wait_for(qtbot, job, S.STOPPED)
    assert job.events("checkpoint")
    assert not job.stop()


def test_stop_while_paused(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("slow"))
    wait_for(qtbot, job, S.RUNNING)
    job.pause()
    wait_for(qtbot, job, S.PAUSED)
    assert job.stop()
    wait_for(qtbot, job, S.STOPPED)


def test_checkpoint_and_set_reach_the_worker(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("slow"))
    wait_for(qtbot, job, S.RUNNING)
    assert job.set(temperature=320.0)
    assert job.checkpoint()
    qtbot.waitUntil(lambda: bool(job.events("checkpoint")))
    assert job.events("set")[0]["temperature"] == 320.0


@pytest.mark.parametrize(
    ("kind", "able"),
    [("train", {Action.PAUSE, Action.CHECKPOINT}), ("md", {Action.PAUSE, Action.CHECKPOINT, Action.SET}), ("pimd", {Action.CHECKPOINT})],
)  # fmt: skip
def test_a_job_offers_what_its_kind_understands(
    qtbot: Any, make_session: MakeSession, kind: str, able: set[Action]
) -> None:
    job = start(make_session("slow"), kind)
    wait_for(qtbot, job, S.RUNNING)
    offered = {action for action in Action if job.can(action)}
    assert offered == able | {Action.STOP, Action.KILL}


# --- what goes wrong -----------------------------------------------------------------------------------------------------


def test_a_segmentation_fault_loses_nothing(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("crash"))
    wait_for(qtbot, job, S.FAILED)
    assert len(job.events("sample")) == 10
    assert job.exit_code == -signal.SIGSEGV
    assert job.error is not None
    assert job.error["code"] == "crashed"
    assert "signal 11, SIGSEGV" in job.error["title"]
    assert "checkpoint" in job.error["hint"]
    assert "chatter on stderr" in job.error["detail"]
    assert job.can(Action.CONTINUE)


def test_a_kill_from_outside_names_memory(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("kill"))
    wait_for(qtbot, job, S.FAILED)
    assert "SIGKILL" in job.error["title"]
    assert "memory" in job.error["hint"]


def test_a_force_stop_is_no_crash(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("deaf"))
    wait_for(qtbot, job, S.RUNNING)
    job.stop()
    assert job.state is S.STOPPING
    assert job.can(Action.KILL)
    assert job.kill()
    wait_for(qtbot, job, S.STOPPED)
    assert job.error is None


def test_garbage_is_counted_and_the_run_goes_on(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("garbage"))
    lines: list[str] = []
    job.garbled.connect(lines.append)
    wait_for(qtbot, job, S.FINISHED)
    assert job.n_garbled == len(lines) == 4
    assert len(job.events("sample")) == 20
    assert job.events("news-of-tomorrow")


@pytest.mark.parametrize(("mode", "code"), [("fail", "blow-up"), ("disk-full", "disk-full")])
def test_the_workers_own_words(qtbot: Any, make_session: MakeSession, mode: str, code: str) -> None:
    job = start(make_session(mode))
    wait_for(qtbot, job, S.FAILED)
    assert job.error["code"] == code
    assert job.error["hint"]


def test_refused_settings_are_told_in_one_line(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("user-error"))
    wait_for(qtbot, job, S.FAILED)
    assert job.error["code"] == "user-error"
    assert job.error["title"].startswith("settings.yaml: timestep = 50")


def test_a_slow_start_is_no_failure(qtbot: Any, make_session: MakeSession) -> None:
    job = start(make_session("slow-start"))
    states: list[JobState] = []
    job.state_changed.connect(states.append)
    assert job.state is S.STARTING
    assert job.silence_s == 0
    wait_for(qtbot, job, S.FINISHED)
    assert states == [S.RUNNING, S.FINISHED]


def test_silence_is_noticed(
    qtbot: Any, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.jobs.job.SILENT_AFTER_S", 0.2)
    job = start(make_session("hang"))
    wait_for(qtbot, job, S.RUNNING)
    qtbot.waitUntil(lambda: job.is_silent)
    assert job.state is S.RUNNING
    job.kill()
    wait_for(qtbot, job, S.STOPPED)


def test_a_program_that_is_not_there(session: Session) -> None:
    session.jobs.program = ["/nowhere/nequip-openmm"]
    assert session.start_job("md", SPEC, "run") is None
    assert "No such file" in session.notifications.history[-1].text


def test_a_folder_that_is_taken(session: Session, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        session.jobs.start("md", SPEC, tmp_path)


def test_names_that_are_taken_get_a_number(session: Session) -> None:
    (session.settings.runs_folder / "water").mkdir(parents=True)
    root = session.settings.runs_folder
    assert session.jobs.free_folder(root, "md", "water").name == "water-2"
    assert session.jobs.free_folder(root, "md").name.startswith("md-2")


# --- runs of others, and of windows that are gone ------------------------------------------------------------------------


def run_elsewhere(folder: Path, mode: str) -> subprocess.Popen[bytes]:
    arguments = [*fake_program(mode), "md", "none", "--output", str(folder)]
    child = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (folder / "events.jsonl").exists():
        time.sleep(0.01)
    return child


def test_a_run_of_another_program_is_followed_and_stopped(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    with run_elsewhere(tmp_path / "other", "slow") as child:
        job = session.jobs.attach(tmp_path / "other")
        assert session.jobs.attach(tmp_path / "other") is job
        wait_for(qtbot, job, S.RUNNING)
        n_events = len(job.events("sample"))
        qtbot.waitUntil(lambda: len(job.events("sample")) > n_events)
        assert {action for action in Action if job.can(action)} == {Action.STOP, Action.KILL}
        assert job.keeps_running
        assert job.stop()
        wait_for(qtbot, job, S.STOPPED)
        assert child.wait(10) == 0


def test_a_followed_run_whose_process_vanishes_is_lost(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    with run_elsewhere(tmp_path / "other", "slow") as child:
        job = session.jobs.attach(tmp_path / "other")
        wait_for(qtbot, job, S.RUNNING)
        child.kill()
        child.wait()
        wait_for(qtbot, job, S.LOST)
    assert job.error["code"] == "lost"
    assert job.can(Action.CONTINUE)


def test_a_number_that_another_process_has_now_is_not_the_run(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    events = [
        {"v": 1, "ev": "hello", "t": time.time() - 1e8, "kind": "md", "pid": os.getpid()},
        {"v": 1, "ev": "status", "t": time.time() - 1e8, "state": "running"},
    ]
    (tmp_path / "spec.yaml").write_text("kind: md\n")
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    job = session.jobs.attach(tmp_path)
    wait_for(qtbot, job, S.LOST)
    assert not job.stop()


def test_a_half_written_line_waits_for_its_end(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "spec.yaml").write_text("kind: train\n")
    log = tmp_path / "events.jsonl"
    log.write_text('{"v": 1, "ev": "hello", "t": 1, "kind": "train"}\n{"v": 1, "ev": "epo')
    job = session.jobs.attach(tmp_path)
    qtbot.waitUntil(lambda: len(job.events()) == 1)
    with log.open("a") as file:
        file.write('ch", "epoch": 1}\n')
    qtbot.waitUntil(lambda: len(job.events("epoch")) == 1)
    assert job.n_garbled == 0


def test_a_run_that_crashed_is_continued(qtbot: Any, make_session: MakeSession) -> None:
    session = make_session("crash")
    job = start(session)
    wait_for(qtbot, job, S.FAILED)
    session.jobs.program = fake_program("ok")
    again = session.jobs.continue_(job.folder, steps=400)
    assert again is job
    assert job.state is S.STARTING
    assert job.error is None
    wait_for(qtbot, job, S.FINISHED)
    assert len(job.events("hello")) == 2
    assert len(job.events("sample")) == 30


def test_a_run_of_an_earlier_window_is_continued(qtbot: Any, make_session: MakeSession) -> None:
    """Its history is told once, and so is what comes."""
    first = make_session("crash")
    job = start(first)
    wait_for(qtbot, job, S.FAILED)
    session = make_session("ok")
    again = session.jobs.continue_(job.folder)
    told: list[str] = []
    again.event_received.connect(lambda event: told.append(event["ev"]))
    wait_for(qtbot, again, S.FINISHED)
    qtbot.wait(400)  # a follower that still listened would tell it all again
    assert len(again.events("hello")) == 2
    assert len(again.events("sample")) == 30
    assert told.count("sample") == 20


@pytest.mark.parametrize("content", [None, "kind: sandwich\n", "[1, 2", "- list\n"])
def test_a_folder_that_is_no_run(session: Session, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "spec.yaml").write_text(content)
    with pytest.raises(UserError, match=tmp_path.name):
        session.jobs.attach(tmp_path)
    assert session.show_run(tmp_path) is None


def test_runs_are_found_newest_first(session: Session, tmp_path: Path) -> None:
    for age, name in ((30, "old"), (10, "new"), (20, "middle")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.yaml").write_text("kind: md\n")
        os.utime(tmp_path / name / "spec.yaml", (time.time() - age,) * 2)
    (tmp_path / "no-run").mkdir()
    assert [folder.name for folder in session.jobs.find_runs(tmp_path)] == ["new", "middle", "old"]


WINDOW = """
import sys, time
from PySide6.QtCore import QCoreApplication
from gui.jobs import Jobs
application = QCoreApplication([])
jobs = Jobs({program!r})
job = jobs.start("md", {{"steps": 3}}, {folder!r})
if {keeps}:
    job.keeps_running = True
while not job.events("sample"):
    application.processEvents()
    time.sleep(0.01)
print(job.hello["pid"], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("keeps", [False, True])
def test_a_window_that_is_killed(qtbot: Any, session: Session, tmp_path: Path, keeps: bool) -> None:
    """Its job saves and ends, unless it was to keep running: then the next window finds and follows it."""
    folder = session.settings.runs_folder / "left"
    script = WINDOW.format(program=fake_program("slow"), folder=str(folder), keeps=keeps)
    window = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    pid = int(window.stdout.readline())
    window.kill()
    window.wait()
    window.stdout.close()
    if keeps:
        time.sleep(0.3)
        session.attach_running()
        job = session.jobs.get(folder)
        assert job is not None
        wait_for(qtbot, job, S.RUNNING)
        assert job.hello["pid"] == pid
        assert not job.is_ours
        assert job.stop()
    else:
        job = session.jobs.attach(folder)
    wait_for(qtbot, job, S.STOPPED)
    assert job.events("checkpoint")


def test_close_ends_jobs_but_those_that_keep_running(qtbot: Any, make_session: MakeSession) -> None:
    session = make_session("slow")
    ends, stays = start(session, name="ends"), start(session, name="stays")
    wait_for(qtbot, ends, S.RUNNING)
    wait_for(qtbot, stays, S.RUNNING)
    stays.keeps_running = True
    session.jobs.close(10)
    assert ends.state is S.STOPPED
    assert stays.is_alive
    again = Jobs(fake_program("slow"))
    job = again.attach(stays.folder)
    wait_for(qtbot, job, S.RUNNING)
    stays.kill()
    wait_for(qtbot, stays, S.STOPPED)
    again.close(0)
