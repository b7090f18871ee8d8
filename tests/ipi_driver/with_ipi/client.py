"""``nequip-ipi-driver`` with an analytic potential in place of a model; run as a module.

Everything but the evaluator is the driver's own.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np

from ipi_driver.channel import Channel
from ipi_driver.client import ConnectionSettings
from ipi_driver.driver import run
from ipi_driver.transport import Address, InetAddress, UnixAddress
from tests.ipi_driver.with_ipi.pes import SPRING, Harmonic, OfVolume, Recorded


def main() -> int:
    """Serve; returns the exit code."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.kill_before_reading:
        _kill_before_reading(given.kill_before_reading)
    for k in range(given.short_lives):
        _live_and_die(given, k)
    return _serve(given)


def _serve(given: argparse.Namespace) -> int:
    if given.evaluator == "harmonic":
        inner = Harmonic(given.atoms, given.spring)
    else:
        inner = OfVolume(given.atoms)
    evaluator = Recorded(inner, Path(given.record), given.pause_at, given.nan_at)
    settings = ConnectionSettings(
        _address(given), given.connections, given.shm, given.retry, given.reconnect
    )
    return run(evaluator, settings)


def _kill_before_reading(number: int) -> None:
    """Let this process be killed when that request, counted from 1, has arrived and lies unread."""
    receive, left = Channel.receive, number

    def receive_or_die(channel: Channel, buffer: bytearray) -> None:
        nonlocal left
        left -= channel.socket.recv(7, socket.MSG_PEEK | socket.MSG_WAITALL) == b"POSDATA"
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        receive(channel, buffer)

    Channel.receive = receive_or_die  # type: ignore[method-assign]


def _live_and_die(given: argparse.Namespace, k: int) -> None:
    """Serve in another process, and kill it some time after its first evaluation: every second one while it is suspended."""
    record = Path(given.record)
    before = record.stat().st_size if record.exists() else 0
    if (child := os.fork()) == 0:
        os._exit(_serve(given))
    while not record.exists() or record.stat().st_size == before:
        time.sleep(0.002)
    time.sleep(np.random.default_rng(k).uniform(0.0, 0.03))
    if k % 2:
        os.kill(child, signal.SIGSTOP)
        time.sleep(0.03)  # i-PI sends its next request meanwhile, unless it waits for an answer
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _address(given: argparse.Namespace) -> Address:
    if given.unix:
        return UnixAddress(given.address, given.sockets_prefix)
    return InetAddress(given.host, given.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("evaluator", choices=("harmonic", "volume"))
    parser.add_argument("--atoms", type=int, default=8)
    parser.add_argument("--spring", type=float, default=SPRING)
    parser.add_argument("--record", default="calls.txt")
    parser.add_argument("--pause-at", type=int, default=0)
    parser.add_argument("--nan-at", type=int, default=0)
    parser.add_argument("--kill-before-reading", type=int, default=0)
    parser.add_argument("--short-lives", type=int, default=0)
    parser.add_argument("--unix", action="store_true")
    parser.add_argument("--address", default="")
    parser.add_argument("--sockets-prefix", default="/tmp/ipi_")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shm", action="store_true")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--retry", type=float, default=60.0)
    parser.add_argument("--reconnect", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
