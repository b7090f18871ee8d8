"""Signals that ask a long job to end in order: finish the step, save, say so."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["StopSignals"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While active, Ctrl-C (SIGINT) and SIGTERM are remembered instead of killing; the job looks at `received`.

    A Ctrl-C after that ends the job at once, as `KeyboardInterrupt`. Another SIGTERM changes nothing: schedulers send
    several, and the job is saving already. Only the main thread may handle signals; elsewhere nothing is installed.

    Attributes
    ----------
    received
        Number of the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def install(self) -> None:
        """Take the signals over, also again from a library that has put its own handlers in between."""
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                previous = signal.signal(number, self._note)
                self._previous.setdefault(number, previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
