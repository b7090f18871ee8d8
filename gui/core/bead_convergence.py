"""Whether enough beads were taken: kinetic energies of a series of runs, and a verdict in words.

The error of a path integral with P beads falls as 1/P² once P is large enough. Two runs with P and rP beads therefore tell what is
still missing with rP beads: (K_rP - K_P)/(r² - 1).

Source: M. Suzuki, Commun. Math. Phys. 51, 183 (1976), doi:10.1007/BF01609348 (order of the splitting).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ipi_driver.inputs.beads import TOLERANCE
from nequip_openmm.analysis.statistics import Mean

__all__ = ["MEV", "Outcome", "Point", "Verdict", "judge"]

MEV = 1000.0  # in one eV


@dataclass(frozen=True)
class Point:
    """One run of a series.

    Attributes
    ----------
    beads
        Its number of beads.
    kinetic
        Centroid-virial kinetic energy of an atom by element, eV.
    """

    beads: int
    kinetic: Mapping[str, Mean]


class Outcome(Enum):
    """What a series says."""

    TOO_FEW = "Too few runs"
    TOO_NOISY = "Cannot tell yet"
    NOT_CONVERGED = "Not converged"
    CONVERGED = "Converged"


@dataclass(frozen=True)
class Verdict:
    """What a series says, and what to do.

    Attributes
    ----------
    outcome
        In a word.
    text
        In a sentence or two.
    beads
        The number of beads to take; None if that cannot be said.
    """

    outcome: Outcome
    text: str
    beads: int | None = None


def judge(points: Sequence[Point], tolerance: float = TOLERANCE) -> Verdict:
    """Return the verdict on a series; the element that is furthest from convergence decides.

    Parameters
    ----------
    tolerance
        Relative error of the kinetic energy that is allowed; that of the suggested number of beads.
    """
    points = sorted((point for point in points if point.kinetic), key=lambda point: point.beads)
    if len(points) < 2:
        return Verdict(Outcome.TOO_FEW, "Two runs or more with different beads are needed.")
    coarse, fine = points[-2:]
    missing = {
        element: _missing(coarse, fine, element)
        for element in fine.kinetic
        if element in coarse.kinetic
    }
    worst = max(missing, key=lambda element: missing[element][0] + missing[element][1])
    return _verdict(coarse, fine, worst, *missing[worst], tolerance)


def _missing(coarse: Point, fine: Point, element: str) -> tuple[float, float]:
    """Return what is still missing of an element's kinetic energy with the finer run, relative, and twice its error."""
    a, b = coarse.kinetic[element], fine.kinetic[element]
    ratio = fine.beads / coarse.beads
    scale = 1.0 / ((ratio**2 - 1.0) * abs(b.value))
    error = math.hypot(a.error, b.error)
    return abs(b.value - a.value) * scale, 2.0 * error * scale if math.isfinite(error) else math.inf


def _verdict(
    coarse: Point, fine: Point, element: str, missing: float, margin: float, tolerance: float
) -> Verdict:
    a, b = coarse.kinetic[element], fine.kinetic[element]
    change = (b.value - a.value) * MEV
    error = math.hypot(a.error, b.error) * MEV
    step = f"From {coarse.beads} to {fine.beads} beads the kinetic energy of {element} changes by {change:.1f} ± {error:.1f} meV"
    if missing + margin <= tolerance:
        text = f"{step}: with {fine.beads} beads it is within {tolerance:.0%}. Take {fine.beads} beads."
        return Verdict(Outcome.CONVERGED, text, fine.beads)
    if missing - margin <= tolerance:
        text = f"{step}, and the statistical error hides whether that is enough. Run longer."
        return Verdict(Outcome.TOO_NOISY, text)
    needed = _even(fine.beads * math.sqrt(missing / tolerance))
    text = f"{step}: about {missing:.0%} is still missing. Try {needed} beads."
    return Verdict(Outcome.NOT_CONVERGED, text, needed)


def _even(beads: float) -> int:
    return 2 * math.ceil(beads / 2.0)
