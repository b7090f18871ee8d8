"""A potential for structures that always hold the same atoms: what simulations call at every step."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.data.soundness import MIN_DISTANCE
from nequip_openmm.data.verlet import PairList, VerletLists
from nequip_openmm.engines import Chosen
from nequip_openmm.errors import RunFailed, StructureError

__all__ = ["Evaluated", "Evaluator", "refuse_non_finite", "refuse_overlap", "totals"]

FloatArray = NDArray[np.float64]


class Evaluated(NamedTuple):
    """Energies and derivatives, float64; ``...`` is nothing for one structure and n for n structures.

    Attributes
    ----------
    energy
        (...) total energy in eV.
    forces
        (..., N, 3) -dE/dr in eV/Å.
    virial
        (..., 3, 3) symmetric -dE/dε in eV.
    energies
        (..., N) energy of every atom in eV.
    """

    energy: FloatArray
    forces: FloatArray
    virial: FloatArray
    energies: FloatArray


class Evaluator:
    """Evaluates one structure or several of the same atoms; made by `Potential.evaluator`.

    Neighbour lists are kept from call to call. Safe to use from several threads, which wait for each other.

    Parameters
    ----------
    chosen
        The engine.
    types
        (N,) index of every atom's element in the model's species.
    symbols
        Chemical symbol of every atom, for messages.
    lists
        Neighbour lists of the model's cutoff.
    """

    def __init__(
        self, chosen: Chosen, types: NDArray[np.int64], symbols: list[str], lists: VerletLists
    ) -> None:
        self._chosen = chosen
        self._types = types
        self._symbols = symbols
        self._lists = lists
        self._lock = threading.Lock()
        self._tiled = types  # of as many structures as came last
        self._graph = np.zeros(len(types), dtype=np.int64)

    @property
    def n_atoms(self) -> int:
        """Number of atoms N of every structure."""
        return len(self._types)

    @property
    def engine(self) -> str:
        """``"fused"`` or ``"reference"``."""
        return self._chosen.name

    def evaluate(self, positions: ArrayLike, cells: ArrayLike | None = None) -> Evaluated:
        """Compute energies, forces and virials.

        Parameters
        ----------
        positions
            (N, 3) or (n, N, 3) in Å; atoms may lie anywhere, also far outside the cell.
        cells
            (3, 3) or (n, 3, 3) lattice vectors as rows in Å; None where nothing repeats.

        Raises
        ------
        StructureError
            For arrays of another shape, coordinates that are not finite, a periodic direction without a lattice vector, atoms
            on top of each other; with the number of the structure, counted from 0, if there are several.
        RunFailed
            If the model gives a result that is not finite.
        """
        x, boxes = self._checked(positions, cells)
        with self._lock:
            pairs = self._lists.pairs(x, boxes)
            self._refuse_overlaps(x, boxes, pairs)
            parts = [self._evaluate(x[k], boxes[k], part) for k, part in self._parts(len(x), pairs)]
        found = parts[0] if len(parts) == 1 else Evaluated(*map(np.concatenate, zip(*parts)))
        refuse_non_finite(found.energy, found.forces, found.virial)
        return Evaluated(*(part[0] for part in found)) if np.ndim(positions) == 2 else found

    def _checked(
        self, positions: ArrayLike, cells: ArrayLike | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return positions (n, N, 3) and cells (n, 3, 3)."""
        x = np.ascontiguousarray(positions, dtype=np.float64)
        if x.ndim not in (2, 3) or x.shape[-2:] != (self.n_atoms, 3):
            raise StructureError(
                f"positions must have shape ({self.n_atoms}, 3) or (n, {self.n_atoms}, 3), got {x.shape}"
            )
        x = x.reshape(-1, self.n_atoms, 3)
        if cells is None:
            if self._lists.pbc.any():
                raise StructureError("the structure repeats: give its cell")
            return x, np.zeros((len(x), 3, 3))
        boxes = np.asarray(cells, dtype=np.float64)
        if boxes.shape not in ((3, 3), (len(x), 3, 3)):
            raise StructureError(
                f"cells must have shape (3, 3) or ({len(x)}, 3, 3), got {boxes.shape}"
            )
        if not self._lists.pbc.all():  # vectors that do not repeat may be anything
            boxes = np.where(self._lists.pbc[:, None], boxes, 0.0)
        return x, np.array(np.broadcast_to(boxes, (len(x), 3, 3)))

    def _parts(self, n: int, pairs: PairList) -> Iterator[tuple[slice, PairList]]:
        """Yield as many structures at once as the engine takes, at least one."""
        if len(pairs.second) <= self._chosen.max_edges or n <= 1:
            yield slice(0, n), pairs
            return
        ends = pairs.first[:: self.n_atoms]  # of the pairs of every structure, the first number 0
        begin = 0
        while begin < n:
            fits = np.searchsorted(ends, ends[begin] + self._chosen.max_edges, side="right") - 1
            end = max(begin + 1, int(fits))
            yield slice(begin, end), pairs.of_atoms(begin * self.n_atoms, end * self.n_atoms)
            begin = end

    def _evaluate(self, x: FloatArray, boxes: FloatArray, pairs: PairList) -> Evaluated:
        n, n_atoms = x.shape[:2]
        if len(self._graph) != n * n_atoms:
            self._tiled, self._graph = np.tile(self._types, n), np.repeat(np.arange(n), n_atoms)
        engine = self._chosen.engine
        found = engine.evaluate(x.reshape(-1, 3), self._tiled, boxes, self._graph, pairs)
        return Evaluated(
            energy=totals(found.energies, self._graph, n),
            forces=found.forces.reshape(n, n_atoms, 3),
            virial=found.virial,
            energies=found.energies.reshape(n, n_atoms),
        )

    def _refuse_overlaps(self, x: FloatArray, boxes: FloatArray, pairs: PairList) -> None:
        """Look at distances where the lists cannot exclude that two atoms are on top of each other."""
        nearest = self._lists.nearest
        if nearest.min(initial=np.inf) >= MIN_DISTANCE:
            return
        for k in np.flatnonzero(nearest < MIN_DISTANCE):
            part = pairs.of_atoms(k * self.n_atoms, (k + 1) * self.n_atoms)
            try:
                refuse_overlap(x[k], boxes[k], part, self._symbols)
            except StructureError as error:
                if len(x) == 1:
                    raise
                raise StructureError(f"structure {k}: {error}") from error


def totals(energies: FloatArray, graph: NDArray[np.int64], n: int) -> FloatArray:
    """Return the sum (n,) over the atoms of every structure."""
    return np.bincount(graph, weights=energies, minlength=n).astype(np.float64)


def refuse_overlap(
    positions: FloatArray, cell: FloatArray, pairs: PairList, symbols: list[str]
) -> None:
    """Raise `StructureError` naming the closest two atoms, if they are closer than any two atoms ever are."""
    i, j = pairs.centres, pairs.second
    vectors = positions[j] - positions[i] + pairs.shifts @ cell
    distances = np.linalg.norm(vectors, axis=1)
    nearest = int(distances.argmin()) if len(distances) else 0
    if len(distances) and distances[nearest] < MIN_DISTANCE:
        a, b = int(i[nearest]), int(j[nearest])
        raise StructureError(
            f"atoms {a} ({symbols[a]}) and {b} ({symbols[b]}), counted from 0, are "
            f"{distances[nearest]:.3g} Å apart, less than {MIN_DISTANCE} Å; remove one, or check units and cell"
        )


def refuse_non_finite(*results: FloatArray) -> None:
    """Raise `RunFailed` if a number is not finite."""
    with np.errstate(invalid="ignore"):
        total = sum(part.sum() for part in results)  # infinities of both signs add up to NaN
    if np.isfinite(total):
        return
    raise RunFailed(
        "the model gave an energy, force or virial that is not finite",
        code="non-finite",
        hint="The structure is probably far from all training data; look for atoms that are too close.",
    )
