"""A window for pictures: time stands still, workers are played, and nothing of the user's is touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest.mock import patch

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import delete

from gui.dialogs import Answers
from gui.jobs.process import Process
from gui.session import Session
from gui.settings import SettingsStore
from gui.theme import theme
from gui.viewmodels import run_table
from gui.views.common.banner import Banner
from gui.views.common.clock import clock
from gui.views.common.page import Page
from gui.views.main_window import MainWindow

__all__ = ["NOW", "SIZE", "Scene", "Stage", "calm"]

NOW = 1_773_310_800.0
"""12 March 2026, 10:20 UTC: when all pictures are taken."""
SIZE = (1280, 800)
SETTLED_S = 0.3
LEAST_TURNS = 12

Event = dict[str, Any]


class _Clock:
    """What `time.time` tells while pictures are taken."""

    now = NOW


class _FixedDatetime(datetime):
    """A calendar that stays at one day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _FixedDatetime:
        return cls.fromtimestamp(_Clock.now, tz)


class Played:
    """What stands in for the child processes: it starts nothing, and remembers what was asked for."""

    def __init__(self) -> None:
        self.started: list[tuple[list[str], Process]] = []

    def start(self, process: Process, arguments: list[str], *_args: Any, **_options: Any) -> None:
        """Take the place of `Process.start`."""
        self.started.append((list(arguments), process))

    def find(self, word: str) -> tuple[list[str], Process]:
        """Return the newest process one of whose arguments is ``word``, and all of these."""
        return next(child for child in reversed(self.started) if word in child[0])


@contextmanager
def calm(home: Path) -> Iterator[Played]:
    """Stop the clock, give the user a new home and play all child processes, for as long as the context lasts."""
    played = Played()
    with ExitStack() as stack:
        for change in (
            patch.dict(os.environ, {"HOME": str(home), "TZ": "UTC"}),
            patch("time.time", lambda: _Clock.now),
            patch.object(run_table, "datetime", _FixedDatetime),
            patch.object(Process, "start", lambda process, *a, **k: played.start(process, *a, **k)),
            patch.object(Process, "is_alive", True),
            patch.object(Process, "send", lambda *_: True),
            patch.object(Process, "wait", lambda *_: True),
        ):
            stack.enter_context(change)
        time.tzset()
        _Clock.now = NOW
        yield played
    time.tzset()


class Stage:
    """The window of one picture.

    Parameters
    ----------
    home
        Folder of a user who never was.
    played
        From `calm`.

    Attributes
    ----------
    session, window
        Those of the app.
    """

    def __init__(self, home: Path, played: Played) -> None:
        self.home, self.played = home, played
        settings = SettingsStore(home / ".config" / "gui.json")
        settings.set("runs_folder", home / "nequip-openmm" / "runs")
        self.session = Session(settings, Answers(), ["nequip-openmm"])
        self.window = MainWindow(self.session)
        self.window.resize(*SIZE)
        self.window.show()

    def page(self, name: str) -> Any:
        """Bring a page to the front and return it."""
        self.window.show_page(name)
        page = self.window.current_page
        if not isinstance(page, Page):
            raise RuntimeError(f"the page {name} cannot be shown: {self.window.log.lines[-1]}")
        self.settle(0.05)
        return page

    def file(self, name: str, text: str = "") -> Path:
        """Write a file into the user's folder of data and return its path."""
        path = self.home / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def folder(self, name: str) -> Path:
        """Return the folder of a run."""
        return self.session.settings.runs_folder / name

    def tell(self, word: str, events: Iterable[Event]) -> None:
        """Let the newest child that was started with a word tell events."""
        _, process = self.played.find(word)
        stamped = [{"v": 1, "t": _Clock.now, **event} for event in events]
        process.received.emit(stamped)

    def end(self, word: str, code: int = 0) -> None:
        """Let it end."""
        self.played.find(word)[1].ended.emit(code)

    def answer(self, word: str, result: Event) -> None:
        """Let a short child tell its result and end."""
        self.tell(word, [{"ev": "result", **result}])
        self.end(word)

    def refuse(self, word: str, title: str, code: str = "user-error", hint: str = "") -> None:
        """Let a short child tell an error and end."""
        self.tell(word, [{"ev": "error", "code": code, "title": title, "detail": "", "hint": hint}])
        self.end(word, 2)

    def fit(self) -> None:
        """Let each 3D view show all of its atoms: how large it was when they came depends on how busy the computer is."""
        from gui.views.molecule.view import MoleculeView

        for view in self.window.findChildren(MoleculeView):
            view.fit()

    def hush(self) -> None:
        """Close the news in the corner."""
        for news in self.window.toasts.findChildren(Banner):
            news.closed.emit()

    def wait(self, seconds: float) -> None:
        """Let the stopped clock go on."""
        _Clock.now += seconds

    def settle(self, seconds: float = SETTLED_S) -> None:
        """Let the window finish what it has begun."""
        end, turns = time.perf_counter() + seconds, 0
        while time.perf_counter() < end or turns < LEAST_TURNS:
            QApplication.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            clock().tick()
            turns += 1
            time.sleep(0.01)

    def close(self) -> None:
        """Throw the window away, from the root of each tree of objects."""
        theme().choose("light")
        self.session.jobs.close(0)
        delete(self.window)
        delete(self.session)


Scene = Callable[[Stage], QWidget | None]
"""Brings the window of a stage into a state; returns what is drawn where that is not the window."""
