"""The states that every page has."""

from __future__ import annotations

from enum import Enum

__all__ = ["PageState"]


class PageState(Enum):
    """What a page shows; each page says what it draws in each."""

    EMPTY = "empty"
    LOADING = "loading"
    READY = "ready"
    INVALID = "invalid"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"
