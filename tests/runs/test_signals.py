"""Signals stop a job in order; a second Ctrl-C stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from nequip_openmm.runs.signals import StopSignals

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[int, object]]:
    """Handlers of our own: shells start background jobs with SIGINT ignored."""
    before = {number: signal.signal(number, lambda *_: None) for number in NUMBERS}
    yield {number: signal.getsignal(number) for number in NUMBERS}
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_is_remembered(number: signal.Signals, handlers: dict[int, object]) -> None:
    with StopSignals() as signals:
        assert signals.received is None
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        assert signals.received == number
    assert {number: signal.getsignal(number) for number in NUMBERS} == handlers


@pytest.mark.parametrize("first", NUMBERS)
def test_ctrl_c_after_that_ends_at_once(first: signal.Signals, handlers: dict[int, object]) -> None:
    with StopSignals() as signals:
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signals.received == first
    assert {number: signal.getsignal(number) for number in NUMBERS} == handlers


def test_handlers_put_in_between_are_taken_over_and_forgotten(handlers: dict[int, object]) -> None:
    with StopSignals() as signals:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signals.install()
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
    assert {number: signal.getsignal(number) for number in NUMBERS} == handlers


def test_other_threads_leave_the_handlers_alone(handlers: dict[int, object]) -> None:
    seen: list[object] = []

    def work() -> None:
        with StopSignals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handlers[signal.SIGINT]]
