"""How much memory a process holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["largest_memory", "memory_in_use"]

STATUS = Path("/proc/self/statm")


def memory_in_use() -> int | None:
    """Return the bytes of main memory that this process holds now; None where the system does not tell."""
    try:
        return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def largest_memory() -> int | None:
    """Return the most bytes of main memory that this process ever held; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024  # kB elsewhere
