"""A progress bar for work that may take longer than a moment; it appears on the error stream after two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["Advance", "progress_bar"]

Advance = Callable[[float], None]
"""Says how much of the whole is done."""

DELAY_S = 2.0


@contextmanager
def progress_bar(description: str, total: float, shown: bool = True) -> Iterator[Advance]:
    """Give a function to call with the amount done so far; the bar vanishes at the end.

    Nothing is written where the error stream is not a terminal.
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

    def advance(done: float) -> None:
        late = time.monotonic() - begun > DELAY_S
        if shown and late and console.is_terminal and not bar.live.is_started:
            bar.start()
        bar.update(task, completed=done)

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
