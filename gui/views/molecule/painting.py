"""Paints a scene into an image by copying pictures of balls and sticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QLinearGradient,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
    QTransform,
)

from gui.core.scene import LEVELS, Kind, Primitives
from gui.views.molecule.sprites import STRIP, Sprites

__all__ = ["BEAD_ALPHA", "Colour", "Style", "hazed", "paint", "paint_head"]

FloatArray = NDArray[np.float64]
Colour = tuple[int, int, int]

BEAD_ALPHA = 0.45
_THIN = 2.6  # pixels, below which the shading of a stick cannot be seen and a line is twice as fast


@dataclass(frozen=True)
class Style:
    """Colours, RGB between 0 and 1.

    Attributes
    ----------
    palette
        (C, 3), which the primitives' colours index.
    background
        (3,), into which what is far away fades.
    haze
        How much of the background the farthest takes on, 0 to 1.
    """

    palette: FloatArray
    background: FloatArray
    haze: float = 0.45


def hazed(style: Style, colours: FloatArray) -> list[list[Colour]]:
    """Return the colours (C, 3) at every step of depth, as numbers up to 255: first index the step, second the colour."""
    result = []
    for level in range(LEVELS):
        part = style.haze * (1 - level / (LEVELS - 1)) ** 1.3
        mixed = np.rint(255 * (colours * (1 - part) + style.background * part)).astype(int)
        result.append([(r, g, b) for r, g, b in mixed.tolist()])
    return result


def paint(
    painter: QPainter,
    scene: Primitives,
    style: Style,
    sprites: Sprites,
    n_atoms: int,
    line_width: float,
) -> None:
    """Paint a scene, from the back to the front.

    Parameters
    ----------
    painter
        In the pixels of the scene, that is, not scaled.
    n_atoms
        Balls of a higher number are beads, through which one sees.
    line_width
        Pixels, of the cell's edges.
    """
    painter.setRenderHints(
        QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
    )
    tools = _tools(scene, style, sprites, n_atoms, line_width)
    rows = zip(
        scene.kind.tolist(), scene.start.tolist(), scene.end.tolist(), scene.tilt.tolist(), tools
    )
    for kind, start, end, tilt, tool in rows:
        if kind == Kind.BALL:
            half = tool.width() // 2
            painter.drawPixmap(round(start[0]) - half, round(start[1]) - half, tool)
        elif kind == Kind.HEAD:
            paint_head(painter, tool, start, end)
        elif isinstance(tool, QPen):
            painter.setPen(tool)
            painter.drawLine(QPointF(*start), QPointF(*end))
        else:
            _paint_stick(painter, tool, start, end, tilt)


def _tools(
    scene: Primitives, style: Style, sprites: Sprites, n_atoms: int, line_width: float
) -> list[Any]:
    """Return what each primitive is painted with: a picture, a pen or a colour, one for all that look the same."""
    twelfths = np.rint(12 * np.log2(np.maximum(scene.radius, 0.75))).astype(int)
    is_bead = scene.is_ball & (scene.index >= n_atoms)
    looks = (scene.kind, scene.colour, scene.level, twelfths + 64, is_bead)
    shape = (len(Kind), len(style.palette), LEVELS, 1024, 2)
    unique, which = np.unique(np.ravel_multi_index(looks, shape, "clip"), return_inverse=True)
    colours = hazed(style, style.palette)
    tools: list[Any] = []
    for kind, colour, level, twelfth, bead in zip(*map(list, np.unravel_index(unique, shape))):
        twelfth -= 64
        rgb, radius = colours[level][colour], 2 ** (twelfth / 12)
        if kind == Kind.BALL:
            tools.append(sprites.ball(radius, rgb, BEAD_ALPHA if bead else 1.0))
        elif kind == Kind.HEAD:
            tools.append(rgb)
        elif kind == Kind.EDGE:
            tools.append(_pen(rgb, line_width))
        else:
            is_thin = radius < _THIN
            tools.append(_pen(_darker(rgb), 2 * radius) if is_thin else sprites.stick(radius, rgb))
    return [tools[k] for k in which.ravel().tolist()]


def _paint_stick(
    painter: QPainter, picture: QPixmap, start: list[float], end: list[float], tilt: float
) -> None:
    """Paint a stick with a round far end, an ellipse as flat as the stick is steep."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    if length < 1e-6:
        return
    cos, sin = dx / length, dy / length
    height = picture.height()
    top, cap = -0.5 * height, 0.5 * height
    painter.setTransform(QTransform(cos, sin, -sin, cos, start[0], start[1]))
    if tilt > 0.1:
        painter.drawPixmap(
            QRectF(-cap * tilt, top, cap * tilt + 0.3, height), picture, QRectF(0, 0, cap, height)
        )
    # half a pixel from the picture's ends, so that smoothing does not see beyond them
    painter.drawPixmap(
        QRectF(0, top, length, height), picture, QRectF(cap + 1, 0, STRIP - 2, height)
    )
    painter.resetTransform()


def paint_head(painter: QPainter, colour: Colour, start: list[float], end: list[float]) -> None:
    """Paint the head of an arrow, a cone lit from the front; ``start`` is the middle of its base."""
    base, tip = QPointF(*start), QPointF(*end)
    along = tip - base
    half = QPointF(-along.y(), along.x()) * 0.42
    light = QLinearGradient(base + half, base - half)
    middle = QColor(*colour)
    for place, shade in ((0.0, 150), (0.4, 90), (0.55, 90), (1.0, 150)):
        light.setColorAt(place, middle.darker(shade))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(light)
    painter.drawPolygon(QPolygonF([tip, base + half, base - half]))


def _pen(colour: Colour, width: float) -> QPen:
    return QPen(QColor(*colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)


def _darker(colour: Colour) -> Colour:
    """Return the mean brightness of a shaded stick."""
    r, g, b = (round(0.84 * value) for value in colour)
    return r, g, b
