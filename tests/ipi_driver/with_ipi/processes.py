"""Processes of a test: each with a deadline and a log, all of them dead when the test ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
DEADLINE = 300.0
"""Seconds after which anything that was waited for has failed; never waited out when all is well."""

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}


def program(name: str) -> str:
    """Return the path of a command installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


class Process:
    """A child in its own session; standard output and error go to ``<name>.log`` of its folder."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, **options: Any) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=ENVIRONMENT, start_new_session=True, **options,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    def text(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def wait(self, seconds: float = DEADLINE) -> int:
        """Return the exit code once it has ended."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not end within {seconds} s:\n{self.text()}"
            ) from None

    def until(self, what: str, condition: Callable[[], Any], seconds: float = DEADLINE) -> None:
        """Wait for something this process does."""
        wait_until(f"{self.name}: {what}", condition, self, seconds=seconds)

    def says(self, words: str, seconds: float = DEADLINE) -> None:
        """Wait for it to say something."""
        self.until(repr(words), lambda: words in self.text(), seconds)

    def kill(self) -> None:
        """End it at once (SIGKILL), and not the child that removes i-PI's shared memory then."""
        self._child.kill()
        self._child.wait()


class Processes:
    """All children of one test."""

    def __init__(self) -> None:
        self.started: list[Process] = []

    def start(self, name: str, command: Sequence[str], folder: Path, **options: Any) -> Process:
        """Start a command; names need not differ, their logs are then one after the other."""
        process = Process(name, command, folder, **options)
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            process.kill()


def wait_until(
    what: str, condition: Callable[[], Any], *processes: Process, seconds: float = DEADLINE
) -> None:
    """Return once the condition holds; fail at the deadline or when one of the processes ends first."""
    deadline = time.monotonic() + seconds
    while not condition():
        late = time.monotonic() > deadline
        ended = [process for process in processes if not process.is_running]
        if (ended or late) and not condition():
            logs = "\n".join(f"--- {process.name}\n{process.text()}" for process in processes)
            raise AssertionError(f"{what}: {'a process ended' if ended else 'too late'}\n{logs}")
        time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_command(evaluator: str, *options: str) -> list[str]:
    """Return the command of our client with an evaluator of the tests in place of a model."""
    return [sys.executable, "-m", "tests.ipi_driver.with_ipi.client", evaluator, *options]
