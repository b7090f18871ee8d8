"""Reads a run's ``events.jsonl`` as it grows: the history of a run, and the news of one that was started elsewhere."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

__all__ = ["Follower", "is_at_work", "is_running", "terminate"]

CHUNK = 1 << 18  # bytes a turn
INTERVAL_MS = 250
CLOCK_SLACK_S = 5.0


class Follower(QObject):
    """Tells the lines of a file that are complete, then those that are added.

    Signals
    -------
    received
        A list of events, in order.
    garbled
        A line that was no event.
    caught_up
        All that was in the file has been told; once.
    """

    received = Signal(object)
    garbled = Signal(str)
    caught_up = Signal()

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._offset = 0
        self._is_behind = True
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Begin with the first line."""
        self._timer.start(0)

    def stop(self) -> None:
        """Tell nothing more."""
        self._timer.stop()

    def look_to_end(self) -> None:
        """Tell all that is there now."""
        before = -1
        while self._offset != before:
            before = self._offset
            self.look()

    def look(self) -> None:
        """Tell what is new, at most a chunk of it."""
        data = self._new_bytes()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        events = []
        for line in data[:whole].splitlines():
            event = _parsed(line)
            if event is None:
                self.garbled.emit(line.decode("utf-8", "replace"))
            else:
                events.append(event)
        if events:
            self.received.emit(events)
        if len(data) < CHUNK and self._is_behind:
            self._is_behind = False
            self._timer.setInterval(INTERVAL_MS)
            self.caught_up.emit()

    def _new_bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:  # written anew
                    self._offset = 0
                file.seek(self._offset)
                return file.read(CHUNK)
        except OSError:
            return b""


def is_running(pid: int, since: float | None = None) -> bool:
    """Return whether the process that said hello with this number at that time (seconds since the epoch) still runs.

    Numbers are used again: a process that began after the hello is another one.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    began = _began(pid)
    return began is None or since is None or began <= since + CLOCK_SLACK_S


def is_at_work(folder: Path) -> bool:
    """Return whether the last program that said hello in a run's folder is still there and has not said done."""
    last: dict[str, Any] = {}
    try:
        with (folder / "events.jsonl").open("rb") as file:
            for line in file:
                if b'"ev": "hello"' in line or b'"ev": "done"' in line:
                    last = _parsed(line) or last
    except OSError:
        return False
    is_open = last.get("ev") == "hello" and isinstance(last.get("pid"), int)
    return is_open and is_running(last["pid"], last.get("t"))


def terminate(pid: int, since: float | None, number: int = signal.SIGTERM) -> bool:
    """Send a signal to the process that said hello, if it still runs; return whether it was sent."""
    if not is_running(pid, since) or not _is_ours(pid):
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("ev"), str) else None


def _began(pid: int) -> float | None:
    """Return when a process began, in seconds since the epoch; None where the system has no /proc or it is a zombie's."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError):
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        return float("inf")
    age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _is_ours(pid: int) -> bool:
    """Return whether the process is a Python that runs this package, where that can be seen."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return b"nequip" in words or b"python" in words
