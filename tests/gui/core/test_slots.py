"""Slots that do not keep their object alive."""

from __future__ import annotations

import gc
import weakref

import pytest
from PySide6.QtCore import QObject, Signal
from shiboken6 import delete

from gui.slots import weakly


class Speaker(QObject):
    said = Signal(str)


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str]] = []

    def hear(self, who: str, what: str) -> None:
        self.heard.append((who, what))


def test_arguments_come_before_the_signals(qapp: object) -> None:
    speaker, listener = Speaker(), Listener()
    speaker.said.connect(weakly(listener.hear, "she"))
    speaker.said.emit("hello")
    assert listener.heard == [("she", "hello")]


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_listener_that_is_gone_hears_nothing(qapp: object, is_deleted: bool) -> None:
    speaker, listener = Speaker(), Listener()
    speaker.said.connect(weakly(listener.hear, "she"))
    heard, shell = listener.heard, weakref.ref(listener)
    if is_deleted:
        delete(listener)
    else:
        del listener
        gc.collect()
        assert shell() is None
    speaker.said.emit("hello")
    assert heard == []
