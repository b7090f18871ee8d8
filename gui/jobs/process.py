"""A child process that speaks JSON lines on a descriptor of its own and takes commands on its standard input.

What it prints goes to a file, never to a pipe: a child must not wait for a window that has gone, nor may a stray print end
up among the events. The child leads a session of its own, so that a Ctrl-C in the window's terminal does not reach it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal

__all__ = ["Process"]

CHUNK = 1 << 18  # bytes read at once
PIPE_SIZE = 1 << 20  # what any user may ask for
TURN_S = 0.01  # time given to events before the window's own get their turn
POLL_MS = 200  # where the system cannot tell that a process ended


class Process(QObject):
    """One child; made anew for each start.

    Signals
    -------
    received
        A list of events, in order.
    garbled
        A line that was no event.
    ended
        Exit code; negative where a signal ended the child. Nothing is received afterwards.
    """

    received = Signal(object)  # as a list it would be converted and copied for each listener
    garbled = Signal(str)
    ended = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child: subprocess.Popen[bytes] | None = None
        self._reader = -1
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self._notifiers: list[QSocketNotifier] = []
        self._pidfd = -1
        self._exit_code: int | None = None
        self._work = QTimer(self)
        self._work.setInterval(0)
        self._work.timeout.connect(self._turn)
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look)

    @property
    def pid(self) -> int | None:
        """Process number; None before the start."""
        return None if self._child is None else self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether the child runs and `ended` is still to come."""
        return self._child is not None

    def start(
        self,
        arguments: Sequence[str],
        output: IO[bytes] | int,
        *,
        stdout: IO[bytes] | None = None,
        events: bool = True,
    ) -> None:
        """Start a program.

        Parameters
        ----------
        arguments
            Program and arguments; ``--events FD`` is added unless ``events`` is False.
        output, stdout
            Open file for what the child prints; ``stdout`` alone where it is given.

        Raises
        ------
        OSError
            If the program cannot be started.
        """
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        _widen(self._reader)
        extra = ["--events", str(writer)] if events else []
        try:
            self._child = subprocess.Popen(
                [*arguments, *extra],
                stdin=subprocess.PIPE,
                stdout=output if stdout is None else stdout,
                stderr=output,
                pass_fds=(writer,) if events else (),
                start_new_session=True,
            )
        except OSError:
            os.close(self._reader)
            raise
        finally:
            os.close(writer)
        self._watch(self._reader, self._read)
        self._watch_end(self._child.pid)

    def send(self, command: dict[str, Any]) -> bool:
        """Write a command; return whether the child can still read it."""
        if self._child is None or self._child.stdin is None:
            return False
        try:
            self._child.stdin.write(json.dumps(command).encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def terminate(self) -> None:
        """Ask the child to save and end."""
        if self._child is not None:
            self._child.terminate()

    def kill(self) -> None:
        """End the child and all that it started, at once."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Wait for the end without an event loop (the window closes); return whether it came."""
        deadline = time.monotonic() + seconds
        while self._child is not None and time.monotonic() < deadline:
            self._read()
            if self._child.poll() is not None:
                self._look()
            time.sleep(0.02)
            self._turn()
        return self._child is None

    # --- reading ---------------------------------------------------------------------------------------------------

    def _watch(self, descriptor: int, slot: Any) -> None:
        notifier = QSocketNotifier(descriptor, QSocketNotifier.Type.Read, self)
        notifier.activated.connect(slot)
        self._notifiers.append(notifier)

    def _watch_end(self, pid: int) -> None:
        try:
            self._pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # not Linux, or an old one
            self._poll.start()
        else:
            self._watch(self._pidfd, self._look)

    def _read(self) -> None:
        """Take what is in the pipe; the child waits for room if the window cannot keep up."""
        if self._reader < 0 or len(self._lines) > CHUNK // 64:
            return
        try:
            data = os.read(self._reader, CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._stop_reading()
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self._lines.extend(lines)
        self._turn()

    def _turn(self) -> None:
        """Hand events on for a moment; go on later if some are left."""
        deadline = time.perf_counter() + TURN_S
        while self._lines:
            self._hand_on(200)
            if time.perf_counter() > deadline:
                break
        if self._lines:
            self._work.start()
            return
        self._work.stop()
        if self._exit_code is not None:
            self._finish()

    def _hand_on(self, number: int) -> None:
        events = []
        for _ in range(min(number, len(self._lines))):
            line = self._lines.popleft()
            event = _parsed(line)
            if event is not None:
                events.append(event)
            elif line.strip():
                self.garbled.emit(line.decode("utf-8", "replace"))
        if events:
            self.received.emit(events)

    def _stop_reading(self) -> None:
        for notifier in self._notifiers:
            if notifier.socket() == self._reader:
                notifier.setEnabled(False)
        os.close(self._reader)
        self._reader = -1

    # --- the end ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Note that the child has ended, then take all that it still had to say."""
        if self._child is None or self._exit_code is not None:
            return
        code = self._child.poll()
        if code is None:
            return
        self._poll.stop()
        for notifier in self._notifiers:
            notifier.setEnabled(False)
        self._drain()
        self._exit_code = code
        self._turn()

    def _drain(self) -> None:
        while self._reader >= 0:
            try:
                data = os.read(self._reader, CHUNK)
            except BlockingIOError:  # something that the child started holds the pipe open
                data = b""
            if not data:
                self._stop_reading()
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            self._lines.extend(lines)
        if self._rest:  # the child died within a line
            self._lines.append(self._rest)
            self._rest = b""

    def _finish(self) -> None:
        code, self._exit_code = self._exit_code, None
        child, self._child = self._child, None
        if child is not None and child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self.ended.emit(code if code is not None else 0)


def _widen(descriptor: int) -> None:
    """Let the pipe hold what a fast child tells while the window paints; the usual 64 kB are 250 samples."""
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or more than this user may have
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the event that a line holds, or None."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("ev"), str) else None
