"""One timer that repaints what shows moving data: never on receipt, at most 20 times a second, only what can be seen."""

from __future__ import annotations

import time
from typing import Protocol
from weakref import WeakSet

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

__all__ = ["RepaintClock", "clock"]

INTERVAL_MS = 50
BUDGET_S = 0.01  # a tick; what is left is drawn by the next one, so that no stay is long
LARGEST_INTERVAL_MS = 250
SHARE = 3  # of the time between two ticks, drawing takes at most one part in this many


class Refreshable(Protocol):
    """A widget that draws itself anew when told to."""

    def refresh(self) -> None:
        """Draw what has changed since the last time; cheap if nothing has."""


class RepaintClock(QObject):
    """Calls ``refresh`` of registered widgets that are visible.

    A widget knows itself whether it is out of date (`Series.version`); one that is hidden is brought up to date by the
    first tick after it is shown.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._widgets: WeakSet[QWidget] = WeakSet()
        self._due: list[QWidget] = []
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._ended = time.perf_counter()
        self._timer.timeout.connect(self.tick)

    def register(self, widget: QWidget) -> None:
        """Refresh a widget from now on, as long as it lives."""
        self._widgets.add(widget)
        self._timer.start()

    def unregister(self, widget: QWidget) -> None:
        """Leave a widget alone."""
        self._widgets.discard(widget)

    def tick(self) -> None:
        """Refresh now; where drawing is slow the next tick comes later, so that clicks get their turn."""
        begin = time.perf_counter()
        due = self._due or list(self._widgets)
        while due and time.perf_counter() - begin < BUDGET_S:
            self._refresh(due.pop(0))
        self._due = due  # their turn comes with the next tick
        now = time.perf_counter()
        lag = (
            begin - self._ended - self._timer.interval() / 1000
        )  # Qt painted what the last tick asked for
        busy = 1000 * (now - begin + max(lag, 0.0))
        self._timer.setInterval(int(min(max(INTERVAL_MS, SHARE * busy), LARGEST_INTERVAL_MS)))
        self._ended = time.perf_counter()

    def _refresh(self, widget: QWidget) -> None:
        if not isValid(widget):  # its parent took it along; Python still holds the shell
            self._widgets.discard(widget)
        elif widget.isVisible() and not widget.window().isMinimized():
            widget.refresh()  # type: ignore[attr-defined]


_CLOCK: RepaintClock | None = None


def clock() -> RepaintClock:
    """Return the one clock of the application."""
    global _CLOCK
    if _CLOCK is None:
        _CLOCK = RepaintClock()
    return _CLOCK
