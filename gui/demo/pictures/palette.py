"""Pictures with 256 colours: a third of the bytes of a PNG file, and no difference that one would see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

__all__ = ["with_palette"]

N_EXACT, N_MEAN = 96, 160
"""The most frequent colours stay as they are; the others, of shaded atoms and soft edges, share the rest of the palette."""
N_ROUNDS = 8

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def with_palette(picture: QImage) -> QImage:
    """Return a picture as one of 256 colours (k-means over its rarer colours; the same for the same picture)."""
    colours = _colours(picture)
    unique, places, counts = np.unique(colours, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    exact, others = order[:N_EXACT], order[N_EXACT:]
    numbers = np.empty(len(unique), np.uint8)
    numbers[exact] = np.arange(len(exact))
    table = _rgb(unique[exact])
    if len(others):
        means, nearest = _means(_rgb(unique[others]), np.sqrt(counts[others]))
        numbers[others] = len(exact) + nearest
        table = np.vstack([table, means])
    pixels = np.ascontiguousarray(numbers[places].reshape(colours.shape))
    height, width = pixels.shape
    made = QImage(pixels.data, width, height, width, QImage.Format.Format_Indexed8)
    rounded = table.round().astype(int)
    made.setColorTable([0xFF000000 | int(r) << 16 | int(g) << 8 | int(b) for r, g, b in rounded])
    return made.copy()  # its pixels are no longer those of an array that goes away


def _colours(picture: QImage) -> IntArray:
    """Return the colours (height, width) of a picture as numbers 0xRRGGBB."""
    plain = picture.convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(plain.constBits(), np.uint32)
    return pixels.reshape(plain.height(), plain.width()).astype(np.int64) & 0xFFFFFF


def _rgb(colours: IntArray) -> FloatArray:
    return np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=1).astype(float)


def _means(colours: FloatArray, weights: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return colours that stand for others, and for each of these the number of its stand-in."""
    start = np.linspace(0, len(colours) - 1, min(N_MEAN, len(colours))).astype(int)
    means = colours[start]
    for _ in range(N_ROUNDS):
        nearest = _nearest(colours, means)
        total = np.bincount(nearest, weights, len(means))
        sums = [np.bincount(nearest, weights * channel, len(means)) for channel in colours.T]
        new = np.stack(sums, axis=1) / np.maximum(total, 1e-9)[:, None]
        means = np.where(total[:, None] > 0, new, means)
    return means, _nearest(colours, means)


def _nearest(colours: FloatArray, means: FloatArray) -> IntArray:
    """Return the number of the nearest mean of each colour: the largest of c·m - m²/2."""
    return np.argmax(colours @ means.T - 0.5 * (means**2).sum(axis=1), axis=1)
