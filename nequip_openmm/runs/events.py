"""The event stream: one JSON object a line, from a worker to whoever watches it.

Every event carries ``v`` (protocol version), ``ev`` (its kind) and ``t`` (seconds since the epoch). Kinds in use:
``hello``, ``status``, ``progress``, ``epoch``, ``sample``, ``frame``, ``log``, ``warning``, ``checkpoint``, ``error``,
``done``; work that is no run adds ``fields`` and ``result``. A reader skips kinds it does not know. JSON has no NaN or infinity: such a value is written as null and its name
is listed in ``nonfinite``.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from nequip_openmm._version import __version__
from nequip_openmm.errors import UserError

__all__ = ["PROTOCOL_VERSION", "EventStream", "read_events"]

PROTOCOL_VERSION = 1


class EventStream:
    """Writes events to a run folder's ``events.jsonl`` and, on request, to a second place.

    Parameters
    ----------
    *sinks
        Open text files; every event goes to each, flushed at once. A sink whose reader has gone is dropped: a window that
        was closed must not end the run.
    """

    def __init__(self, *sinks: IO[str]) -> None:
        self._sinks = list(sinks)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, log: Path, extra: str | None = None) -> EventStream:
        """Append to ``log`` and to ``extra``, a file path or the number of an open file descriptor.

        Raises
        ------
        UserError
            If ``extra`` cannot be opened.
        """
        _cut_half_line(log)
        sinks: list[IO[str]] = [log.open("a", encoding="utf-8")]
        if extra is not None:
            sinks.append(_open_sink(extra))
        return cls(*sinks)

    @classmethod
    def to(cls, target: str) -> EventStream:
        """Write to ``target`` alone, a file path or the number of an open file descriptor: for work that leaves no run folder.

        Raises
        ------
        UserError
            If it cannot be opened.
        """
        return cls(_open_sink(target))

    @staticmethod
    def require(extra: str | None) -> None:
        """Raise `UserError` if ``extra`` cannot be opened; for a look before a folder is made."""
        if extra is not None:
            _open_sink(extra).close()

    def emit(self, ev: str, **fields: Any) -> None:
        """Write one event of kind ``ev``."""
        event = {"v": PROTOCOL_VERSION, "ev": ev, "t": round(time.time(), 3), **fields}
        line = json.dumps(_finite(event), allow_nan=False, default=_plain) + "\n"
        failure = None
        with self._lock:
            for sink in list(self._sinks):
                try:
                    self._write(sink, line)
                except OSError as error:  # a full disk must not keep the news from who watches
                    failure = error
        if failure is not None:
            raise failure

    def hello(self, kind: str, **fields: Any) -> None:
        """Say who writes: kind of run, process number, versions."""
        versions = {"nequip-openmm": __version__, "python": sys.version.split()[0]}
        self.emit("hello", kind=kind, pid=os.getpid(), versions=versions, **fields)

    def status(self, state: str, **fields: Any) -> None:
        """Say what the run is doing now, such as ``"training"`` or ``"paused"``."""
        self.emit("status", state=state, **fields)

    def progress(self, done: int, total: int, eta_s: float | None, **fields: Any) -> None:
        """Say how far the run is, in its own units of work."""
        self.emit("progress", done=done, total=total, eta_s=eta_s, **fields)

    def warning(self, code: str, msg: str, **fields: Any) -> None:
        """Report something a user should see that does not stop the run."""
        self.emit("warning", code=code, msg=msg, **fields)

    def checkpoint(self, path: Path | str, **fields: Any) -> None:
        """Say that a checkpoint is complete on disk."""
        self.emit("checkpoint", path=str(path), **fields)

    def error(self, code: str, title: str, detail: str = "", hint: str = "", **fields: Any) -> None:
        """Report what ended the run."""
        self.emit("error", code=code, title=title, detail=detail, hint=hint, **fields)

    def done(self, reason: str, **fields: Any) -> None:
        """Say that the run is over: ``"finished"``, ``"stopped"`` or ``"failed"``."""
        self.emit("done", reason=reason, **fields)

    def close(self) -> None:
        """Close every sink."""
        with self._lock:
            for sink in self._sinks:
                with contextlib.suppress(
                    OSError
                ):  # what could not be written before, and was told then
                    sink.close()
            self._sinks.clear()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, sink: IO[str], line: str) -> None:
        try:
            sink.write(line)
            sink.flush()
        except BrokenPipeError:
            self._sinks.remove(sink)
            with contextlib.suppress(OSError):  # it tries to write what is left
                sink.close()


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a file; a last line that is still being written is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def _open_sink(target: str) -> IO[str]:
    try:
        if target.isdigit():
            return os.fdopen(os.dup(int(target)), "w", encoding="utf-8")
        return Path(target).open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"events {target}: {error.strerror}; give a path that can be written or the number of an open descriptor"
        ) from error


def _cut_half_line(log: Path) -> None:
    """Remove a last line without end, which a killed process or a full disk leaves."""
    if not log.exists():
        return
    content = log.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(log, whole)


def _finite(event: dict[str, Any]) -> dict[str, Any]:
    """Replace non-finite numbers by null and list the fields that held one."""
    bad = [name for name, value in event.items() if _has_nonfinite(value)]
    if not bad:
        return event
    return {name: _nulled(value) for name, value in event.items()} | {"nonfinite": bad}


def _has_nonfinite(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nonfinite(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_nonfinite(item) for item in value)
    if hasattr(value, "tolist"):  # numpy
        return _has_nonfinite(value.tolist())
    return isinstance(value, float) and not math.isfinite(value)


def _nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _nulled(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nulled(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, and paths, into JSON values."""
    if hasattr(value, "tolist"):
        return _nulled(value.tolist())
    return str(value)
