"""What can go wrong while i-PI runs, with real processes: nothing hangs, nothing is left behind, nothing is believed wrongly."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipi_driver.inputs import PimdSpec
from ipi_driver.runner import resume, resume_pimd, run_pimd
from ipi_driver.runner import run as run_module
from ipi_driver.runner.sockets import remove_stale
from nequip_openmm.errors import DiskFull, RunFailed, UserError
from nequip_openmm.runs import RunFolder
from tests.ipi_driver.runner.conftest import (
    Runner,
    events_of,
    frame_steps,
    is_alive,
    leaves_nothing,
    started,
    steps_of,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("springs")
Make = Callable[..., PimdSpec]
Start = Callable[..., Runner]
LONG = 1_000_000  # steps


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Make the drivers misbehave from an evaluation on; ``once`` only the first of them."""

    def make(what: str, at: int, *, once: bool = False) -> None:
        monkeypatch.setenv("SPRINGS_FAULT", f"{what}:{at}")
        if once:
            monkeypatch.setenv("SPRINGS_ONCE", str(tmp_path / "once"))

    return make


def test_a_driver_that_dies_is_replaced_and_no_step_is_missing(
    make_spec: Make, tmp_path: Path, fault: Callable[..., None]
) -> None:
    run_pimd(make_spec(), tmp_path / "calm")
    fault("die", 20, once=True)
    assert run_pimd(make_spec(), tmp_path / "run").reason == "finished"
    codes = [event["code"] for event in events_of(tmp_path / "run", "warning")]
    assert [code for code in codes if code != "low-fill"] == ["driver-died", "driver-restarted"]
    calm, run = (np.loadtxt(tmp_path / name / "simulation.out") for name in ("calm", "run"))
    np.testing.assert_allclose(run, calm, rtol=1e-10)
    assert frame_steps(tmp_path / "run" / "simulation.xc.xyz") == list(range(0, 61, 10))


def test_a_driver_killed_before_it_has_read_is_replaced(make_spec: Make, start_run: Start) -> None:
    """What is left unread resets the connection, which i-PI alone does not survive."""
    run = start_run(make_spec(steps=LONG))
    _, driver = run.children()
    os.kill(driver, signal.SIGSTOP)
    time.sleep(0.5)  # i-PI sends the next request meanwhile
    os.kill(driver, signal.SIGKILL)
    done = steps_of(run.folder)[-1]
    wait_for(lambda: steps_of(run.folder)[-1] > done + 20, "steps with the next driver")
    run.send(signal.SIGTERM)
    assert run.end()[0] == 128 + signal.SIGTERM


def test_drivers_that_keep_dying_end_the_run(
    make_spec: Make, tmp_path: Path, fault: Callable[..., None]
) -> None:
    fault("die", 1)
    with pytest.raises(RunFailed, match=r"drivers died 3 times in a row.*signal 9") as failed:
        run_pimd(make_spec(max_restarts=2), tmp_path / "run")
    assert failed.value.code == "driver-died"
    (start,) = events_of(tmp_path / "run", "status")
    assert leaves_nothing(tmp_path / "run", [start["server"]])
    assert (tmp_path / "run" / "RESTART").exists()


def test_a_driver_that_is_given_up_starts_again_when_ordered(
    make_spec: Make, start_run: Start, tmp_path: Path, fault: Callable[..., None]
) -> None:
    """The cause, here a fault that is lifted, can be removed meanwhile."""
    spec = make_spec(steps=LONG, max_restarts=0)
    fault("die", 30, once=True)
    run = start_run(spec, "--events", str(tmp_path / "e"))
    (warning,) = wait_for(lambda: run.warnings("driver-given-up"), "the end of patience")
    assert "signal 9" in warning["msg"]
    assert warning["driver"] == 1
    assert run.process.poll() is None
    run.order(cmd="restart", driver=7)
    (warning,) = wait_for(lambda: run.warnings("bad-command"), "a refusal")
    assert "no driver 7" in warning["msg"]
    done = steps_of(run.folder)[-1]
    run.order(cmd="restart", driver=1)
    wait_for(lambda: steps_of(run.folder)[-1] > done + 20, "steps with the next driver")
    wait_for(lambda: run.states(1)[-1] == "computing", "that it says so")
    run.order(cmd="restart")  # of a living driver
    wait_for(lambda: run.states(1).count("computing") == 3, "a third driver")
    run.order(cmd="stop")
    assert run.end()[0] == 0
    begin, work = "starting", ["starting", "waiting", "connected", "computing"]
    assert run.states(1) == [*work, "given-up", "restarting", *work, "restarting", *work, "ended"]
    assert [e["state"] for e in events_of(run.folder, "server")] == [begin, "running", "ended"]
    assert (np.diff(steps_of(run.folder)) == spec.thermo_interval).all()


def test_low_fill_is_told(make_spec: Make, tmp_path: Path) -> None:
    """Four beads in batches of eight."""
    run_pimd(make_spec(batch_size=8), tmp_path / "run")
    (warning,) = [e for e in events_of(tmp_path / "run", "warning") if e["code"] == "low-fill"]
    assert warning["driver"] == 1
    assert "<batch_size>" in warning["msg"]


@pytest.mark.parametrize("changes", [{"processes": 1}, {"processes": 2}, {"ffdirect": True}])
def test_numbers_that_are_not_finite_stop_the_run(
    changes: dict[str, Any], make_spec: Make, tmp_path: Path, fault: Callable[..., None]
) -> None:
    fault("nan", 30)
    with pytest.raises(RunFailed):
        run_pimd(make_spec(**changes), tmp_path / "run")
    table = np.loadtxt(tmp_path / "run" / "simulation.out")
    assert np.isfinite(table).all()
    (error,) = events_of(tmp_path / "run", "error")
    assert "finite" in error["title"]
    assert (tmp_path / "run" / "RESTART").exists()
    start = started(tmp_path / "run")
    assert not any(is_alive(pid) for pid in [start["server"], *start["drivers"]])


def test_a_blow_up_stops_the_run(
    make_spec: Make, tmp_path: Path, fault: Callable[..., None]
) -> None:
    fault("hot", 30)
    with pytest.raises(RunFailed, match=r"blew up at step .*above max_temperature") as failed:
        run_pimd(make_spec(thermo_interval=1, steps=LONG), tmp_path / "run")
    assert failed.value.code == "blow-up"
    state = resume.newest_state(RunFolder.open(tmp_path / "run", "pimd"))
    assert state is not None
    step = int(str(failed.value).partition("blew up at step ")[2].split()[0])
    assert state.step == (step - 1) // 20 * 20  # the checkpoint before it


def test_i_pi_that_is_killed_is_no_success_and_can_be_continued(
    make_spec: Make, tmp_path: Path, start_run: Start
) -> None:
    run = start_run(make_spec(steps=LONG))
    server, driver = run.children()
    wait_for(lambda: steps_of(run.folder)[-1] > 40, "40 steps")
    os.kill(server, signal.SIGKILL)
    code, said = run.end()
    assert code == 3
    assert "i-PI was killed by signal 9" in said
    assert "--resume" in said
    assert leaves_nothing(run.folder, [server, driver])
    done = steps_of(run.folder)[-1]
    total = (done // 20 + 3) * 20
    assert resume_pimd(run.folder, steps=total).reason == "finished"
    assert steps_of(run.folder) == list(range(0, total + 1, 5))
    assert frame_steps(run.folder / "simulation.pos_3.xyz") == list(range(0, total + 1, 10))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_in_order(
    number: signal.Signals, make_spec: Make, tmp_path: Path, start_run: Start
) -> None:
    run = start_run(make_spec(steps=LONG))
    children = run.children()
    run.send(number)
    code, said = run.end()
    assert code == 128 + number
    assert "go on with: nequip-openmm pimd --resume" in said
    assert leaves_nothing(run.folder, children)
    assert events_of(run.folder, "done")[-1]["reason"] == "stopped"
    (step,) = [event["step"] for event in events_of(run.folder, "done")]
    total = step + 20
    assert resume_pimd(run.folder, steps=total).step == total
    assert steps_of(run.folder) == list(range(0, total + 1, 5))


def test_a_signal_before_the_first_step_stops_too(make_spec: Make, start_run: Start) -> None:
    run = start_run(make_spec(steps=LONG))
    look = lambda: (run.folder / "events.jsonl").exists() and events_of(run.folder, "status")  # noqa: E731
    (start, *_) = wait_for(look, "the start")
    run.send(signal.SIGINT)
    code, _ = run.end()
    assert code == 130
    assert leaves_nothing(run.folder, [start["server"], *start["drivers"]])


def test_a_second_ctrl_c_ends_at_once(make_spec: Make, start_run: Start) -> None:
    run = start_run(make_spec(steps=LONG))
    server, driver = run.children()
    os.kill(server, signal.SIGSTOP)  # i-PI hangs
    run.send(signal.SIGINT)
    wait_for(lambda: [e for e in events_of(run.folder, "status") if e["state"] == "stopping"], "it")
    run.send(signal.SIGINT)
    code, _ = run.end()  # which waits for an hour if asked once
    assert code == 130
    assert leaves_nothing(run.folder, [server, driver])


def test_children_end_when_the_runner_is_killed(make_spec: Make, start_run: Start) -> None:
    run = start_run(make_spec(steps=LONG))
    children = run.children()
    run.send(signal.SIGKILL)
    wait_for(lambda: leaves_nothing(run.folder, children), "the end of i-PI and its driver")
    assert (run.folder / "RESTART").exists()


def test_commands(make_spec: Make, start_run: Start, tmp_path: Path) -> None:
    run = start_run(
        make_spec(steps=LONG, checkpoint_interval=LONG), "--events", str(tmp_path / "e")
    )
    children = run.children()
    wait_for(lambda: steps_of(run.folder)[-1] > 10, "some steps")
    run.order(cmd="pause")
    run.order(cmd="set", temperature=320)
    run.order(cmd="dance")
    run.order(cmd="checkpoint")
    ordered = "checkpoint.xml"
    find = lambda: [e for e in events_of(run.folder, "checkpoint") if e["path"] == ordered]  # noqa: E731
    (event,) = wait_for(find, "the checkpoint")
    run.order(cmd="stop")
    code, _ = run.end()
    assert code == 0
    assert leaves_nothing(run.folder, children)
    warnings = {e["msg"].partition(":")[0]: e["msg"] for e in events_of(run.folder, "warning")}
    assert "i-PI cannot pause" in warnings["pause"]
    assert "i-PI cannot change settings" in warnings["set"]
    assert "not a command" in warnings
    (run.folder / "RESTART").unlink()
    step = event["step"]
    resume_pimd(run.folder, steps=step + 10)
    assert events_of(run.folder, "status")[-3]["state"] == "resumed"
    assert steps_of(run.folder) == list(range(0, step + 11, 5))


def test_the_end_of_standard_input_stops(make_spec: Make, start_run: Start, tmp_path: Path) -> None:
    run = start_run(make_spec(steps=LONG), "--events", str(tmp_path / "e"))
    children = run.children()
    assert run.end()[0] == 0  # communicate() closes it
    assert leaves_nothing(run.folder, children)


def test_a_run_that_goes_on_cannot_be_resumed(make_spec: Make, start_run: Start) -> None:
    run = start_run(make_spec(steps=LONG))
    run.children()
    with pytest.raises(UserError, match="is this run still going on"):
        resume_pimd(run.folder)
    run.send(signal.SIGTERM)
    run.end()


def test_a_socket_is_removed_only_when_nobody_listens(tmp_path: Path) -> None:
    path = Path(f"/tmp/ipi_test-{os.getpid()}")
    assert not remove_stale(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(UserError, match="listens there already"):
            remove_stale(path)
    assert path.exists()
    assert remove_stale(path)
    assert not path.exists()
    path.write_text("")
    with pytest.raises(UserError, match="is not a socket"):
        remove_stale(path)
    path.unlink()


def test_a_full_disk_is_reported(
    make_spec: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to /dev/full takes the place of an output file of i-PI's."""
    run_pimd(make_spec(steps=20), tmp_path / "run")
    target = tmp_path / "run" / "simulation.pos_2.xyz"
    saved = tmp_path / "saved.xyz"

    def prepare_and_fill(*arguments: Any) -> None:
        resume.prepare_restart(*arguments)
        target.rename(saved)
        target.symlink_to("/dev/full")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "prepare_restart", prepare_and_fill)
        with pytest.raises(DiskFull, match="disk is full"):
            resume_pimd(tmp_path / "run", steps=60)
    (error,) = events_of(tmp_path / "run", "error")
    assert error["code"] == "disk-full"
    saved.replace(target)
    assert resume_pimd(tmp_path / "run", steps=60).reason == "finished"
    assert frame_steps(target) == list(range(0, 61, 10))


def test_an_output_that_i_pi_refuses_is_reported(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(steps=20), tmp_path / "run")
    restart = tmp_path / "run" / "RESTART"
    restart.write_text(restart.read_text().replace("r_gyration{angstrom}", "r_gyratoin{angstrom}"))
    with pytest.raises(RunFailed, match=r"i-PI stopped at step 20.*r_gyratoin"):
        resume_pimd(tmp_path / "run", steps=60)
    (hello, *_) = events_of(tmp_path / "run", "hello")
    assert not Path(hello["address"]).exists()


def test_a_folder_that_is_taken_is_refused(make_spec: Make, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    with pytest.raises(UserError, match="not an empty folder"):
        run_pimd(make_spec(), tmp_path / "run")
    with pytest.raises(UserError, match="not a run folder"):
        resume_pimd(tmp_path / "run")
