"""Neighbour lists that last for many steps: they reach farther than the cutoff, by a skin, and are made anew only when an
atom could have crossed it (L. Verlet, Phys. Rev. 159, 98 (1967), doi:10.1103/PhysRev.159.98).

When a list is safe. Let it hold all pairs closer than R = cutoff + skin for positions x⁰ and lattice vectors A⁰ (rows), and let
A = A⁰ F be the lattice now. Every atom is then at x_i = x⁰_i F + u_i, and the displacement of any pair and image is
d = d⁰ F + u_j - u_i, so that

    |d| ≥ σ_min(F) |d⁰| - |u_i| - |u_j|

with the smallest singular value of F. A pair that is not in the list has |d⁰| ≥ R; none of them is within the cutoff while
σ_min(F) R - (the two largest |u|) ≥ cutoff. This holds for any change of the cell, also where fewer than three directions
repeat: F = 1 + P⁺(A - A⁰), with the pseudo-inverse P⁺ of the vectors along which the structure repeats, is one of the
matrices with A⁰ F = A. Atoms that were moved by whole lattice vectors keep their list: its shifts change instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.data.neighbours import FARTHEST, neighbour_list
from nequip_openmm.errors import StructureError

__all__ = ["PairList", "VerletLists", "concatenate"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

ROUNDING = 1e-6
"""Å; positions 1e7 Å from the origin, the farthest allowed, are subtracted with an error of 1e-8 Å."""

SPARE_LISTS = 64
"""Most lists kept besides those in use: the structures may come in another order, or one by one."""

SPARE_PAIRS = 2_000_000
"""Most pairs in them, 16 bytes each."""


class PairList(NamedTuple):
    """Directed pairs, each in both directions, ordered by centre, neighbour and shift.

    Attributes
    ----------
    first
        (N + 1,) int32; the pairs of centre i are ``first[i]`` to ``first[i + 1]``, the last excluded.
    second
        (E,) int32 neighbour of every pair.
    shifts
        (E, 3) int32 whole lattice vectors: r = positions[second] - positions[centre] + shift @ cell.
    """

    first: IndexArray
    second: IndexArray
    shifts: IndexArray

    @classmethod
    def from_edges(cls, edge_index: ArrayLike, shifts: ArrayLike, n_atoms: int) -> PairList:
        """Return the pairs of a (2, E) edge index, which is ordered by centre, of ``n_atoms`` atoms.

        Raises
        ------
        StructureError
            If a shift does not fit 32 bits.
        """
        edges = np.asarray(edge_index)
        return cls(
            first=np.searchsorted(edges[0], np.arange(n_atoms + 1)).astype(np.int32),
            second=edges[1].astype(np.int32),
            shifts=_narrow(np.asarray(shifts)),
        )

    @property
    def centres(self) -> IndexArray:
        """(E,) int32 centre of every pair."""
        return np.repeat(np.arange(len(self.first) - 1, dtype=np.int32), np.diff(self.first))

    def of_atoms(self, begin: int, end: int) -> PairList:
        """Return the pairs of some consecutive atoms, counted from the first of these, which hold all their neighbours."""
        here = slice(self.first[begin], self.first[end])
        return PairList(
            self.first[begin : end + 1] - self.first[begin],
            self.second[here] - np.int32(begin),
            self.shifts[here],
        )


def concatenate(lists: Sequence[PairList]) -> PairList:
    """Return the pairs of several structures as those of one."""
    if len(lists) == 1:
        return lists[0]
    atoms = np.cumsum([0] + [len(pairs.first) - 1 for pairs in lists])
    edges = np.cumsum([0] + [len(pairs.second) for pairs in lists])
    firsts = [pairs.first[:-1] + e for pairs, e in zip(lists, edges)]
    seconds = [pairs.second + a for pairs, a in zip(lists, atoms)]
    return PairList(
        np.concatenate([*firsts, edges[-1:]]).astype(np.int32),
        np.concatenate([np.zeros(0, dtype=np.int32), *seconds]).astype(np.int32),
        np.concatenate([np.zeros((0, 3), dtype=np.int32), *(pairs.shifts for pairs in lists)]),
    )


class _Origin(NamedTuple):
    """What lists were made for; arrays have a leading dimension where there are several."""

    positions: FloatArray  # (..., N, 3)
    vectors: FloatArray  # (..., K, 3), those along which the structure repeats
    inverse: FloatArray  # (..., 3, K), their pseudo-inverse


class _List(NamedTuple):
    origin: _Origin
    pairs: PairList
    nearest: float  # Å, the smallest distance of a pair


class VerletLists:
    """Neighbour lists of structures that hold the same atoms, such as the steps of a simulation or the beads of a path.

    Not to be used by two threads at once.

    Parameters
    ----------
    pbc
        Whether the structures repeat along each lattice vector.
    cutoff
        In Å. Lists hold every pair closer than this, and others up to ``cutoff + skin``.
    skin
        In Å; 0 makes lists anew every time.

    Attributes
    ----------
    nearest
        (n,) lower bound in Å of the distances between atoms in the structures that came last.
    n_built
        Number of lists made so far.
    """

    def __init__(self, pbc: ArrayLike, cutoff: float, skin: float = 0.5) -> None:
        if not (np.isfinite(skin) and skin >= 0.0):
            raise StructureError(f"skin must be zero or a positive number of Å, got {skin}")
        self.pbc = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)).copy()
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        self.nearest: FloatArray = np.zeros(0)
        self.n_built = 0
        self._lists: list[_List] = []  # of the structures that came last
        self._spare: list[_List] = []  # last used first
        self._origins: _Origin | None = None  # of self._lists
        self._pairs = concatenate([])

    def pairs(self, positions: FloatArray, cells: FloatArray) -> PairList:
        """Return the pairs of n structures, one after the other: atom i of structure k has the number k N + i.

        The same object comes back while nothing has to be changed.

        Parameters
        ----------
        positions
            (n, N, 3) in Å; atoms may lie anywhere, also far outside the cell.
        cells
            (n, 3, 3) lattice vectors as rows in Å.

        Raises
        ------
        StructureError
            As `nequip_openmm.data.neighbours.neighbour_list` does, with the number of the structure if there are several.
        """
        vectors = cells[:, self.pbc]
        if self._origins is not None and self._origins.positions.shape == positions.shape:
            stretch, moved, _ = _changes(positions, vectors, self._origins)
            if bool((self._room(stretch, moved) >= 0.0).all()):  # not so for NaN
                self._note_nearest(stretch, moved)
                return self._pairs
        self._choose(positions, vectors, cells)
        return self._pairs

    def _choose(self, positions: FloatArray, vectors: FloatArray, cells: FloatArray) -> None:
        """Find or make a list for every structure."""
        known = self._of_size(positions.shape[1])
        chosen = []
        for k, (x, a) in enumerate(zip(positions, vectors)):
            usable = self._fitting(known, x, a) if known else None
            chosen.append(usable or self._build(x, cells[k], f"structure {k}: " * (len(cells) > 1)))
        self._lists = chosen
        used = {id(item) for item in chosen}
        self._spare = _limited([item for item in known if id(item) not in used])
        self._pairs = concatenate([item.pairs for item in chosen])
        self._origins = _stacked(chosen) if chosen else None
        if self._origins is not None:
            self._note_nearest(*_changes(positions, vectors, self._origins)[:2])

    def _of_size(self, n_atoms: int) -> list[_List]:
        """Return the lists there are, without repetition."""
        lists = {id(item): item for item in (*self._lists, *self._spare)}
        return [item for item in lists.values() if len(item.origin.positions) == n_atoms]

    def _fitting(self, known: list[_List], x: FloatArray, vectors: FloatArray) -> _List | None:
        """Return the list, of those there are, that will last longest, if it lasts for a while."""
        if not (np.abs(x).max(initial=0.0) <= FARTHEST and np.isfinite(vectors).all()):
            return None
        wrap = _inverse(vectors) if len(vectors) else None
        stretch, moved, whole = _changes(x, vectors, _stacked(known), wrap)
        room = self._room(stretch, moved)
        best = int(np.argmax(room))
        if room[best] < 0.25 * self.skin or room[best] < 0.0:
            return None
        if whole is None or not whole[best].any():
            return known[best]
        return _wrapped(known[best], whole[best], self.pbc)

    def _build(self, x: FloatArray, cell: FloatArray, where: str) -> _List:
        try:
            edges, shifts = neighbour_list(x, cell, self.pbc, self.cutoff + self.skin)
            pairs = PairList.from_edges(edges, shifts, len(x))
        except StructureError as error:
            raise StructureError(f"{where}{error}") from error
        self.n_built += 1
        vectors = cell[self.pbc]
        r = x[edges[1]] - x[edges[0]] + shifts[:, self.pbc] @ vectors
        nearest = float(np.sqrt((r**2).sum(axis=1).min())) if len(r) else np.inf
        return _List(_Origin(x.copy(), vectors.copy(), _inverse(vectors)), pairs, nearest)

    def _room(self, stretch: FloatArray, moved: FloatArray) -> FloatArray:
        """Return by how many Å the nearest pair that may be missing is certainly beyond the cutoff."""
        return stretch * (self.cutoff + self.skin) - moved - (self.cutoff + ROUNDING)

    def _note_nearest(self, stretch: FloatArray, moved: FloatArray) -> None:
        self.nearest = stretch * np.array([item.nearest for item in self._lists]) - moved


def _changes(
    x: FloatArray, vectors: FloatArray, origin: _Origin, wrap: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Return σ_min(F) (...,), the sum of the two largest |u| (...,), and whole lattice vectors taken out of u.

    ``wrap`` is the pseudo-inverse (3, K) of ``vectors``; None takes nothing out.
    """
    stretch: FloatArray = np.ones(origin.positions.shape[:-2])
    u = x - origin.positions
    change = vectors - origin.vectors
    if change.any():
        strain = origin.inverse @ change  # F - 1
        u -= origin.positions @ strain
        if np.isfinite(strain).all():
            singular = np.linalg.svd(np.eye(3) + strain, compute_uv=False)
            stretch = singular[..., -1].astype(np.float64)
        else:
            stretch = np.full_like(stretch, np.nan)
    whole = None
    if wrap is not None:
        whole = np.rint(u @ wrap)
        u -= whole @ vectors
    return stretch, _two_largest(u), whole


def _two_largest(u: FloatArray) -> FloatArray:
    """Return the sum of the lengths of the two longest vectors (..., N, 3) of N; an atom alone sees only itself."""
    lengths = np.sqrt(np.einsum("...i,...i->...", u, u))
    if lengths.shape[-1] < 2:
        return 0.0 * lengths.sum(axis=-1)  # NaN stays NaN
    largest: FloatArray = np.partition(lengths, -2, axis=-1)[..., -2:].sum(axis=-1)
    return largest


def _wrapped(item: _List, whole: FloatArray, pbc: NDArray[np.bool_]) -> _List:
    """Return the list for atoms that were moved by whole lattice vectors (N, K)."""
    moves = np.zeros((len(whole), 3), dtype=np.int64)
    moves[:, pbc] = whole.astype(np.int64)
    shifts = item.pairs.shifts + moves[item.pairs.centres] - moves[item.pairs.second]
    origin = item.origin
    positions = origin.positions + whole @ origin.vectors
    pairs = PairList(item.pairs.first, item.pairs.second, _narrow(shifts))
    return _List(_Origin(positions, origin.vectors, origin.inverse), pairs, item.nearest)


def _narrow(shifts: NDArray[np.int64]) -> IndexArray:
    """Return shifts as int32; raises `StructureError` if one does not fit."""
    if shifts.size and np.abs(shifts).max() >= 2**31:
        raise StructureError(
            "atoms lie more than 2e9 lattice vectors from their neighbours; wrap them into the cell"
        )
    return np.ascontiguousarray(shifts, dtype=np.int32)


def _inverse(vectors: FloatArray) -> FloatArray:
    return np.linalg.pinv(vectors).astype(np.float64) if len(vectors) else np.zeros((3, 0))


def _stacked(lists: Sequence[_List]) -> _Origin:
    parts = zip(*(item.origin for item in lists))
    return _Origin(*(np.stack(part) for part in parts))


def _limited(lists: list[_List]) -> list[_List]:
    """Return the first of some lists, as many as may be kept."""
    sizes = np.cumsum([len(item.pairs.second) for item in lists])
    return lists[: min(SPARE_LISTS, int(np.searchsorted(sizes, SPARE_PAIRS, side="right")))]
