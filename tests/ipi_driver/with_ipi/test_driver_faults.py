"""The driver dies, errs or is stopped: i-PI goes on with the next one, and its trajectory is that of an undisturbed run."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import BEADS, BRIEF
from tests.ipi_driver.with_ipi.processes import Process
from tests.ipi_driver.with_ipi.run import Run

pytestmark = pytest.mark.peer

BATCHED = Connection(batch_size=BEADS)

Runs = Callable[..., Run]


WAYS = {
    "batched": BATCHED,
    "base": Connection(),
    "messages one by one": Connection(consolidate=False),
    "inet": Connection("inet"),
    "inet, batched": Connection("inet", batch_size=BEADS),
    "shm": Connection("shm", batch_size=BEADS),
    "many connections": Connection(connections=BEADS),
}


def test_driver_killed_while_it_computes(new_run: Runs, undisturbed: dict[str, str]) -> None:
    runs = {name: new_run().write(BRIEF, way) for name, way in WAYS.items()}
    servers = {name: run.serve() for name, run in runs.items()}
    for run in runs.values():
        run.paused_client().kill()
    clients = {name: run.client() for name, run in runs.items()}
    for name, run in runs.items():
        assert run.finish_with(servers[name], clients[name]) == undisturbed, name


def test_driver_killed_while_idle(new_run: Runs, undisturbed: dict[str, str]) -> None:
    """i-PI is stopped for the moment, so that it asks for nothing.

    Where every message goes by itself i-PI 3.3 does not survive this: it still waits for the forces that were announced.
    """
    ways = {name: way for name, way in WAYS.items() if way.consolidate}
    runs = {name: new_run().write(BRIEF, way) for name, way in ways.items()}
    servers = {name: run.serve() for name, run in runs.items()}
    for name, run in runs.items():
        victim = run.paused_client()
        servers[name].send(signal.SIGSTOP)
        run.let_go()
        victim.until("waits", lambda run=run, victim=victim: _waits(run, victim))
        victim.kill()
        servers[name].send(signal.SIGCONT)
    clients = {name: run.client() for name, run in runs.items()}
    for name, run in runs.items():
        assert run.finish_with(servers[name], clients[name]) == undisturbed, name


def test_driver_killed_when_a_request_lies_unread(
    new_run: Runs, undisturbed: dict[str, str]
) -> None:
    """A reset of the connection would be the end of i-PI's polling thread."""
    runs = {name: new_run().write(BRIEF, way) for name, way in WAYS.items()}
    servers = {name: run.serve() for name, run in runs.items()}
    victims = [run.client("harmonic", "--kill-before-reading", "6") for run in runs.values()]
    assert [victim.wait() for victim in victims] == [-signal.SIGKILL] * len(runs)
    clients = {name: run.client() for name, run in runs.items()}
    for name, run in runs.items():
        assert run.finish_with(servers[name], clients[name]) == undisturbed, name


def test_drivers_killed_at_any_moment(new_run: Runs) -> None:
    """Twenty in a row, half of them suspended before; the trajectory is that of a run in which none was."""
    run = new_run().write(replace(BRIEF, steps=1_000_000), BATCHED)
    server, clients = run.serve(), run.client("harmonic", "--short-lives", "20")
    clients.until("the last one works", lambda: clients.text().count("connected to i-PI") > 20)
    before = len(run.evaluated())
    clients.until("goes on", lambda: len(run.evaluated()) > before + 20)
    server.send(signal.SIGTERM)
    assert (server.wait(), clients.wait()) == (0, 0)
    steps = len(run.table()["step"]) - 1
    calm = new_run().write(replace(BRIEF, steps=steps), BATCHED).start()
    assert run.outputs() == calm.finish()


def _waits(run: Run, process: Process) -> bool:
    """Whether the process sleeps, no evaluation of it being under way."""
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "S" and len(run.evaluations()) == len(run.evaluated())


def test_one_of_two_drivers_is_killed(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(BRIEF, Connection())
    server, victim = run.serve(), run.paused_client()
    survivor = run.client("harmonic", "--record", "other.txt")
    survivor.says("connected to i-PI")
    victim.kill()
    assert run.finish_with(server, survivor) == undisturbed
    assert run.evaluated("other.txt")


def test_driver_that_hangs_is_given_up(new_run: Runs, undisturbed: dict[str, str]) -> None:
    """i-PI drops it after the time-out of its input; it ends by itself once it is awake again."""
    impatient = Connection(batch_size=BEADS, extra="<timeout>5</timeout>")
    run = new_run().write(BRIEF, impatient)
    server, hanging = run.serve(), run.paused_client()
    server.says("died or got unresponsive")
    assert run.finish_with(server, run.client()) == undisturbed
    run.let_go()
    assert hanging.wait() == 0
    assert "stopped" not in hanging.text()


def test_wrong_atom_count(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(BRIEF, BATCHED)
    server, wrong = run.serve(), run.client("harmonic", "--atoms", "9", name="wrong")
    assert wrong.wait() == 3
    assert run.error()["code"] == "atom-count"
    assert "8 atoms" in run.error()["title"]
    assert server.is_running
    assert run.finish_with(server, run.client()) == undisturbed


@pytest.mark.parametrize("connection", [BATCHED, Connection("inet")], ids=["unix, batched", "inet"])
def test_energy_that_is_not_a_number(
    connection: Connection, new_run: Runs, undisturbed: dict[str, str]
) -> None:
    run = new_run().write(BRIEF, connection)
    server, bad = run.serve(), run.client("harmonic", "--nan-at", "6", name="bad")
    assert bad.wait() == 3
    assert run.error()["code"] == "non-finite"
    assert server.is_running
    assert run.finish_with(server, run.client()) == undisturbed


def test_sigterm_to_the_driver(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(BRIEF, BATCHED)
    server, stopped = run.serve(), run.paused_client()
    stopped.send(signal.SIGTERM)
    run.let_go()
    assert stopped.wait() == 0
    assert run.evaluated() == run.evaluations(), "the evaluation in flight is finished"
    assert "stopped by a signal" in stopped.text()
    assert run.finish_with(server, run.client()) == undisturbed
