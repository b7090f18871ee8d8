"""One pass over the geometry of a data set: neighbours and closest contacts of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.frame import Frame
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.data.statistics import sample_frames
from nequip_openmm.errors import StructureError

__all__ = ["GeometryScan", "scan_geometry"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_FRAMES = 10_000
MIN_FRAMES = 3
MAX_PAIRS = 1e7  # in all frames together: some seconds


@dataclass(frozen=True, eq=False)
class GeometryScan:
    """What was found in the S frames looked at.

    Attributes
    ----------
    frames
        (S,) which frames; those without a neighbour list are not among them.
    counts
        Number of neighbours of every atom, one frame after the other.
    lonely
        (S,) number of atoms without a neighbour.
    closest
        (S,) smallest distance in Å; infinite where there is no pair.
    closest_ratio
        (S,) smallest distance over sum of covalent radii.
    closest_pair
        (S, 2) the atoms of that ratio.
    nearest
        Distance in Å of every atom's nearest neighbour, in the order of ``counts``; infinite where there is none within the cutoff.
    nearest_ratios
        Distance over sum of covalent radii of every atom's relatively nearest neighbour.
    unusable
        Frame -> why it has no neighbour list.
    sampled
        Whether frames were left out because there are many.
    """

    frames: IntArray
    counts: IntArray
    lonely: IntArray
    closest: FloatArray
    closest_ratio: FloatArray
    closest_pair: IntArray
    nearest: FloatArray
    nearest_ratios: FloatArray
    unusable: dict[int, str]
    sampled: bool


def scan_geometry(
    dataset: Dataset,
    cutoff: float,
    *,
    max_frames: int = MAX_FRAMES,
    seed: int = 0,
    progress: bool = False,
) -> GeometryScan:
    """Look at every frame, or at ``max_frames`` drawn at random, with pairs within ``cutoff`` (Å)."""
    chosen = sample_frames(len(dataset), min(max_frames, _affordable(dataset, cutoff)), seed)
    found: list[_FrameScan] = []
    frames: list[int] = []
    unusable: dict[int, str] = {}
    with progress_bar("looking at neighbours", len(chosen), progress) as at:
        for done, i in enumerate(chosen):
            try:
                found.append(_scan(dataset[i], cutoff))
                frames.append(int(i))
            except StructureError as error:
                unusable[int(i)] = str(error)
            at(done)
    return GeometryScan(
        frames=np.array(frames, dtype=np.int64),
        counts=_joined([scan.counts for scan in found], np.int64),
        lonely=np.array([(scan.counts == 0).sum() for scan in found], dtype=np.int64),
        closest=np.array([scan.closest for scan in found], dtype=np.float64),
        closest_ratio=np.array([scan.closest_ratio for scan in found], dtype=np.float64),
        closest_pair=np.array([scan.pair for scan in found], dtype=np.int64).reshape(-1, 2),
        nearest=_joined([scan.nearest for scan in found], np.float64),
        nearest_ratios=_joined([scan.ratios for scan in found], np.float64),
        unusable=unusable,
        sampled=len(chosen) < len(dataset),
    )


def _affordable(dataset: Dataset, cutoff: float) -> int:
    """Return in how many frames the expected number of pairs stays within `MAX_PAIRS`.

    Matters where a file in nm is read as Å: then thousands of images lie within the cutoff.
    """
    n = dataset.n_atoms.astype(np.float64)
    sphere = 4.0 / 3.0 * np.pi * cutoff**3
    volume = np.abs(np.linalg.det(np.nan_to_num(dataset.cells)))
    periodic = dataset.pbc.all(axis=1) & (volume > 0.0)
    pairs = n**2 * np.where(periodic, sphere / np.where(periodic, volume, 1.0), 1.0)
    usable = pairs[np.isfinite(pairs)]
    return max(MIN_FRAMES, int(MAX_PAIRS / usable.mean())) if len(usable) else MIN_FRAMES


@dataclass(frozen=True, eq=False)
class _FrameScan:
    """The same for one frame."""

    counts: IntArray
    nearest: FloatArray
    ratios: FloatArray
    closest: float = np.inf
    closest_ratio: float = np.inf
    pair: tuple[int, int] = (0, 0)


def _scan(frame: Frame, cutoff: float) -> _FrameScan:
    (i, j), shifts = neighbour_list(frame.positions, frame.cell, frame.pbc, cutoff)
    counts = np.bincount(i, minlength=len(frame))
    if len(i) == 0:
        return _FrameScan(counts, np.full(len(frame), np.inf), np.zeros(0))
    cell = np.where(frame.pbc[:, None], frame.cell, 0.0)
    vectors = frame.positions[j] - frame.positions[i] + shifts @ cell
    distances = np.sqrt(np.einsum("ek,ek->e", vectors, vectors))
    radii = covalent_radii[frame.numbers]
    ratios = distances / (radii[i] + radii[j])
    least = int(ratios.argmin())
    first_of_centre = np.flatnonzero(np.diff(i, prepend=-1))
    nearest = np.full(len(frame), np.inf)
    nearest[i[first_of_centre]] = np.minimum.reduceat(distances, first_of_centre)
    return _FrameScan(
        counts=counts,
        nearest=nearest,
        ratios=np.minimum.reduceat(ratios, first_of_centre),
        closest=float(distances.min()),
        closest_ratio=float(ratios[least]),
        pair=(int(i[least]), int(j[least])),
    )


def _joined(parts: list[Any], dtype: type) -> Any:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])
