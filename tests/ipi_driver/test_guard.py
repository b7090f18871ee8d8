"""The guard: what it holds outlives the process that gave it, and ends in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipi_driver.guard import Guard

REPOSITORY = Path(__file__).parents[2]
DEADLINE = 60.0

DRIVER = """
import os, signal, socket, sys
from ipi_driver.guard import Guard
connected = socket.socket(socket.AF_UNIX)
with Guard() as guard:
    connected.connect(sys.argv[1])
    guard.hold(connected)
    connected.sendall(b"up")
    signal.pause()
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(DEADLINE)
        yield server


def test_what_a_killed_driver_has_not_read_does_not_reset_its_connection(
    listening: socket.socket,
) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, listening.getsockname()],
        cwd=REPOSITORY,
        start_new_session=True,
    )
    connected, _ = listening.accept()
    with connected:
        connected.settimeout(DEADLINE)
        assert connected.recv(2) == b"up"
        connected.sendall(b"a request")
        os.killpg(driver.pid, signal.SIGKILL)  # whatever belongs to the driver's session
        driver.wait()
        connected.sendall(b"x" * (1 << 20))  # more than the kernel would keep
        assert connected.recv(1) == b""  # the end of a stream and no ConnectionResetError
    with pytest.raises(ProcessLookupError):
        os.killpg(driver.pid, 0)


def test_the_guard_ends_with_the_driver(listening: socket.socket) -> None:
    with Guard() as guard, socket.socket(socket.AF_UNIX) as ours:
        ours.connect(listening.getsockname())
        guard.hold(ours)
        theirs, _ = listening.accept()
        theirs.close()
        process = guard._process
    assert process.wait(DEADLINE) == 0


def test_the_driver_can_do_without_the_guard(listening: socket.socket) -> None:
    with Guard() as guard, socket.socket(socket.AF_UNIX) as ours:
        guard._process.kill()
        guard._process.wait()
        ours.connect(listening.getsockname())
        guard.hold(ours)
        theirs, _ = listening.accept()
        with theirs:
            ours.sendall(b"works")
            assert theirs.recv(5) == b"works"
