"""Short child processes with a result: reading a data set, checking settings, evaluating a model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from typing import IO, Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.core.options import error_of, without_options
from gui.jobs.commands import PROGRAM
from gui.jobs.process import Process

__all__ = ["Task"]

GRACE_MS = 3000


class Task(QObject):
    """One run of a sub-command of nequip-openmm, such as ``info FILE``; it deletes itself when it has told how that ended.

    With ``events=True`` (the sub-command knows ``--events``) the result is what its last ``result`` event held; otherwise
    the JSON object that it prints.

    Signals
    -------
    progressed
        Work done, whole work, text.
    event_received
        Every other event.
    finished
        The result (dict).
    failed
        ``{code, title, detail, hint}``.
    cancelled
        After `cancel`, in place of the two above.
    """

    progressed = Signal(int, int, str)
    event_received = Signal(object)
    finished = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, program: Sequence[str] = PROGRAM, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._program = list(program)
        self._process: Process | None = None
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the task)
        self._printed: IO[bytes] | None = None
        self._result: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None
        self._is_cancelled = False

    @property
    def is_running(self) -> bool:
        """Whether one of `finished`, `failed`, `cancelled` is still to come."""
        return self._process is not None

    @classmethod
    def run(
        cls,
        arguments: Sequence[str],
        *,
        program: Sequence[str] = PROGRAM,
        events: bool = True,
        parent: QObject | None = None,
    ) -> Task:
        """Return a task that has been started; a program that cannot be started fails a moment later."""
        task = cls(program, parent)
        task.start(arguments, events=events)
        return task

    def start(self, arguments: Sequence[str], *, events: bool = True) -> None:
        """Start the sub-command."""
        self._process = process = Process(self)
        self._printed = None if events else tempfile.TemporaryFile()  # noqa: SIM115
        process.received.connect(self._receive)
        process.ended.connect(self._end)
        try:
            process.start(
                [*self._program, *arguments], self._output, stdout=self._printed, events=events
            )
        except OSError as error:
            title = f"cannot start {self._program[0]}: {error.strerror}"
            self._error = {"code": "no-start", "title": title, "detail": "", "hint": ""}
            self._process = None
            QTimer.singleShot(0, self, self._end)

    def cancel(self) -> None:
        """Ask the child to end, and end it if it does not within three seconds."""
        if self._process is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._process.terminate()
            QTimer.singleShot(GRACE_MS, self, self._kill)

    def wait(self, seconds: float) -> bool:
        """Wait for the end without an event loop; return whether it came."""
        return self._process is None or self._process.wait(seconds)

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _receive(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            kind = event["ev"]
            if kind == "progress":
                text = str(event.get("text") or "")
                self.progressed.emit(
                    int(event.get("done") or 0), int(event.get("total") or 0), text
                )
            elif kind == "result":
                self._result = {k: v for k, v in event.items() if k not in ("v", "ev", "t")}
            elif kind == "error":
                self._error = error_of(event)
            else:
                self.event_received.emit(event)

    def _end(self, code: int = 1) -> None:
        self._process = None
        if self._is_cancelled:
            self.cancelled.emit()
        elif self._error is None and (result := self._found_result(code)) is not None:
            self.finished.emit(result)
        else:
            self.failed.emit(self._error or _failure(code, _text(self._output)))
        for file in (self._output, self._printed):
            if file is not None:
                file.close()
        self.deleteLater()

    def _found_result(self, code: int) -> dict[str, Any] | None:
        if self._printed is None:
            return (self._result or {}) if code == 0 else None
        try:
            value = json.loads(_text(self._printed))
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _failure(code: int, output: str) -> dict[str, Any]:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    title = (
        without_options(said[-1]) if said else f"The program ended unexpectedly ({_ended(code)})."
    )
    return {
        "code": "user-error" if said else "crashed",
        "title": title,
        "detail": output[-4000:],
        "hint": "",
    }


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
