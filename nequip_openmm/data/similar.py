"""Frames that resemble each other: duplicates, and close pairs whose energies can be compared with their forces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset

__all__ = ["close_pairs", "groups_of_equal_atoms", "same_structures"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_LAG = 2000  # neighbours in projection that are compared
MOST_PAIRS = 20  # per frame; where frames repeat more often, a part of the pairs tells enough


def groups_of_equal_atoms(dataset: Dataset, *, same_cell: bool = False) -> list[IntArray]:
    """Return frames with the same elements in the same order (and the same cell to 1e-3 Å), largest groups first."""
    groups: dict[tuple[bytes, ...], list[int]] = defaultdict(list)
    for i in range(len(dataset)):
        atoms = slice(dataset.offsets[i], dataset.offsets[i + 1])
        cell = (
            (np.round(dataset.cells[i], 3) + 0.0).tobytes() if same_cell else b""
        )  # + 0.0: no -0.0
        groups[dataset.numbers[atoms].tobytes(), dataset.pbc[i].tobytes(), cell].append(i)
    return sorted((np.array(group) for group in groups.values()), key=len, reverse=True)


def same_structures(dataset: Dataset, tolerance: float) -> tuple[IntArray, FloatArray]:
    """Return (P, 2) pairs of frames, first < second, whose coordinates and cells agree to ``tolerance`` (Å), and how well.

    A frame moved as a whole counts as the same; one rotated, or with atoms in another order, does not.
    """
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    apart = [np.zeros(0)]
    for group in groups_of_equal_atoms(dataset):
        if len(group) > 1:
            rows, largest = _same_rows(_features(dataset, group), tolerance)
            pairs.append(group[rows])
            apart.append(largest)
    found = np.concatenate(pairs)
    order = np.lexsort(found.T[::-1])
    return found[order], np.concatenate(apart)[order]


def _features(dataset: Dataset, group: IntArray) -> FloatArray:
    """Return (G, 3N + 9) positions from the centre, and the cell."""
    n = int(dataset.n_atoms[group[0]])
    atoms = dataset.offsets[group][:, None] + np.arange(n)
    positions = dataset.positions[atoms]
    centred = positions - positions.mean(axis=1, keepdims=True)
    return np.concatenate(
        [centred.reshape(len(group), -1), dataset.cells[group].reshape(-1, 9)], axis=1
    )


def _same_rows(rows: FloatArray, tolerance: float) -> tuple[IntArray, FloatArray]:
    """Return (P, 2) ascending pairs of rows that agree in every column, and their largest difference.

    Rows are sorted by their projection on one direction; only rows near in this and two more projections can agree.
    """
    heights = _projections(rows)  # (G, 3)
    order = np.argsort(heights[:, 0], kind="stable")
    sorted_heights = heights[order]
    window = tolerance * np.sqrt(rows.shape[1])
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    apart = [np.zeros(0)]
    for lag in range(1, min(MAX_LAG, len(rows) - 1) + 1):
        steps = np.abs(sorted_heights[lag:] - sorted_heights[:-lag])
        if steps[:, 0].min() > window or sum(map(len, pairs)) > MOST_PAIRS * len(rows):
            break
        near = np.flatnonzero((steps <= window).all(axis=1))
        a, b = order[near], order[near + lag]
        largest = np.abs(rows[a] - rows[b]).max(axis=1, initial=0.0)
        same = largest <= tolerance
        pairs.append(np.sort(np.stack([a[same], b[same]], axis=1), axis=1))
        apart.append(largest[same])
    return np.concatenate(pairs), np.concatenate(apart)


def _projections(rows: FloatArray) -> FloatArray:
    """Return (G, 3) components along three orthonormal directions, the same on every machine."""
    rng = np.random.Generator(np.random.PCG64(0))
    directions, _ = np.linalg.qr(rng.normal(size=(rows.shape[1], 3)))
    return np.asarray(rows @ directions)


def close_pairs(
    dataset: Dataset, most_frames: int, farthest: float
) -> Iterator[tuple[int, int, FloatArray, FloatArray]]:
    """Yield frames and their most similar ones: (i, j, displacement (N, 3) from i to j, rotation (3, 3) of j onto i).

    Molecules are superposed (W. Kabsch, Acta Cryst. A 34, 827 (1978), doi:10.1107/S0567739478001680), periodic frames of the
    same cell compared by nearest images.

    Parameters
    ----------
    dataset
        Frames with finite positions.
    most_frames
        Frames of a group that are compared with each other.
    farthest
        Root mean square displacement in Å above which a pair is left out.
    """
    for group in groups_of_equal_atoms(dataset, same_cell=True):
        n = int(dataset.n_atoms[group[0]])
        if len(group) < 2 or n < 2:
            continue
        chosen = group[np.linspace(0, len(group) - 1, min(len(group), most_frames)).astype(int)]
        positions = dataset.positions[dataset.offsets[chosen][:, None] + np.arange(n)]
        cell = np.where(dataset.pbc[group[0]][:, None], dataset.cells[group[0]], 0.0)
        yield from _closest_in(chosen, positions, cell, farthest)


def _closest_in(
    frames: IntArray, positions: FloatArray, cell: FloatArray, farthest: float
) -> Iterator[tuple[int, int, FloatArray, FloatArray]]:
    for a in range(len(frames) - 1):
        moves, rotations = _displacements(positions[a], positions[a + 1 :], cell)
        rms = np.sqrt((moves**2).sum(axis=2).mean(axis=1))
        best = int(rms.argmin())
        if rms[best] <= farthest:
            yield int(frames[a]), int(frames[a + 1 + best]), moves[best], rotations[best]


def _displacements(
    reference: FloatArray, others: FloatArray, cell: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return displacements (M, N, 3) from ``reference`` to ``others`` and the rotations (M, 3, 3) applied to them."""
    if not cell.any():
        target = reference - reference.mean(axis=0)
        moved = others - others.mean(axis=1, keepdims=True)
        rotations = _rotations(moved, target)
        return moved @ rotations - target, rotations
    inverse = np.linalg.pinv(cell)
    moves = others - reference
    moves = moves - np.round(moves @ inverse) @ cell
    return moves, np.broadcast_to(np.eye(3), (len(others), 3, 3))


def _rotations(moved: FloatArray, target: FloatArray) -> FloatArray:
    """Return (M, 3, 3) proper rotations R that bring ``moved @ R`` nearest to ``target``."""
    u, _, vt = np.linalg.svd(np.einsum("mni,nj->mij", moved, target))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)
