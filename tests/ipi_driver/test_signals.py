"""SIGTERM and Ctrl-C: what was asked is answered, then the driver ends in order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ipi_driver.client import Client, ConnectionSettings, Ending
from ipi_driver.evaluator import Results
from ipi_driver.protocol import message
from ipi_driver.transport import UnixAddress
from tests.ipi_driver.fake import DEADLINE, Harmonic, Peer, Server, is_right, posdata, structures


class Interrupted(Harmonic):
    """Is hit by a signal while it computes."""

    number = signal.SIGTERM

    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        os.kill(os.getpid(), self.number)
        time.sleep(0.05)
        return super().evaluate(positions, cells)


@contextmanager
def played(play: Callable[[Peer], None], server: Server) -> Iterator[list[BaseException]]:
    """Play the server's part in another thread: signals reach the main one."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            play(server.accept())
        except BaseException as error:  # noqa: BLE001 (whatever it is must fail the test)
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield failures
    thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.mark.parametrize("is_consolidated", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_evaluation_in_flight_is_answered(
    tmp_path: Path, number: signal.Signals, is_consolidated: bool
) -> None:
    server, engine = Server(tmp_path), Interrupted()
    engine.number = number

    def play(peer: Peer) -> None:
        peer.greet()
        positions, h = structures(1)
        peer.send(posdata(positions, h, False))
        if not is_consolidated:
            assert peer.status() == "HAVEDATA"
        peer.send(message("GETFORCE"))
        assert is_right(peer.result(1, 3), positions, h)
        with pytest.raises(EOFError):  # no reset, which i-PI would not survive
            peer.header()
        peer.socket.close()

    with played(play, server) as failures:
        assert Client(engine, ConnectionSettings(server.address)).run() is Ending.SIGNAL
    assert failures == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_idle_driver_ends_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path)

    def play(peer: Peer) -> None:
        peer.greet()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(EOFError):
            peer.header()
        peer.socket.close()

    with played(play, server) as failures:
        assert Client(Harmonic(), ConnectionSettings(server.address)).run() is Ending.SIGNAL
    assert failures == []


def test_a_request_sent_while_the_driver_leaves_does_not_reset_the_connection(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path)

    def play(peer: Peer) -> None:
        peer.greet()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        peer.send(posdata(*structures(1), False), message("GETFORCE"))
        with pytest.raises(EOFError):
            peer.header()
        peer.socket.close()

    with played(play, server) as failures:
        assert Client(Harmonic(), ConnectionSettings(server.address)).run() is Ending.SIGNAL
    assert failures == []


def test_waiting_for_a_server_can_be_ended(tmp_path: Path) -> None:
    settings = ConnectionSettings(UnixAddress("nobody", f"{tmp_path}/"), retry=1e6)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert Client(Harmonic(), settings).run() is Ending.SIGNAL
