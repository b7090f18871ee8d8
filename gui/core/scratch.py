"""Folders for what is needed only while the window is open; those of a window that was killed are removed by the next one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["new_scratch", "remove_scratch", "remove_stale"]

PREFIX = "nequip-openmm-window-"

_ours: set[Path] = set()


def new_scratch() -> Path:
    """Make a folder that vanishes with this process; its name holds the process's number."""
    if not _ours:
        atexit.register(_remove_ours)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    _ours.add(folder)
    return folder


def remove_scratch(folder: Path) -> None:
    """Remove a folder that `new_scratch` made; any other is left alone."""
    if folder in _ours:
        _ours.discard(folder)
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale() -> None:
    """Remove folders of processes that live no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_ours() -> None:
    for folder in list(_ours):
        remove_scratch(folder)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where this call would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
