"""Distances between atoms in a path-integral run: of the beads, which are what one would observe, and of the centroids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipi_driver.analysis.frames import Frame, Trajectory
from ipi_driver.analysis.run import Run
from nequip_openmm.analysis.pairs import PairHistogram, largest_radius

__all__ = ["Distributions", "pair_distributions"]

FloatArray = NDArray[np.float64]

BIN = 0.02  # Å
MARGIN = 1.2  # distances are counted to so many times the largest of some frames
FARTHEST = 15.0  # Å


@dataclass(frozen=True)
class Distributions:
    """Curves by pair of elements.

    Attributes
    ----------
    r
        (bins,) Å.
    beads, centroid
        g(r) of a periodic system, else the density of probability in 1/Å; see `PairHistogram`. Empty where there are no frames.
    is_periodic
        Whether it is g(r).
    n_frames
        Frames that were counted.
    """

    r: FloatArray
    beads: dict[tuple[str, str], FloatArray]
    centroid: dict[tuple[str, str], FloatArray]
    is_periodic: bool
    n_frames: int


def pair_distributions(run: Run, max_frames: int = 500) -> Distributions | None:
    """Return the distributions of distances in a run, or None for a single atom or without frames.

    A system counts as periodic if its atoms spread over more than half the cell; a molecule in a large box does not.

    Parameters
    ----------
    max_frames
        At most so many frames are read, evenly spread over what follows the relaxation.
    """
    trajectories = [*run.beads, *([] if run.centroid is None else [run.centroid])]
    steps = _chosen(trajectories, run.skip, max_frames)
    if not steps or len(run.symbols) < 2:
        return None
    first = list(trajectories[0].frames(steps))
    edges, is_periodic = _range(first)
    beads, mean = _of_beads(run, steps, edges, is_periodic)
    centroid = mean if run.centroid is None else list(run.centroid.frames(steps))
    of_centroid = _counted(run.symbols, edges, is_periodic, centroid) if centroid else None
    histogram = beads or of_centroid
    if histogram is None:
        return None
    return Distributions(
        histogram.centres,
        {} if beads is None else beads.distributions(),
        {} if of_centroid is None else of_centroid.distributions(),
        is_periodic,
        len(steps),
    )


def _chosen(trajectories: Sequence[Trajectory], skip: float, max_frames: int) -> list[int]:
    """Return steps that all trajectories have, evenly spread over the end of the run."""
    common = (
        sorted(set.intersection(*(set(one.steps) for one in trajectories))) if trajectories else []
    )
    kept = common[int(skip * len(common)) :]
    if len(kept) <= max_frames:
        return kept
    return [kept[k] for k in np.linspace(0, len(kept) - 1, max_frames).round().astype(int)]


def _range(frames: Sequence[Frame]) -> tuple[FloatArray, bool]:
    """Return the edges of the bins, and whether the system is periodic."""
    some = frames[:: max(1, len(frames) // 10)]
    largest = max(_extent(frame.positions) for frame in some)
    half = largest_radius(frame.cell for frame in frames)
    is_periodic = largest > half
    end = half if is_periodic else min(MARGIN * largest, half, FARTHEST)
    return np.linspace(0.0, end, max(2, round(end / BIN)) + 1), is_periodic


def _extent(positions: FloatArray) -> float:
    """Return the largest distance between two atoms."""
    return float(max(np.linalg.norm(positions - one, axis=1).max() for one in positions))


def _of_beads(
    run: Run, steps: Sequence[int], edges: FloatArray, is_periodic: bool
) -> tuple[PairHistogram | None, list[Frame]]:
    """Return the histogram over all beads, and the centroids where every bead was written."""
    if not run.beads:
        return None, []
    histogram = PairHistogram(run.symbols, edges, is_periodic)
    total = np.zeros((len(steps), len(run.symbols), 3))
    cells: list[FloatArray] = []
    for bead in run.beads:
        cells = []
        for k, frame in enumerate(bead.frames(steps)):
            histogram.add(frame.positions, frame.cell)
            total[k] += frame.positions
            cells.append(frame.cell)
    if len(run.beads) != run.replica.n_beads:
        return histogram, []
    return histogram, [Frame(one, cell) for one, cell in zip(total / len(run.beads), cells)]


def _counted(
    symbols: Sequence[str], edges: FloatArray, is_periodic: bool, frames: Iterable[Frame]
) -> PairHistogram:
    histogram = PairHistogram(symbols, edges, is_periodic)
    for frame in frames:
        histogram.add(frame.positions, frame.cell)
    return histogram
