"""A session without a screen, without the user's settings, with a fake worker. No torch in any of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

pytest.importorskip(
    "PySide6.QtWidgets",
    reason="the window needs PySide6 and its system libraries",
    exc_type=ImportError,
)
pytest.importorskip("pyqtgraph")
pytest.importorskip("pytestqt")

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete, isValid

from gui.dialogs import Answers
from gui.session import Session
from gui.settings import SettingsStore
from gui.theme import theme

PATIENCE_MS = 60_000
FAKE_WORKER = Path(__file__).with_name("fake_worker.py")


def fake_program(mode: str = "ok") -> list[str]:
    """Return the command line of a worker that behaves in a certain way (see `fake_worker`)."""
    return [sys.executable, "-S", str(FAKE_WORKER), mode]


class PatientBot(QtBot):
    """Waits for what must come as long as a busy computer may need; a test that passes does not wait."""

    def waitUntil(self, callback: Callable[[], object], *, timeout: int = PATIENCE_MS) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE_MS, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **options)

    def waitSignals(self, signals: Any, *, timeout: int = PATIENCE_MS, **options: Any) -> Any:
        return super().waitSignals(signals, timeout=timeout, **options)

    def waitExposed(self, widget: Any, *, timeout: int = PATIENCE_MS) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> PatientBot:
    """The bot of pytest-qt, but patient."""
    return PatientBot(request)


@pytest.fixture(autouse=True)
def _look(qapp: QApplication) -> None:
    qapp.setStyle("Fusion")
    if theme().name != "light" or not qapp.styleSheet():
        theme().choose("light")


@pytest.fixture
def answers() -> Answers:
    """Dialogs: put answers into ``answers.ready``, look into ``answers.asked``."""
    return Answers()


@pytest.fixture
def make_session(
    tmp_path: Path, answers: Answers, qapp: QApplication
) -> Iterator[Callable[..., Session]]:
    """``make_session(mode)``: a session whose worker is a fake one; its jobs are ended after the test."""
    sessions: list[Session] = []

    def make(mode: str = "ok") -> Session:
        settings = SettingsStore(tmp_path / "gui.json")
        settings.set("runs_folder", tmp_path / "runs")
        sessions.append(Session(settings, answers, fake_program(mode)))
        return sessions[-1]

    yield make
    for session in sessions:
        for job in session.jobs.running():
            if job.is_ours:
                job.kill()
                job.wait(5)
        session.jobs.close(0)
        # From the root: a child's lambda that held the last reference to it would free it, and itself, twice (gui.slots).
        if isValid(session):
            delete(session)


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    """A session whose worker does what it should."""
    return make_session("ok")
