"""Commands to a running job: JSON lines on its standard input, read without blocking."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

__all__ = ["Command", "Commands"]

KNOWN = ("pause", "resume", "stop", "checkpoint", "set")
KEEP = "keep"  # about the stream itself, so that no job needs to know it


@dataclass(frozen=True)
class Command:
    """One order: ``{"cmd": "stop"}`` or ``{"cmd": "set", "temperature": 320}``.

    Attributes
    ----------
    name
        One of ``pause``, ``resume``, ``stop``, ``checkpoint``, ``set``, or what else a kind of job obeys.
    values
        What else stood in the object.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)


class Commands:
    """A queue of commands that a daemon thread fills from a stream.

    The end of the stream means that whoever started the job is gone; a job that was started with ``--events`` then gets a
    ``stop``, so that it saves and ends, unless ``{"cmd": "keep", "running": true}`` came before.

    Parameters
    ----------
    stream
        Text lines, usually ``sys.stdin``.
    stop_at_end
        Whether the end of the stream stops the job, as long as no ``keep`` says otherwise.
    further
        Names of commands that only this kind of job obeys.
    """

    def __init__(
        self,
        stream: IO[str] | None = None,
        *,
        stop_at_end: bool = True,
        further: Sequence[str] = (),
    ) -> None:
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._unknown: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known = (*KNOWN, *further)
        self._stop_at_end = stop_at_end
        source = sys.stdin if stream is None else stream
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def poll(self) -> Command | None:
        """Return the next command, or None when there is none."""
        return _next(self._queue)

    def poll_unknown(self) -> str | None:
        """Return the next line that was no command, or None; for a warning."""
        return _next(self._unknown)

    def _read(self, stream: IO[str]) -> None:
        # Bytes that are no text, or a stream that is closed or cannot be read, are its end.
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                if line.strip():
                    self._accept(line)
        if self._stop_at_end:
            self._queue.put(Command("stop"))

    def _accept(self, line: str) -> None:
        values = _parse(line)
        name = values.pop("cmd", None)
        if name == KEEP and isinstance(values.get("running"), bool):
            self._stop_at_end = not values["running"]
        elif isinstance(name, str) and name in self._known:
            self._queue.put(Command(name, values))
        else:
            self._unknown.put(line.strip())


def _parse(line: str) -> dict[str, Any]:
    """Return the JSON object that a line holds; an empty one for anything else."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _next(items: queue.SimpleQueue[Any]) -> Any:
    try:
        return items.get_nowait()
    except queue.Empty:
        return None
