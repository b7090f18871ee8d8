"""What happened, as lines: of the jobs, and of the window itself."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from gui.jobs import Job, Jobs
from gui.notifications import Notification, Notifications
from gui.slots import weakly

__all__ = ["Log", "LogLine"]

Level = Literal["info", "warning", "error"]

CAPACITY = 5000
REPEATS = 20  # lines that are no events; a worker that prints thousands must not bury the rest


@dataclass(frozen=True)
class LogLine:
    """One line.

    Attributes
    ----------
    time
        Seconds since the epoch.
    source
        Name of the run; empty for the window.
    level, text
        How much it matters, and what happened.
    """

    time: float
    source: str
    level: Level
    text: str

    def __str__(self) -> str:
        source = f"{self.source}: " if self.source else ""
        mark = "" if self.level == "info" else f"{self.level.upper()}  "
        return f"{time.strftime('%H:%M:%S', time.localtime(self.time))}  {source}{mark}{self.text}"


class Log(QObject):
    """The newest lines.

    Signals
    -------
    added
        A `LogLine`.
    counted
        `n_warnings` has changed.
    """

    added = Signal(object)
    counted = Signal()

    def __init__(
        self, jobs: Jobs, notifications: Notifications, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.lines: deque[LogLine] = deque(maxlen=CAPACITY)
        self.n_warnings = 0
        jobs.added.connect(self._watch)
        notifications.notified.connect(self._note_news)

    def add(self, level: Level, text: str, source: str = "", at: float | None = None) -> None:
        """Add a line."""
        line = LogLine(time.time() if at is None else at, source, level, text)
        self.lines.append(line)
        self.added.emit(line)
        if level != "info":
            self.n_warnings += 1
            self.counted.emit()

    def mark_read(self) -> None:
        """A person has seen the warnings."""
        if self.n_warnings:
            self.n_warnings = 0
            self.counted.emit()

    def _watch(self, job: Job) -> None:
        job.event_received.connect(weakly(self._note_event, job))
        job.garbled.connect(weakly(self._note_garbled, job))

    def _note_event(self, job: Job, event: dict[str, Any]) -> None:
        if event["ev"] == "error" and job.is_live:
            return  # a notification follows, with what to do
        words = _WORDS.get(event["ev"])
        if words is not None:
            level, text = words(event)
            if text:
                self.add(level, text, job.name, event.get("t"))

    def _note_garbled(self, job: Job, text: str) -> None:
        if job.n_garbled < REPEATS:
            self.add("warning", f"not understood: {text[:200]}", job.name)
        elif job.n_garbled == REPEATS:
            self.add("warning", "further lines that are not understood are left out", job.name)

    def _note_news(self, news: Notification) -> None:
        level: Level = {"warn": "warning", "error": "error"}.get(news.tone, "info")  # type: ignore[assignment]
        self.add(level, f"{news.text}\n{news.detail}".strip())


def _hello(event: dict[str, Any]) -> tuple[Level, str]:
    return "info", f"process {event.get('pid')}"


def _status(event: dict[str, Any]) -> tuple[Level, str]:
    return "info", str(event.get("state", ""))


def _log(event: dict[str, Any]) -> tuple[Level, str]:
    level = str(event.get("level"))
    return ("info" if level not in ("warning", "error") else level), str(event.get("msg", ""))  # type: ignore[return-value]


def _warning(event: dict[str, Any]) -> tuple[Level, str]:
    return "warning", str(event.get("msg", ""))


def _error(event: dict[str, Any]) -> tuple[Level, str]:
    parts = (event.get("title"), event.get("detail"), event.get("hint"))
    return "error", "\n".join(str(part) for part in parts if part)


def _done(event: dict[str, Any]) -> tuple[Level, str]:
    why = event.get("why")
    return "info", f"{event.get('reason')}{f': {why}' if why else ''}"


_WORDS = {
    "hello": _hello,
    "status": _status,
    "log": _log,
    "warning": _warning,
    "error": _error,
    "done": _done,
}
