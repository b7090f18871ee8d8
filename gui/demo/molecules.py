"""Atoms for demonstrations and pictures: methanol, a box of water, ring polymers, random vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DemoAtoms", "methanol", "random_vectors", "ring_polymers", "water"]

FloatArray = NDArray[np.float64]


class DemoAtoms(NamedTuple):
    """Atomic numbers (N,), positions (N, 3) Å, cell (3, 3) Å."""

    numbers: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray


def methanol() -> DemoAtoms:
    """Return a molecule of methanol near its minimum."""
    positions = np.array(
        [
            [-0.688, -0.037, -0.012],
            [0.696, 0.061, -0.046],
            [-1.075, 0.640, 0.757],
            [0.991, 0.952, 0.166],
            [-1.041, -1.048, 0.222],
            [-1.118, 0.254, -0.978],
        ]
    )
    return DemoAtoms(np.array([6, 8, 1, 1, 1, 1]), positions, np.zeros((3, 3)))


def water(n_side: int = 4, seed: int = 5) -> DemoAtoms:
    """Return water molecules, turned at random, on a lattice with the density of the liquid."""
    rng = np.random.default_rng(seed)
    spacing = 3.104  # Å, of 1 g/cm³
    corner = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = (corner + 0.5 + rng.normal(scale=0.06, size=corner.shape)) * spacing
    molecule = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])
    turns = np.linalg.qr(rng.normal(size=(len(centres), 3, 3)))[0]
    positions = (centres[:, None] + molecule @ turns).reshape(-1, 3)
    return DemoAtoms(np.tile([8, 1, 1], len(centres)), positions, np.eye(3) * n_side * spacing)


def ring_polymers(atoms: DemoAtoms, n_beads: int = 16, seed: int = 2) -> FloatArray:
    """Return beads (P, N, 3) Å around atoms, hydrogen's wider than others', each ring closed."""
    rng = np.random.default_rng(seed)
    width = np.where(atoms.numbers == 1, 0.13, 0.04)[:, None]
    steps = rng.normal(size=(n_beads, *atoms.positions.shape))
    path = np.cumsum(steps - steps.mean(axis=0), axis=0) / np.sqrt(n_beads)
    path -= path.mean(axis=0)
    return atoms.positions + 1.7 * width * path


def random_vectors(n: int, scale: float = 1.0, seed: int = 3) -> FloatArray:
    """Return vectors (N, 3), such as forces."""
    return scale * np.random.default_rng(seed).normal(size=(n, 3))
