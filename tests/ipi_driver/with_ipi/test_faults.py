"""Either side dies, errs or is stopped: nothing hangs, and the trajectory is that of a run in which nothing happened."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.ipi_driver.with_ipi.conftest import Run, numbers
from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, thermostat
from tests.ipi_driver.with_ipi.processes import Process, Processes, wait_until

pytestmark = pytest.mark.peer

BEADS = 4
SIMULATION = Simulation(motion=thermostat("pile_g"), beads=BEADS, steps=20)
BATCHED = Connection(batch_size=BEADS)
NOTICED = 2.0
"""Seconds within which a driver ends once its server is gone."""

Runs = Callable[..., Run]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What i-PI writes when nothing goes wrong."""
    children = Processes()
    run = Run(children, tmp_path_factory.mktemp("undisturbed"))
    yield run.write(SIMULATION, BATCHED).start().finish().outputs()
    children.end()


def _finish(run: Run, server: Process, client: Process) -> dict[str, str]:
    """Wait for both to end as if nothing had happened before."""
    assert server.wait() == 0, server.text()
    assert client.wait() == 0, client.text()
    assert "I-PI reports success" in server.text()
    return run.outputs()


# --- the driver is killed ---------------------------------------------------------------------------------------------


def test_driver_killed_while_it_computes(new_run: Runs, undisturbed: dict[str, str]) -> None:
    ways = {
        "batched": BATCHED,
        "base": Connection(),
        "messages one by one": Connection(consolidate=False),
        "inet": Connection("inet"),
        "inet, batched": Connection("inet", batch_size=BEADS),
        "shm": Connection("shm", batch_size=BEADS),
        "many connections": Connection(connections=BEADS),
    }
    runs = {name: new_run(name).write(SIMULATION, way) for name, way in ways.items()}
    servers = {name: run.serve() for name, run in runs.items()}
    victims = {name: run.client("harmonic", "--hang-at", "6") for name, run in runs.items()}
    for name, run in runs.items():
        victims[name].until("computes", lambda run=run: len(run.evaluations()) == 6)
        victims[name].kill()
    clients = {name: run.client(name="second") for name, run in runs.items()}
    for name, run in runs.items():
        assert _finish(run, servers[name], clients[name]) == undisturbed, name


def test_driver_killed_while_idle(new_run: Runs, undisturbed: dict[str, str]) -> None:
    ways = {
        "batched": BATCHED,
        "inet": Connection("inet"),
        "shm": Connection("shm", batch_size=BEADS),
        "many connections": Connection(connections=BEADS),
    }
    runs = {name: new_run(name).write(SIMULATION, way) for name, way in ways.items()}
    servers = {name: run.serve() for name, run in runs.items()}
    victims = {name: run.client("harmonic", "--delay", "0.05") for name, run in runs.items()}
    for name, run in runs.items():
        victims[name].until("has answered", lambda run=run: len(run.evaluated()) > 4)
        servers[name].send(signal.SIGSTOP)
        victims[name].until("waits", lambda run=run, name=name: _waits(run, victims[name]))
        victims[name].kill()
        servers[name].send(signal.SIGCONT)
    clients = {name: run.client(name="second") for name, run in runs.items()}
    for name, run in runs.items():
        assert _finish(run, servers[name], clients[name]) == undisturbed, name


def _waits(run: Run, process: Process) -> bool:
    """Whether the process sleeps, no evaluation of it being under way."""
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "S" and len(run.evaluations()) == len(run.evaluated())


def test_one_of_two_drivers_is_killed(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(SIMULATION, Connection())
    server, survivor = run.serve(), run.client("harmonic", "--record", "other.txt")
    victim = run.client("harmonic", "--hang-at", "6", name="victim")
    victim.until("computes", lambda: len(run.evaluations()) == 6)
    victim.kill()
    assert _finish(run, server, survivor) == undisturbed
    assert run.evaluated("other.txt")


# --- i-PI is killed ---------------------------------------------------------------------------------------------------


def test_ipi_killed(new_run: Runs, undisturbed: dict[str, str]) -> None:
    modes = ("unix", "inet", "shm")
    runs = {
        mode: new_run(mode).write(SIMULATION, Connection(mode, batch_size=BEADS)) for mode in modes
    }
    servers = {mode: run.serve() for mode, run in runs.items()}
    clients = {mode: run.client("harmonic", "--delay", "0.05") for mode, run in runs.items()}
    for mode, run in runs.items():
        clients[mode].until("has answered", lambda run=run: len(run.evaluated()) > 4)
        servers[mode].kill()
        assert clients[mode].wait(NOTICED) == 0
        assert "i-PI has closed the connection without EXIT" in clients[mode].text()
        (run.folder / "engine").unlink(missing_ok=True)  # a file that i-PI leaves and trips over
    again = {mode: (run.serve(), run.client()) for mode, run in runs.items()}
    for mode, run in runs.items():
        assert _finish(run, *again[mode]) == undisturbed, mode


def test_ipi_killed_and_driver_waits_for_the_next(
    new_run: Runs, undisturbed: dict[str, str]
) -> None:
    run = new_run().write(SIMULATION, BATCHED)
    server, client = run.serve(), run.client("harmonic", "--delay", "0.02", "--reconnect")
    client.until("has answered", lambda: len(run.evaluated()) > 5)
    server.kill()
    client.says("i-PI has closed the connection without EXIT")
    (run.folder / "engine").unlink()
    assert _finish(run, run.serve(), client) == undisturbed


# --- wrong order, wrong input, wrong results --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["unix", "inet"])
def test_driver_starts_first(mode: str, new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(SIMULATION, Connection(mode, batch_size=BEADS))
    client = run.client()
    client.says("waiting for i-PI")
    assert _finish(run, run.serve(), client) == undisturbed


def test_no_server_comes(new_run: Runs) -> None:
    run = new_run().write(SIMULATION, BATCHED)
    assert run.client("harmonic", "--retry", "0.2").wait() == 4
    assert run.error()["code"] == "no-server"


def test_wrong_atom_count(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(SIMULATION, BATCHED)
    server, wrong = run.serve(), run.client("harmonic", "--atoms", "9", name="wrong")
    assert wrong.wait() == 3
    assert run.error()["code"] == "atom-count"
    assert "8 atoms" in run.error()["title"]
    assert server.is_running
    assert _finish(run, server, run.client()) == undisturbed


@pytest.mark.parametrize("connection", [BATCHED, Connection("inet")], ids=str)
def test_energy_that_is_not_a_number(
    connection: Connection, new_run: Runs, undisturbed: dict[str, str]
) -> None:
    run = new_run().write(SIMULATION, connection)
    server, bad = run.serve(), run.client("harmonic", "--nan-at", "6", name="bad")
    assert bad.wait() == 3
    assert run.error()["code"] == "non-finite"
    assert server.is_running
    assert _finish(run, server, run.client()) == undisturbed


# --- SIGTERM ----------------------------------------------------------------------------------------------------------


def test_sigterm_to_the_driver(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(SIMULATION, BATCHED)
    server, stopped = run.serve(), run.client("harmonic", "--delay", "0.5", name="stopped")
    stopped.until("computes", lambda: len(run.evaluations()) == 2)
    stopped.send(signal.SIGTERM)
    assert stopped.wait() == 0
    assert len(run.evaluated()) == 2, "the evaluation in flight is finished"
    assert "stopped by a signal" in stopped.text()
    assert _finish(run, server, run.client()) == undisturbed


def test_sigterm_to_ipi(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(SIMULATION, BATCHED)
    server, client = run.serve(), run.client("harmonic", "--delay", "0.02")
    client.until("has answered", lambda: len(run.evaluated()) > 5)
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert client.wait() == 0
    assert "i-PI has sent EXIT" in client.text()
    assert not (run.folder / "engine").exists()
    continued = _finish(run, run.serve("RESTART"), run.client())
    _compare_to_restart_precision(continued, undisturbed)


def test_a_failure_within_ipi_ends_the_driver(new_run: Runs) -> None:
    """i-PI stops at its first output with a traceback, the socket open by then."""
    broken = Simulation(columns=("step", "no_such_property"))
    run = new_run().write(broken, BATCHED)
    server, client = run.serve(), run.client()
    wait_until("i-PI ends", lambda: not server.is_running)
    assert server.wait() == 1
    assert client.wait(NOTICED) == 0


def _compare_to_restart_precision(found: dict[str, str], expected: dict[str, str]) -> None:
    """i-PI writes nine digits into RESTART; steps neither lack nor come twice."""
    assert list(found) == list(expected)
    for name in found:
        here, there = numbers(found[name]), numbers(expected[name])
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6, err_msg=name)
