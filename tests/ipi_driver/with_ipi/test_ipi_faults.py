"""i-PI comes late, dies, errs or is stopped: the driver ends in time and says why, and the next start works."""

from __future__ import annotations

import signal
from collections.abc import Callable

import numpy as np
import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import BEADS, BRIEF, Simulation
from tests.ipi_driver.with_ipi.run import Run, numbers

pytestmark = pytest.mark.peer

BATCHED = Connection(batch_size=BEADS)
Runs = Callable[..., Run]


@pytest.mark.parametrize("mode", ["unix", "inet"])
def test_driver_starts_first(mode: str, new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(BRIEF, Connection(mode, batch_size=BEADS))
    client = run.client()
    client.says("waiting for i-PI")
    assert run.finish_with(run.serve(), client) == undisturbed


def test_no_server_comes(new_run: Runs) -> None:
    run = new_run().write(BRIEF, BATCHED)
    assert run.client("harmonic", "--retry", "0.2").wait() == 4
    assert run.error()["code"] == "no-server"


def test_ipi_killed(new_run: Runs, undisturbed: dict[str, str]) -> None:
    modes = ("unix", "inet", "shm")
    runs = {mode: new_run().write(BRIEF, Connection(mode, batch_size=BEADS)) for mode in modes}
    servers = {mode: run.serve() for mode, run in runs.items()}
    for mode, run in runs.items():
        client = run.paused_client()
        servers[mode].kill()
        run.let_go()
        assert client.wait() == 0
        assert "i-PI has closed the connection without EXIT" in client.text()
        (run.folder / "engine").unlink(missing_ok=True)  # a file that i-PI leaves and trips over
    again = {mode: (run.serve(), run.client()) for mode, run in runs.items()}
    for mode, run in runs.items():
        assert run.finish_with(*again[mode]) == undisturbed, mode


def test_ipi_killed_and_driver_waits_for_the_next(
    new_run: Runs, undisturbed: dict[str, str]
) -> None:
    """i-PI does not ask for anything when it is killed: it has been stopped before."""
    run = new_run().write(BRIEF, BATCHED)
    server, client = run.serve(), run.client("harmonic", "--reconnect", "--pause-at", "1")
    client.until("computes", run.evaluations)
    server.send(signal.SIGSTOP)
    run.let_go()
    client.until("has answered", run.evaluated)
    server.kill()
    client.says("i-PI has closed the connection without EXIT")
    (run.folder / "engine").unlink()
    assert run.finish_with(run.serve(), client) == undisturbed


def test_sigterm_to_ipi(new_run: Runs, undisturbed: dict[str, str]) -> None:
    run = new_run().write(BRIEF, BATCHED)
    server, client = run.serve(), run.paused_client()
    server.send(signal.SIGTERM)
    server.says("Kill signal received")
    run.let_go()
    assert server.wait() == 0
    assert client.wait() == 0
    assert "i-PI has sent EXIT" in client.text()
    assert not (run.folder / "engine").exists()
    continued = run.finish_with(run.serve("RESTART"), run.client())
    _compare_to_restart_precision(continued, undisturbed)


def test_a_failure_within_ipi_ends_the_driver(new_run: Runs) -> None:
    """i-PI stops with a traceback at its first output, after the first evaluation."""
    broken = Simulation(columns=("potential", "atom_x(atom=99)"))
    run = new_run().write(broken, BATCHED)
    server, client = run.serve(), run.client()
    assert server.wait() == 1
    assert client.wait() == 0
    assert run.evaluated()


def test_full_disk(new_run: Runs, undisturbed: dict[str, str]) -> None:
    """/dev/full takes the place of a trajectory that i-PI goes on with: i-PI says so, and nobody is left behind."""
    run = new_run().write(BRIEF, BATCHED)
    server, client = run.serve(), run.paused_client()
    server.send(signal.SIGTERM)
    server.says("Kill signal received")
    run.let_go()
    assert (server.wait(), client.wait()) == (0, 0)
    output, saved = run.folder / "simulation.positions_0.xyz", run.folder / "saved.xyz"
    output.rename(saved)
    output.symlink_to("/dev/full")
    server, client = run.serve("RESTART"), run.client()
    assert server.wait() != 0
    assert "No space left on device" in server.text()
    assert client.wait() == 0
    saved.replace(output)
    (run.folder / "engine").unlink(missing_ok=True)
    continued = run.finish_with(run.serve("RESTART"), run.client())
    _compare_to_restart_precision(continued, undisturbed)


def _compare_to_restart_precision(found: dict[str, str], expected: dict[str, str]) -> None:
    """i-PI writes nine digits into RESTART; steps neither lack nor come twice."""
    assert list(found) == list(expected)
    for name in found:
        here, there = numbers(found[name]), numbers(expected[name])
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6, err_msg=name)
