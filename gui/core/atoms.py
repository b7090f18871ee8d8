"""The atoms that a 3D view shows, made ready to be painted: wrapped, bonded, coloured."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gui.core.bonds import Bonds, find_bonds, moved, wrapped
from gui.core.colour_maps import STEPS, steps_of, viridis
from gui.core.elements import ball_radii, element_colours
from gui.core.scene import Parts, Solid

__all__ = ["Colouring", "Look", "Picture", "Snapshot", "cell_edges", "prepare"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Colouring = Literal["element", "force", "velocity", "value"]

_BEAD, _CENTROID = 0.42, 0.62  # of a ball's usual radius
_LONGEST_ARROW = 1.6  # Å
_BONDS_AT_MOST = 20_000  # atoms; beyond, sticks are not seen anyway


@dataclass(frozen=True)
class Snapshot:
    """Atoms at one moment.

    Attributes
    ----------
    numbers
        (N,) atomic numbers.
    positions
        (N, 3) Å, wrapped or not; of the centroids if there are beads.
    cell
        (3, 3) Å, rows are vectors; zeros where nothing repeats.
    forces, velocities
        (N, 3) eV/Å, any unit; None if not known.
    beads
        (P, N, 3) Å, or None.
    values
        (N,) any quantity to colour by, or None.
    """

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    forces: FloatArray | None = None
    velocities: FloatArray | None = None
    beads: FloatArray | None = None
    values: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def is_periodic(self) -> bool:
        """Whether anything repeats."""
        return bool(np.any(self.cell))

    def quantity(self, colouring: Colouring) -> FloatArray | None:
        """Return the numbers (N,) behind a colouring, None where there are none."""
        if colouring == "value":
            return self.values
        vectors = {"force": self.forces, "velocity": self.velocities}.get(colouring)
        return None if vectors is None else np.asarray(np.linalg.norm(vectors, axis=1))


@dataclass(frozen=True)
class Look:
    """What a person wants to see.

    Attributes
    ----------
    colouring
        By what atoms are coloured; by element where the quantity is not known.
    shows_cell, shows_forces, shows_bonds, shows_beads
        Whether these are painted.
    force_scale
        Å of arrow per eV/Å.
    is_wrapped
        Whether molecules are moved into the cell.
    range
        Of the colours; None for that of the values.
    """

    colouring: Colouring = "element"
    shows_cell: bool = True
    shows_forces: bool = False
    shows_bonds: bool = True
    shows_beads: bool = True
    force_scale: float = 1.0
    is_wrapped: bool = True
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """A snapshot made ready.

    Attributes
    ----------
    parts
        What is to paint.
    palette
        (C, 3) RGB between 0 and 1; the last two are those of the cell's edges and of arrows, which the view may replace.
    range
        Of the coloured quantity, None when coloured by element.
    bonds
        As found, before anything was moved.
    """

    parts: Parts
    palette: FloatArray
    range: tuple[float, float] | None
    bonds: Bonds


def prepare(snapshot: Snapshot, look: Look, bonds: Bonds | None = None) -> Picture:
    """Make a snapshot ready.

    Parameters
    ----------
    bonds
        Those of an earlier, similar snapshot; None to find them.
    """
    if bonds is None:
        is_wanted = look.shows_bonds and len(snapshot) <= _BONDS_AT_MOST
        bonds = (
            find_bonds(snapshot.numbers, snapshot.positions, snapshot.cell)
            if is_wanted
            else Bonds.none()
        )
    shown, move = bonds, np.zeros((len(snapshot), 3), int)
    positions = snapshot.positions
    if look.is_wrapped and snapshot.is_periodic:
        positions, move = wrapped(positions, snapshot.cell, bonds)
        shown = moved(bonds, move)
    colours, palette, limits = _colours(snapshot, look)
    has_beads = snapshot.beads is not None and look.shows_beads
    radii = ball_radii(snapshot.numbers)
    n_colours = len(palette)
    parts = Parts(
        Solid(positions, radii * (_CENTROID if has_beads else 1.0), colours, shown, snapshot.cell),
        _beads(snapshot.beads if has_beads else None, snapshot.cell, radii, colours, move),
        _arrows(snapshot, look, positions, radii),
        cell_edges(snapshot.cell) if look.shows_cell and snapshot.is_periodic else None,
        edge_colour=n_colours,
        arrow_colour=n_colours + 1,
    )
    palette = np.concatenate([palette, [[0.5, 0.5, 0.5], [0.84, 0.37, 0.0]]])
    return Picture(parts, palette, limits, bonds)


def cell_edges(cell: FloatArray) -> FloatArray:
    """Return where the edges of a cell begin and end, (12, 2, 3) Å; fewer where it does not repeat along all its vectors."""
    axes = [k for k in range(3) if np.any(cell[k])]
    edges = []
    for axis in axes:
        others = [k for k in axes if k != axis]
        for corner in itertools.product((0, 1), repeat=len(others)):
            start = sum((c * cell[k] for c, k in zip(corner, others)), np.zeros(3))
            edges.append((start, start + cell[axis]))
    return np.array(edges).reshape(-1, 2, 3)


def _colours(
    snapshot: Snapshot, look: Look
) -> tuple[IntArray, FloatArray, tuple[float, float] | None]:
    """Return the colour of each atom as index into a palette, the palette, and the range it spans."""
    values = snapshot.quantity(look.colouring)
    if values is None:
        kinds, index = np.unique(snapshot.numbers, return_inverse=True)
        return index.ravel(), element_colours(kinds), None
    finite = values[np.isfinite(values)]
    low, high = look.range or ((0.0, 1.0) if not len(finite) else (finite.min(), finite.max()))
    limits = float(low), float(high)
    return steps_of(values, *limits), viridis((np.arange(STEPS) + 0.5) / STEPS), limits


def _beads(
    beads: FloatArray | None, cell: FloatArray, radii: FloatArray, colours: IntArray, move: IntArray
) -> tuple[FloatArray, FloatArray, IntArray] | None:
    if beads is None:
        return None
    places = (beads + move @ cell).reshape(-1, 3)
    return places, np.tile(radii * _BEAD, len(beads)), np.tile(colours, len(beads))


def _arrows(
    snapshot: Snapshot, look: Look, positions: FloatArray, radii: FloatArray
) -> FloatArray | None:
    """Return arrows (A, 2, 3) from the surface of balls; what would be too short to see is left out.

    Where one would be longer than a molecule, all are shorter: their lengths stay comparable.
    """
    if snapshot.forces is None or not look.shows_forces:
        return None
    length = np.linalg.norm(snapshot.forces, axis=1) * look.force_scale
    shrink = min(1.0, _LONGEST_ARROW / max(float(np.nanmax(length, initial=0.0)), 1e-9))
    length = length * shrink
    with np.errstate(invalid="ignore"):
        seen = length > 0.05
    vector = snapshot.forces[seen] * look.force_scale * shrink
    begin = positions[seen] + vector * (0.9 * radii[seen] / length[seen])[:, None]
    return np.stack([begin, begin + vector], axis=1)
