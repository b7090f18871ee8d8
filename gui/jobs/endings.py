"""Errors of jobs whose program did not say itself how it ended."""

from __future__ import annotations

import signal
from typing import Any

from gui.jobs.progress import Progress

__all__ = ["LOST", "how_it_ended"]

LOST = {
    "code": "lost",
    "title": "The program that ran this is gone; it did not say why.",
    "detail": "It was ended from outside, or the computer was switched off.",
    "hint": "Everything up to its last checkpoint is kept: continue from there.",
}


def how_it_ended(code: int, output: str, progress: Progress) -> dict[str, Any]:
    """Return the error of a process that ended without a word of its own.

    Parameters
    ----------
    code
        Exit code; negative where a signal ended it.
    output
        The last that it printed.
    progress
        How far it was.
    """
    said = [
        line.removeprefix("error: ") for line in output.splitlines() if line.startswith("error: ")
    ]
    if code > 0 and said:
        return {"code": "user-error", "title": said[-1], "detail": output, "hint": ""}
    if code >= 0:
        title = f"The program ended unexpectedly (exit code {code})."
    else:
        title = f"The program ended unexpectedly (signal {-code}, {_signal_name(-code)})."
    hint = "What it had written is kept."
    if progress.done:
        hint += " Continue from its last checkpoint."
    if code == -signal.SIGKILL:
        hint += " The system ends programs this way when memory runs out."
    return {"code": "crashed", "title": title, "detail": output, "hint": hint}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
