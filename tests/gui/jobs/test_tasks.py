"""Short sub-commands: result, progress, cancel, and every way to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gui.jobs import Task
from gui.session import Session
from tests.gui.conftest import fake_program

MakeSession = Callable[..., Session]


@pytest.mark.parametrize("events", [True, False])
def test_result(qtbot: Any, session: Session, events: bool) -> None:
    task = session.task(["info", "data.xyz"], events=events)
    steps: list[tuple[int, int, str]] = []
    task.progressed.connect(lambda *step: steps.append(step))
    with qtbot.waitSignal(task.finished) as caught:
        assert task.is_running
    assert caught.args == [{"answer": 42}]
    assert not task.is_running
    assert steps == ([(n, 4, "reading") for n in range(4)] if events else [])


def test_the_commands_own_error(qtbot: Any, make_session: MakeSession) -> None:
    task = make_session("user-error").task(["info", "data.xyz"])
    with qtbot.waitSignal(task.failed) as caught:
        pass
    assert caught.args[0]["title"] == "data.xyz, line 3: expected 192 atoms, got 191"


def test_a_crash(qtbot: Any, make_session: MakeSession) -> None:
    task = make_session("crash").task(["info", "data.xyz"])
    with qtbot.waitSignal(task.failed) as caught:
        pass
    assert caught.args[0]["code"] == "crashed"
    assert "signal 11" in caught.args[0]["title"]


def test_cancel(qtbot: Any, make_session: MakeSession) -> None:
    task = make_session("hang").task(["info", "data.xyz"])
    outcome: list[str] = []
    task.finished.connect(lambda _result: outcome.append("finished"))
    task.failed.connect(lambda _error: outcome.append("failed"))
    with qtbot.waitSignal(task.progressed):
        pass
    with qtbot.waitSignal(task.cancelled):
        task.cancel()
    assert outcome == []


def test_a_program_that_is_not_there(qtbot: Any) -> None:
    task = Task.run(["info"], program=["/nowhere/nequip-openmm"])
    with qtbot.waitSignal(task.failed) as caught:
        pass
    assert caught.args[0]["code"] == "no-start"


def test_lines_that_are_no_events_do_no_harm(qtbot: Any) -> None:
    task = Task.run(["info"], program=fake_program("garbage"))
    with qtbot.waitSignal(task.finished) as caught:
        pass
    assert caught.args == [{"answer": 42}]
