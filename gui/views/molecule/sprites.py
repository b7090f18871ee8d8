"""Pictures of shaded balls and sticks, made once and then only copied: what makes painting thousands of atoms fast."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, QPixmap

__all__ = ["STRIP", "Sprites", "shade_ball"]

FloatArray = NDArray[np.float64]

_LIGHT = np.array([-0.42, 0.58, 0.70])  # right, up, outwards
_HALF = (_LIGHT / np.linalg.norm(_LIGHT) + (0, 0, 1)) / np.linalg.norm(
    _LIGHT / np.linalg.norm(_LIGHT) + (0, 0, 1)
)
_LARGEST = 400  # pixels, radius of a picture; larger balls are enlarged pictures
STRIP = 8  # pixels of stick in its picture
_MEMORY = 48 * 2**20  # bytes of pictures kept


class Sprites:
    """Pictures by size and colour, the oldest forgotten when there are too many."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[tuple, QPixmap] = OrderedDict()
        self._bytes = 0

    def ball(self, radius: float, colour: tuple[int, int, int], alpha: float = 1.0) -> QPixmap:
        """Return a ball whose centre is the middle of the picture; the radius is rounded to half a pixel."""
        size = min(max(round(2 * radius), 2), 2 * _LARGEST)
        return self._get(
            ("ball", size, colour, alpha), lambda: _ball_image(size / 2, colour, alpha)
        )

    def stick(self, radius: float, colour: tuple[int, int, int]) -> QPixmap:
        """Return the left end of a horizontal stick: half a disc, then `STRIP` pixels of the stick itself."""
        size = min(max(round(2 * radius), 1), 2 * _LARGEST)
        return self._get(("stick", size, colour), lambda: _stick_image(size / 2, colour))

    def _get(self, key: tuple, make: Callable[[], QImage]) -> QPixmap:
        picture = self._pictures.get(key)
        if picture is None:
            picture = QPixmap.fromImage(make())
            self._pictures[key] = picture
            self._bytes += picture.width() * picture.height() * 4
            self._forget()
        return picture

    def _forget(self) -> None:
        while self._bytes > _MEMORY and len(self._pictures) > 1:
            _, old = self._pictures.popitem(last=False)
            self._bytes -= old.width() * old.height() * 4


@lru_cache(maxsize=512)
def shade_ball(radius: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return brightness, gloss and coverage of a ball, each (S, S) with S = 2 ceil(radius) + 2 pixels.

    Diffuse light from the upper left (Lambert), light of the sky from above, a small gloss (Blinn), and a rim that is a
    little darker, which separates balls of one colour.
    """
    size = 2 * int(np.ceil(radius)) + 2
    axis = (np.arange(size) + 0.5 - size / 2) / radius
    x, y = axis[None, :], -axis[:, None]
    square = x * x + y * y
    z = np.sqrt(np.clip(1 - square, 0, 1))
    distance = np.sqrt(square)
    coverage = np.clip((1 - distance) * radius + 0.5, 0, 1)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    diffuse = np.clip(x * light[0] + y * light[1] + z * light[2], 0, 1)
    bright = 0.50 + 0.08 * y + 0.56 * diffuse
    width = max(0.055, 0.9 / radius)  # of the rim
    bright *= 1 - 0.42 * np.clip((distance - 1 + width) / width, 0, 1) ** 1.5
    gloss = 0.55 * np.clip(x * _HALF[0] + y * _HALF[1] + z * _HALF[2], 0, 1) ** 48
    return bright, gloss, coverage


@lru_cache(maxsize=512)
def _shade_stick(radius: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return brightness, gloss and coverage across a stick, each (S,)."""
    size = 2 * int(np.ceil(radius)) + 2
    y = np.abs(np.arange(size) + 0.5 - size / 2) / radius
    z = np.sqrt(np.clip(1 - y * y, 0, 1))
    coverage = np.clip((1 - y) * radius + 0.5, 0, 1)
    bright = 0.46 + 0.52 * z
    width = max(0.16, 0.9 / radius)
    bright *= 1 - 0.34 * np.clip((y - 1 + width) / width, 0, 1) ** 1.5
    return bright, 0.22 * z**24, coverage


def _ball_image(radius: float, colour: tuple[int, int, int], alpha: float) -> QImage:
    bright, gloss, coverage = shade_ball(radius)
    return _image(bright, gloss, coverage * alpha, colour)


def _stick_image(radius: float, colour: tuple[int, int, int]) -> QImage:
    bright, gloss, coverage = _shade_stick(radius)
    size = len(bright)
    y = (np.arange(size) + 0.5 - size / 2)[:, None]
    x = (np.arange(size // 2) + 0.5 - size / 2)[None, :]
    disc = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)
    strip = np.repeat(coverage[:, None], STRIP, axis=1)
    shape = (size, size // 2 + STRIP)
    spread = np.broadcast_to(bright[:, None], shape), np.broadcast_to(gloss[:, None], shape)
    return _image(spread[0], spread[1], np.concatenate([disc, strip], axis=1), colour)


def _image(
    bright: FloatArray, gloss: FloatArray, coverage: FloatArray, colour: tuple[int, int, int]
) -> QImage:
    rgb = np.array(colour) / 255
    shade = np.clip(rgb * bright[..., None] + gloss[..., None], 0, 1)
    pixels = np.empty((*bright.shape, 4), np.uint8)
    pixels[..., :3] = 255 * shade[..., ::-1] * coverage[..., None] + 0.5  # premultiplied, BGRA
    pixels[..., 3] = 255 * coverage + 0.5
    height, width = bright.shape
    image = QImage(
        pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied
    )
    return image.copy()
