"""How the driver ends, and how it says why."""

from __future__ import annotations

import json
import traceback
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import ClassVar

from nequip_openmm.errors import RunFailed

__all__ = ["NoServer", "clear_error", "explain", "write_error"]


class NoServer(RunFailed):
    """Nobody listened where i-PI should be."""

    exit_code: ClassVar[int] = 4


def write_error(path: Path, error: Exception) -> None:
    """Write ``driver_error.json``: what a program that started the driver reads after it has failed.

    Its keys are code, title (the message), detail (the traceback of an unexpected exception behind it), hint and time.

    A full disk or a missing folder is not worth another failure: the message is on the error stream too.
    """
    content = {
        "code": getattr(error, "code", "user-error"),
        "title": str(error),
        "detail": _traceback(error.__cause__) if getattr(error, "code", "") == "evaluation" else "",
        "hint": getattr(error, "hint", ""),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    with suppress(OSError):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def clear_error(path: Path) -> None:
    """Remove what an earlier driver has left."""
    with suppress(OSError):
        path.unlink()


def _traceback(cause: BaseException | None) -> str:
    if cause is None:
        return ""
    return "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))


def explain(error: Exception) -> str:
    """Return an error with its hint on one line."""
    return ". ".join(filter(None, (str(error), getattr(error, "hint", ""))))
