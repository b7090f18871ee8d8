"""Work of a command that somebody watches: progress as events, an order to stop that leaves nothing half done."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from nequip_openmm.data.progress import progress_heard
from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.runs import Commands, EventStream
from nequip_openmm.runs.failures import failures_told
from nequip_openmm.runs.progress import Throttle

__all__ = ["new_folder", "watched"]

PARTS = 1000  # in which work is counted that is measured as a part of the whole
INTERVAL_S = 0.1


class _Stopped(BaseException):
    """Somebody asked to stop; no `Exception`, so that nothing on the way takes it for a failure."""


@contextmanager
def watched(kind: str, events: str | None) -> Iterator[EventStream]:
    """Give a stream that tells what happens within the block, and end the block when it is to stop.

    It stops on SIGTERM, on ``{"cmd": "stop"}`` on the standard input and at the input's end: whoever watched is gone. Without
    ``events`` nothing is told and the standard input is not read.

    Raises
    ------
    typer.Exit
        With code 143 when it was stopped.
    """
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        if events is None:
            yield EventStream()
            return
        with EventStream.to(events) as stream:
            stream.hello(kind)
            commands = Commands()
            try:
                with failures_told(stream, _unknown), progress_heard(_Listener(stream, commands)):
                    yield stream
                    _obey(commands)
            except _Stopped:
                stream.done("stopped")
                raise
            stream.done("finished")
    except _Stopped:
        raise typer.Exit(128 + signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside ``path`` that becomes ``path`` at the end; whatever ends the block early removes it.

    Raises
    ------
    UserError
        If something is at ``path`` already, or it cannot be made.
    """
    if path.exists():
        raise UserError(f"'{path}' exists; name a folder that does not")
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write to '{path.parent}': {error.strerror}") from error
    try:
        yield partial
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _Listener:
    """Turns progress into events, and looks for orders while it is at it."""

    def __init__(self, stream: EventStream, commands: Commands) -> None:
        self._stream = stream
        self._commands = commands
        self._is_due = Throttle(INTERVAL_S)
        self._text = ""
        self._begun = 0.0

    def __call__(self, text: str, done: float, total: float) -> None:
        if text != self._text:
            self._text, self._begun = text, time.monotonic()
        elif not self._is_due():
            return
        _obey(self._commands)
        scale = PARTS if total <= 1.0 else 1
        seconds = time.monotonic() - self._begun
        eta_s = seconds * (total - done) / done if done > 0.0 else None
        self._stream.progress(round(done * scale), round(total * scale), eta_s, text=text)


def _obey(commands: Commands) -> None:
    while (command := commands.poll()) is not None:
        if command.name == "stop":
            raise _Stopped


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the tidying up
    raise _Stopped


def _unknown(error: Exception) -> RunFailed | None:
    return None
