"""Numbers as people read them."""

from __future__ import annotations

import math
from pathlib import Path

__all__ = ["count", "duration", "measured", "short_path", "size"]


def count(number: int) -> str:
    """Return a whole number with thin groups: ``12,400``."""
    return f"{number:,}"


def duration(seconds: float | None) -> str:
    """Return a time in at most two units: ``45 s``, ``6 min``, ``2 h 10 min``; a dash if it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def size(n_bytes: int) -> str:
    """Return a size of data: ``3.4 MB``."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def measured(value: float, error: float) -> str:
    """Return ``152.0 ± 0.7``; only the value where no error is known, a dash where nothing is.

    Errors have two digits up to 35, else one.
    """
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(error) and error > 0):
        return f"{value:.5g}"
    exponent = math.floor(math.log10(error))
    digits = max(0, (1 if error < 3.5 * 10.0**exponent else 0) - exponent)
    return f"{value:,.{digits}f} ± {error:,.{digits}f}"


def short_path(path: Path) -> str:
    """Return a path with ``~`` for the user's home."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)
