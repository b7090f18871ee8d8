"""Neighbour lists: which atoms, and which of their periodic images, lie within a cutoff of which.

Conventions, used everywhere in the package: pairs are directed and each appears in both directions; the displacement of
pair (i, j) is ``r_ij = positions[j] - positions[i] + shift @ cell`` with lattice vectors as rows; an atom is never its own
neighbour at zero shift but may be at another one, which is how cells smaller than the cutoff work.

The search is done by vesin, or by matscipy where vesin is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.errors import BackendError, StructureError

__all__ = ["MAX_PAIRS", "neighbour_list"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Search = Callable[[FloatArray, FloatArray, NDArray[np.bool_], float], tuple[IntArray, IntArray]]

MAX_PAIRS = 200_000_000
"""Expected number of pairs above which a cutoff is refused: their indices alone would take 8 GB."""

FARTHEST = 1e7
"""Coordinate in Å beyond which differences of float64 positions are no longer exact to 1e-8 Å."""


def neighbour_list(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float
) -> tuple[IntArray, IntArray]:
    """Return all directed pairs closer than ``cutoff``.

    Parameters
    ----------
    positions
        (N, 3) in Å; atoms may lie anywhere, also far outside the cell.
    cell
        (3, 3) lattice vectors as rows in Å, of any shape and handedness; vectors along which the structure does not repeat
        are ignored and may be zero.
    pbc
        Whether the structure repeats along each lattice vector.
    cutoff
        In Å.

    Returns
    -------
    edge_index
        (2, E); row 0 the centres i, row 1 the neighbours j; pairs are in the order of i, then j, then shift.
    shifts
        (E, 3) whole numbers of lattice vectors, zero along directions that do not repeat.

    Raises
    ------
    StructureError
        For a position that is not finite or very far away, a cutoff that is not positive or absurdly large, a periodic direction without a
        lattice vector of its own.
    """
    points = np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3)
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    if not (np.isfinite(cutoff) and cutoff > 0.0):
        raise StructureError(f"cutoff must be a positive number of Å, got {cutoff}")
    _check_positions(points)
    if len(points) == 0 or (len(points) == 1 and not periodic.any()):
        return np.zeros((2, 0), dtype=np.int64), np.zeros((0, 3), dtype=np.int64)
    box = complete_cell(np.asarray(cell, dtype=np.float64), periodic, points)
    _check_pair_count(points, box, periodic, cutoff)
    if not periodic.all():
        points, box = _close_gaps(points, box, periodic, cutoff)
    return _in_order(*_search()(points, box, periodic, float(cutoff)))


def complete_cell(cell: FloatArray, pbc: NDArray[np.bool_], points: FloatArray) -> FloatArray:
    """Replace the vectors along which nothing repeats by ones orthogonal to the others that span all atoms.

    Shifts along them are zero, so displacements do not depend on the choice; the search needs a cell with a volume.

    Raises
    ------
    StructureError
        If the periodic vectors are zero, not finite or linearly dependent.
    """
    vectors = cell[pbc]
    lengths = np.linalg.norm(vectors, axis=1)
    directions = vectors / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    singular = np.linalg.svd(directions, compute_uv=False) if np.isfinite(vectors).all() else [0.0]
    if len(vectors) and min(singular) < 1e-6:
        raise StructureError(
            f"periodic along {_axes(pbc)}, but the lattice vectors {cell.tolist()} are zero, not finite or linearly "
            "dependent; give the cell, or switch periodicity off"
        )
    if pbc.all():
        return np.ascontiguousarray(cell)
    completed = cell.copy()
    completed[~pbc] = _span(_complement(directions), points)
    return completed


def _complement(directions: FloatArray) -> FloatArray:
    """Return the orthonormal rows orthogonal to all of ``directions`` (K, 3), K < 3."""
    if len(directions) == 0:
        return np.eye(3)
    return np.linalg.svd(directions, full_matrices=True)[2][len(directions) :]


def _span(normals: FloatArray, points: FloatArray) -> FloatArray:
    """Return ``normals`` scaled to the extent of the atoms along each, and a little more."""
    return normals * (np.ptp(points @ normals.T, axis=0) + 1.0)[:, None]


def _close_gaps(
    points: FloatArray, box: FloatArray, pbc: NDArray[np.bool_], cutoff: float
) -> tuple[FloatArray, FloatArray]:
    """Shorten empty space wider than the cutoff along directions that do not repeat.

    No pair spans such a gap, so the pairs stay the same. An atom that has flown off a surface would otherwise stretch the
    search grid until vesin 0.6 runs out of time or ends the process with a division by zero.
    """
    lengths = np.linalg.norm(box, axis=1)
    box = box.copy()
    for axis in np.flatnonzero(~pbc & (lengths > 100.0 * cutoff)):
        normal = box[axis] / lengths[axis]
        height = points @ normal
        order = np.argsort(height)
        excess = np.maximum(np.diff(height[order], prepend=height[order[0]]) - 2.0 * cutoff, 0.0)
        lowered = np.empty_like(height)
        lowered[order] = np.cumsum(excess)
        points = points - lowered[:, None] * normal
        box[axis] = normal * (lengths[axis] - lowered.max())
    return points, box


def _axes(pbc: NDArray[np.bool_]) -> str:
    return ", ".join(name for name, repeats in zip("abc", pbc) if repeats)


def _check_positions(points: FloatArray) -> None:
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise StructureError(f"position of atom {bad[0]} is not finite ({len(bad)} such atoms)")
    far = np.flatnonzero((np.abs(points) > FARTHEST).any(axis=1))
    if len(far):
        raise StructureError(
            f"atom {far[0]} lies more than {FARTHEST:g} Å from the origin ({len(far)} such atoms); "
            "has the simulation blown up, or are positions in another unit than Å?"
        )


def _check_pair_count(
    points: FloatArray, box: FloatArray, pbc: NDArray[np.bool_], cutoff: float
) -> None:
    """Refuse a cutoff whose pairs could not be held, from the mean density of images."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)  # between opposite faces
    images = 2.0 * cutoff / heights
    within_sphere = np.pi / 6.0 * np.prod(np.where(pbc, images, np.minimum(images, 1.0)))
    expected = len(points) ** 2 * within_sphere
    if expected > MAX_PAIRS:
        raise StructureError(
            f"a cutoff of {cutoff:g} Å gives about {expected:.1e} pairs for {len(points)} atoms; "
            "is the cutoff or the cell in another unit than Å?"
        )


def _in_order(edge_index: IntArray, shifts: IntArray) -> tuple[IntArray, IntArray]:
    """Sort pairs by centre, neighbour and shift.

    Sums over pairs in float32 depend on their order; with one order the numbers do not depend on the search.
    """
    if len(shifts) == 0:
        return edge_index, shifts
    columns = [*edge_index, *shifts.T]  # most significant first
    lowest = [int(column.min()) for column in columns]
    sizes = [int(column.max()) - least + 1 for column, least in zip(columns, lowest)]
    if math.prod(sizes) < 2**62:
        key = np.zeros(len(shifts), dtype=np.int64)
        for column, least, size in zip(columns, lowest, sizes):
            key = key * size + (column - least)
        order = np.argsort(key, kind="stable")
    else:  # atoms so far outside the cell that one number per pair would overflow
        order = np.lexsort(columns[::-1])
    return np.ascontiguousarray(edge_index[:, order]), np.ascontiguousarray(shifts[order])


def _search() -> Search:
    try:
        import vesin  # noqa: F401
    except ImportError:
        return _search_matscipy
    return _search_vesin


def _search_vesin(
    points: FloatArray, box: FloatArray, pbc: NDArray[np.bool_], cutoff: float
) -> tuple[IntArray, IntArray]:
    from vesin import NeighborList

    # one thread: the order of pairs, hence the last bits of a sum over them, must not vary between runs
    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    pairs, shifts = search.compute(points, box, pbc, quantities="PS", copy=True)
    return np.ascontiguousarray(pairs.T, dtype=np.int64), shifts.astype(np.int64)


def _search_matscipy(
    points: FloatArray, box: FloatArray, pbc: NDArray[np.bool_], cutoff: float
) -> tuple[IntArray, IntArray]:
    try:
        from matscipy.neighbours import neighbour_list as search
    except ImportError as error:
        raise BackendError("neighbour lists need vesin (or matscipy): pip install vesin") from error
    i, j, shifts = search("ijS", positions=points, cell=box, pbc=pbc, cutoff=cutoff)
    return np.stack([i, j]).astype(np.int64), shifts.astype(np.int64)
