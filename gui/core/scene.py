"""What is painted of some atoms, from the back to the front: arrays of numbers, nothing of Qt.

Balls hide sticks and sticks balls, by painting what is farther away first. A bond is two half sticks, one in the colour of
either atom. The farther atom's half is painted after its ball, onto which the stick is set; the nearer atom's before its ball.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gui.core.bonds import Bonds
from gui.core.projection import Camera

__all__ = ["LEVELS", "Kind", "Parts", "Primitives", "Solid", "assemble"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVELS = 14  # steps of depth, in which size and haze are the same: few different pictures of balls suffice
STICK = 0.115  # Å, radius of a bond
SHAFT, HEAD = 0.06, 0.32  # Å, radius of an arrow's shaft, length of its head
EDGE_PIECES = 14  # of an edge of the cell, each painted at its depth


class Kind(IntEnum):
    """What a primitive is."""

    BALL = 0
    STICK = 1
    EDGE = 2
    HEAD = 3  # of an arrow


@dataclass(frozen=True)
class Solid:
    """Balls, bonded or not.

    Attributes
    ----------
    positions
        (N, 3) Å.
    radii
        (N,) Å.
    colours
        (N,) index into a palette.
    bonds
        Sticks between them.
    cell
        (3, 3) Å, rows are vectors, for bonds to images.
    """

    positions: FloatArray
    radii: FloatArray
    colours: IntArray
    bonds: Bonds
    cell: FloatArray


@dataclass(frozen=True)
class Parts:
    """All there is to paint.

    Attributes
    ----------
    atoms
        Balls and sticks.
    beads
        (M, 3) Å positions of balls without sticks, with their radii (M,) Å and colours (M,).
    arrows
        (A, 2, 3) Å, where arrows begin and end.
    edges
        (E, 2, 3) Å, where edges of the cell begin and end.
    arrow_colour, edge_colour
        Index into the palette.
    """

    atoms: Solid
    beads: tuple[FloatArray, FloatArray, IntArray] | None = None
    arrows: FloatArray | None = None
    edges: FloatArray | None = None
    arrow_colour: int = 0
    edge_colour: int = 0


@dataclass(frozen=True)
class Primitives:
    """What is painted, in order; K of them.

    Attributes
    ----------
    kind
        (K,) of `Kind`.
    index
        (K,) atom of a ball or of a half stick, N + number of the bead for beads, number of the edge or arrow otherwise.
    start, end
        (K, 2) pixels; a ball is at its start, a stick begins at the end that is farther from the eye.
    radius
        (K,) pixels: of a ball, or half the width of a stick.
    tilt
        (K,) cosine of the angle between a stick and the line of sight: how round its far end looks.
    level
        (K,) step of depth, from 0 (far) to LEVELS - 1 (near).
    colour
        (K,) index into a palette.
    """

    kind: IntArray
    index: IntArray
    start: FloatArray
    end: FloatArray
    radius: FloatArray
    tilt: FloatArray
    level: IntArray
    colour: IntArray
    depth: FloatArray

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def is_ball(self) -> NDArray[np.bool_]:
        """Which are balls."""
        return self.kind == Kind.BALL

    def ball_at(self, x: float, y: float, n_atoms: int) -> int:
        """Return the atom whose ball is seen at a pixel, -1 for none."""
        chosen = np.flatnonzero(self.is_ball & (self.index < n_atoms))
        offset = self.start[chosen] - (x, y)
        hit = chosen[np.einsum("ij,ij->i", offset, offset) <= self.radius[chosen] ** 2]
        return int(self.index[hit[-1]]) if len(hit) else -1


def assemble(parts: Parts, camera: Camera, width: float, height: float) -> Primitives:
    """Return what is painted in a window of this many pixels."""
    view = _Window(camera, width, height)
    groups = [_balls(parts.atoms.positions, parts.atoms.radii, parts.atoms.colours, 0, view)]
    groups.append(_sticks(parts.atoms, view))
    if parts.beads is not None:
        groups.append(_balls(*parts.beads, len(parts.atoms.positions), view))
    if parts.arrows is not None and len(parts.arrows):
        groups += _arrows(parts.arrows, parts.arrow_colour, view)
    if parts.edges is not None and len(parts.edges):
        groups.append(_lines(parts.edges, Kind.EDGE, EDGE_PIECES, parts.edge_colour, view))
    columns = {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}
    visible = _is_inside(columns, width, height)
    columns = {name: column[visible] for name, column in columns.items()}
    depth = columns["depth"]
    columns["level"] = _level(depth)
    order = np.argsort(depth, kind="stable")
    return Primitives(**{name: column[order] for name, column in columns.items()})


@dataclass(frozen=True)
class _Window:
    camera: Camera
    width: float
    height: float

    def project(self, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return pixels (N, 2), depths (N,) in Å and pixels per Å (N,)."""
        seen = self.camera.project(points, self.width, self.height)
        return np.stack([seen.x, seen.y], axis=1), seen.depth, seen.factor * self.camera.scale


def _balls(
    positions: FloatArray, radii: FloatArray, colours: IntArray, first: int, view: _Window
) -> dict[str, NDArray]:
    place, depth, scale = view.project(positions)
    n = len(positions)
    return {
        "kind": np.full(n, Kind.BALL),
        "index": first + np.arange(n),
        "start": place,
        "end": place,
        "radius": radii * scale,
        "tilt": np.zeros(n),
        "colour": colours,
        "depth": depth,
    }


def _sticks(atoms: Solid, view: _Window) -> dict[str, NDArray]:
    """Return both halves of every bond."""
    bonds = atoms.bonds
    shift = bonds.shifts @ atoms.cell
    here = np.concatenate([bonds.first, bonds.second])
    there = np.concatenate([bonds.second, bonds.first])
    vector = atoms.positions[there] + np.concatenate([shift, -shift]) - atoms.positions[here]
    length = np.linalg.norm(vector, axis=1)
    direction = vector / np.maximum(length, 1e-9)[:, None]
    on_ball = np.sqrt(np.maximum(atoms.radii[here] ** 2 - STICK**2, 0.0))
    begin = np.minimum(on_ball, 0.5 * length)
    at_ball, depth_ball, scale_ball = view.project(
        atoms.positions[here] + direction * begin[:, None]
    )
    at_middle, depth_middle, scale_middle = view.project(atoms.positions[here] + 0.5 * vector)
    _, depth_atom, _ = view.project(atoms.positions[here])
    is_far = depth_ball <= depth_middle  # the atom's end is the farther one
    n = len(here)
    return {
        "kind": np.full(n, Kind.STICK),
        "index": here,
        "start": np.where(is_far[:, None], at_ball, at_middle),
        "end": np.where(is_far[:, None], at_middle, at_ball),
        "radius": STICK * 0.5 * (scale_ball + scale_middle),
        "tilt": np.abs(direction @ view.camera.rotation[2]),
        "colour": atoms.colours[here],
        "depth": 0.5 * (depth_atom + depth_middle),
    }


def _arrows(ends: FloatArray, colour: int, view: _Window) -> list[dict[str, NDArray]]:
    """Return shafts, in two pieces each, and heads of arrows (A, 2, 3)."""
    vector = ends[:, 1] - ends[:, 0]
    length = np.maximum(np.linalg.norm(vector, axis=1), 1e-9)
    neck = ends[:, 1] - vector * (np.minimum(HEAD, 0.5 * length) / length)[:, None]
    shafts = _lines(np.stack([ends[:, 0], neck], axis=1), Kind.STICK, 2, colour, view)
    turn = shafts["tilt"] < 0  # a stick begins at its farther end
    shafts["start"], shafts["end"] = (
        np.where(turn[:, None], shafts["end"], shafts["start"]),
        np.where(turn[:, None], shafts["start"], shafts["end"]),
    )
    shafts["tilt"] = np.abs(shafts["tilt"])
    shafts["radius"] = SHAFT * shafts["radius"]
    heads = _lines(np.stack([neck, ends[:, 1]], axis=1), Kind.HEAD, 1, colour, view)
    return [shafts, heads]


def _lines(
    ends: FloatArray, kind: Kind, pieces: int, colour: int, view: _Window
) -> dict[str, NDArray]:
    """Return lines (E, 2, 3), each cut into pieces that are painted at their own depths."""
    cuts = np.linspace(0, 1, pieces + 1)[:, None]
    points = ends[:, None, 0] * (1 - cuts) + ends[:, None, 1] * cuts  # (E, pieces + 1, 3)
    place, depth, scale = view.project(points.reshape(-1, 3))
    place, depth = place.reshape(len(ends), -1, 2), depth.reshape(len(ends), -1)
    scale = scale.reshape(len(ends), -1)
    n = len(ends) * pieces
    vector = ends[:, 1] - ends[:, 0]
    length = np.maximum(np.linalg.norm(vector, axis=1), 1e-9)
    return {
        "kind": np.full(n, kind),
        "index": np.repeat(np.arange(len(ends)), pieces),
        "start": place[:, :-1].reshape(-1, 2),
        "end": place[:, 1:].reshape(-1, 2),
        "radius": scale[:, 1:].reshape(-1),
        "tilt": np.repeat((vector / length[:, None]) @ view.camera.rotation[2], pieces),
        "colour": np.full(n, colour),
        "depth": (0.5 * (depth[:, :-1] + depth[:, 1:])).reshape(-1),
    }


def _is_inside(columns: dict[str, NDArray], width: float, height: float) -> NDArray[np.bool_]:
    low = np.minimum(columns["start"], columns["end"])
    high = np.maximum(columns["start"], columns["end"])
    reach = np.where(columns["kind"] == Kind.BALL, columns["radius"], columns["radius"] + 2)[
        :, None
    ]
    return ((high + reach > 0) & (low - reach < (width, height))).all(axis=1)


def _level(depth: FloatArray) -> IntArray:
    """Return the step of depth of each primitive."""
    if not len(depth):
        return np.empty(0, int)
    low, high = depth.min(), depth.max()
    if high - low < 1e-6:
        return np.full(len(depth), LEVELS - 1)
    return np.minimum((LEVELS * (depth - low) / (high - low)).astype(int), LEVELS - 1)
