"""The vertical axis: plain numbers, also where it is logarithmic."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

__all__ = ["ValueAxis"]

DECADES_WITH_STEPS = 2.5  # wider than that, powers of ten alone are marked
STEPS = (1, 2, 5)


class ValueAxis(pg.AxisItem):
    """Ticks of a logarithmic axis stand at 1, 2, 5, 10, ... and are written as numbers, not as powers."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Return where ticks are; on a logarithmic axis as exponents of ten."""
        if not self.logMode:
            return super().tickValues(low, high, size)
        low, high = min(low, high), max(low, high)
        steps = STEPS if high - low < DECADES_WITH_STEPS else STEPS[:1]
        every = max(1, round((high - low) / 8))
        decades = range(int(np.floor(low)), int(np.ceil(high)) + 1, every)
        ticks = [d + float(np.log10(s)) for d in decades for s in steps]
        kept = [tick for tick in ticks if low <= tick <= high]
        if len(kept) < 2:  # less than an octave: as on any other axis
            values = np.linspace(10**low, 10**high, 5)[1:-1]
            kept = [float(np.log10(_round(value))) for value in values]
        return [(1.0, kept)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the words at the ticks."""
        if not self.logMode:
            return super().tickStrings(values, scale, spacing)
        return [_written(10**value) for value in values]


def _round(value: float) -> float:
    """Return a number with two digits."""
    digits = 1 - int(np.floor(np.log10(value)))
    return round(value, digits)


def _written(value: float) -> str:
    return f"{value:.3g}" if 1e-3 <= value < 1e5 else f"{value:.0e}"
