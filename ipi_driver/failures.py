"""How the driver ends, and how it says why."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import ClassVar

from nequip_openmm.errors import RunFailed

__all__ = ["NoServer", "explain", "write_error"]


class NoServer(RunFailed):
    """Nobody listened where i-PI should be."""

    exit_code: ClassVar[int] = 4


def write_error(path: Path, error: Exception, detail: str = "") -> None:
    """Write ``driver_error.json``: what a program that started the driver reads after it has failed.

    A full disk or a missing folder is not worth another failure: the message is on the error stream too.
    """
    content = {
        "code": getattr(error, "code", "user-error"),
        "title": str(error),
        "detail": detail,
        "hint": getattr(error, "hint", ""),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    with suppress(OSError):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def explain(error: Exception) -> str:
    """Return an error with its hint on one line."""
    return ". ".join(filter(None, (str(error), getattr(error, "hint", ""))))
