"""A child process, its log, and the link to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Child"]

_LAST_WORDS = 4000  # bytes


class Child:
    """A running module of this package.

    It gets a session of its own, so that Ctrl-C in a terminal reaches only the runner, which ends things in order.

    Parameters
    ----------
    module
        Name of the module to run.
    folder
        Its working directory.
    arguments
        What it gets besides link and folder.
    log
        File that its output is appended to.
    environment
        Variables to set, in addition to those of this process.
    """

    def __init__(
        self,
        module: str,
        folder: Path,
        arguments: Sequence[str],
        log: Path,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.log = log
        self._link, theirs = socket.socketpair()
        self._link.setblocking(False)
        self._buffer = b""
        # Without "safe path" a file of the working directory could take the place of a module.
        variables = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), str(folder), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=variables | (environment or {}),
            )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code (minus the number of the signal that killed it), or None while it runs."""
        return self._process.poll()

    def order(self, command: str) -> None:
        """Send an order."""
        with suppress(OSError):  # it is about to end
            self._link.sendall((json.dumps({"cmd": command}) + "\n").encode())

    def reports(self) -> list[dict[str, Any]]:
        """Return what it has reported since the last call."""
        with suppress(OSError):  # nothing there, or it ended
            while data := self._link.recv(65536):
                self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def end(self, patience_s: float) -> int:
        """Wait for the end, so long; kill it then. Returns the exit code."""
        deadline = time.monotonic() + patience_s
        while self.exit_code() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.exit_code() is None:
            self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    def last_words(self) -> str:
        """Return the end of its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LAST_WORDS))
                return file.read().decode(errors="replace")
        except OSError:
            return ""
