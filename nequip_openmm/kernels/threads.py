"""The threads that all computations share. They run C, which does not hold Python's lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

__all__ = ["team"]

MOST = 1024


@cache
def team() -> ThreadPoolExecutor:
    """Return the threads, of which there are as many as have been at work at a time."""
    return ThreadPoolExecutor(MOST, thread_name_prefix="nequip-openmm")


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=team.cache_clear)  # a child has none of its parent's threads
