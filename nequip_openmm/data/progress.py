"""How far work is that may take longer than a moment: a bar on the error stream, or calls to whoever wants to hear it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["Advance", "Listener", "progress_bar", "progress_heard"]

Advance = Callable[[float], None]
"""Says how much of the whole is done."""

Listener = Callable[[str, float, float], None]
"""Hears what is being done, how much of it is done, and how much it is; 1 in all where the work is measured as a part."""

DELAY_S = 2.0

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def progress_heard(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` what all progress bars of the block would show; what it raises ends the work."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress_bar(description: str, total: float, shown: bool = True) -> Iterator[Advance]:
    """Give a function to call with the amount done so far; the bar vanishes at the end.

    The bar appears after two seconds; nothing is written where the error stream is not a terminal.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(description, total=max(total, 1.0))
    begun = time.monotonic()
    listener = _listener.get()

    def advance(done: float) -> None:
        if listener is not None:
            listener(description, done, total)
        late = time.monotonic() - begun > DELAY_S
        if shown and late and console.is_terminal and not bar.live.is_started:
            bar.start()
        bar.update(task, completed=done)

    try:
        advance(0.0)
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
