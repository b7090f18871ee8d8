"""How fast a simulation goes and when it will be done."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

from nequip_openmm.units import FS_TO_PS

__all__ = ["Pace", "ProgressBar", "Speed", "Throttle"]

SECONDS_PER_DAY = 86_400.0
_PS_TO_NS = 1e-3
_WINDOW_S = 20.0  # speed is averaged over so long
_PLAIN_LINES = 10  # a console that is no terminal gets so many lines


@dataclass(frozen=True)
class Speed:
    """Speed and remaining time; None before there is anything to measure."""

    ns_per_day: float | None
    eta_s: float | None


class Pace:
    """Measures speed over the last seconds.

    Parameters
    ----------
    total
        Steps at which the run ends.
    timestep_fs
        Time step in fs.
    """

    def __init__(self, total: int, timestep_fs: float) -> None:
        self._total = total
        self._ns_per_step = timestep_fs * FS_TO_PS * _PS_TO_NS
        self._marks: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """Forget the past, after a pause."""
        self._marks.clear()

    def observe(self, step: int) -> Speed:
        """Note that ``step`` steps are done now; return the speed."""
        now = time.perf_counter()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_S:
            self._marks.popleft()
        start, first = self._marks[0]
        if step == first:
            return Speed(None, None)
        per_second = (step - first) / max(now - start, 1e-9)
        return Speed(
            ns_per_day=per_second * self._ns_per_step * SECONDS_PER_DAY,
            eta_s=(self._total - step) / per_second,
        )


class Throttle:
    """Says yes at most every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = -float("inf")

    def __call__(self) -> bool:
        """Return whether enough time has passed since the last yes."""
        now = time.perf_counter()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class ProgressBar:
    """A bar on a terminal; a few plain lines where output goes to a file; nothing without a console.

    Parameters
    ----------
    console
        Where to draw, or None.
    total, done
        Steps of the whole run and those done before.
    """

    def __init__(self, console: Console | None, total: int, done: int = 0) -> None:
        self._console = console
        self._total = total
        self._next_line = done + total // _PLAIN_LINES
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console is not None and console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} steps"),
                TextColumn("{task.fields[note]}"),
                Remaining(),
                console=console,
            )
            self._task = self._bar.add_task("dynamics", total=total, completed=done, note="")

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, speed: Speed, temperature: float | None) -> None:
        """Show how far the run is; ``temperature`` in K, if known."""
        if self._console is None:
            return
        note = _note(speed, temperature)
        if self._bar is not None:
            self._bar.update(self._task, completed=step, note=note)
        elif step >= self._next_line or step == self._total:
            self._next_line = step + max(1, self._total // _PLAIN_LINES)
            self._console.print(f"step {step}/{self._total}  {note}", highlight=False)


def _note(speed: Speed, temperature: float | None) -> str:
    parts = [] if temperature is None else [f"{temperature:.0f} K"]
    if speed.ns_per_day is not None:
        parts.append(f"{speed.ns_per_day:.3g} ns/day")
    return "  ".join(parts)
