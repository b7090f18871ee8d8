"""From positions in Å to places on the screen: a camera, and nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera", "Projected", "axis_rotation"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Projected:
    """Points on the screen.

    Attributes
    ----------
    x, y
        In pixels, y downwards.
    depth
        In Å, growing towards the eye.
    factor
        By how much perspective enlarges what is there.
    """

    x: FloatArray
    y: FloatArray
    depth: FloatArray
    factor: FloatArray


@dataclass(frozen=True)
class Camera:
    """Where the eye is.

    Attributes
    ----------
    rotation
        (3, 3), rows are the screen's right, up and outward axes in the coordinates of the atoms.
    centre
        (3,) Å, what stays in the middle while turning.
    scale
        Pixels per Å.
    pan
        Pixels, y downwards, by which everything is shifted.
    distance
        Å from the centre to the eye; infinite for no perspective.
    """

    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    centre: FloatArray = field(default_factory=lambda: np.zeros(3))
    scale: float = 40.0
    pan: tuple[float, float] = (0.0, 0.0)
    distance: float = np.inf

    def project(self, points: FloatArray, width: float, height: float) -> Projected:
        """Return where points (N, 3) in Å appear in a window of this many pixels."""
        turned = (points - self.centre) @ self.rotation.T
        factor = self._factor(turned[:, 2])
        x = 0.5 * width + self.pan[0] + self.scale * factor * turned[:, 0]
        y = 0.5 * height + self.pan[1] - self.scale * factor * turned[:, 1]
        return Projected(x, y, turned[:, 2], factor)

    def turned(self, right: float, up: float, roll: float = 0.0) -> Camera:
        """Return the camera after a turn by angles in radians about the screen's axes, as if a hand turned the atoms."""
        change = axis_rotation(2, roll) @ axis_rotation(0, -up) @ axis_rotation(1, right)
        u, _, v = np.linalg.svd(change @ self.rotation)  # rounding must not add up
        return replace(self, rotation=u @ v)

    def zoomed(self, factor: float, at: tuple[float, float], size: tuple[float, float]) -> Camera:
        """Return the camera after a zoom that keeps the pixel ``at`` where it is."""
        offset = [at[k] - 0.5 * size[k] for k in range(2)]
        pan = tuple(offset[k] + (self.pan[k] - offset[k]) * factor for k in range(2))
        return replace(self, scale=self.scale * factor, pan=(pan[0], pan[1]))

    def panned(self, dx: float, dy: float) -> Camera:
        """Return the camera after a shift by pixels."""
        return replace(self, pan=(self.pan[0] + dx, self.pan[1] + dy))

    def fitted(
        self, points: FloatArray, width: float, height: float, margin: float = 0.8
    ) -> Camera:
        """Return the camera that shows all points, with ``margin`` Å and a little air around them."""
        low, high = points.min(axis=0), points.max(axis=0)
        centre = 0.5 * (low + high)
        turned = (points - centre) @ self.rotation.T
        extent = np.abs(turned).max(axis=0) + margin
        radius = float(np.linalg.norm(extent))
        scale = 0.94 * min(0.5 * width / extent[0], 0.5 * height / extent[1])
        distance = self.distance if np.isinf(self.distance) else 4.5 * radius
        nearer = 1.0 if np.isinf(distance) else 1 - 0.6 * extent[2] / distance
        return replace(self, centre=centre, scale=scale * nearer, pan=(0.0, 0.0), distance=distance)

    def _factor(self, depth: FloatArray) -> FloatArray:
        if np.isinf(self.distance):
            return np.ones_like(depth)
        # what comes too near the eye stays finite
        return self.distance / np.maximum(self.distance - depth, 0.2 * self.distance)


def axis_rotation(axis: int, angle: float) -> FloatArray:
    """Return the rotation (3, 3) by an angle in radians about the axis x (0), y (1) or z (2)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix
