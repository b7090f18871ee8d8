"""Paints a scene with curves and gradients instead of pictures: slow, but sharp at every size, for SVG files."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPen,
    QRadialGradient,
    QTransform,
)

from gui.core.scene import Kind, Primitives
from gui.views.molecule.painting import BEAD_ALPHA, Colour, Style, hazed, paint_head

__all__ = ["paint_vectors"]

_BALL_STOPS = ((0.0, 1.30), (0.35, 1.04), (0.75, 0.78), (1.0, 0.52))
"""Brightness from the lit spot to the rim."""
_STICK_STOPS = ((0.0, 0.42), (0.25, 0.82), (0.5, 1.10), (0.75, 0.82), (1.0, 0.42))
"""Brightness across a stick."""
_SPOT = QPointF(-0.36, -0.42)  # where light falls on a ball of radius 1


def paint_vectors(
    painter: QPainter, scene: Primitives, style: Style, n_atoms: int, line_width: float
) -> None:
    """Paint a scene from the back to the front, as `gui.views.molecule.painting.paint` does."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colours = hazed(style, style.palette)
    for k in range(len(scene)):
        colour = colours[int(scene.level[k])][int(scene.colour[k])]
        start, end = scene.start[k].tolist(), scene.end[k].tolist()
        radius, kind = float(scene.radius[k]), int(scene.kind[k])
        if kind == Kind.BALL:
            painter.setOpacity(BEAD_ALPHA if scene.index[k] >= n_atoms else 1.0)
            _paint_ball(painter, colour, QPointF(*start), radius)
            painter.setOpacity(1.0)
        elif kind == Kind.STICK:
            _paint_stick(painter, colour, start, end, radius, float(scene.tilt[k]))
        elif kind == Kind.HEAD:
            paint_head(painter, colour, start, end)
        else:
            painter.setPen(QPen(QColor(*colour), line_width))
            painter.drawLine(QPointF(*start), QPointF(*end))


def _paint_ball(painter: QPainter, colour: Colour, centre: QPointF, radius: float) -> None:
    light = QRadialGradient(centre, radius, centre + _SPOT * radius)
    for place, brightness in _BALL_STOPS:
        light.setColorAt(place, _shaded(colour, brightness))
    painter.setPen(QPen(_shaded(colour, 0.42), max(0.03 * radius, 0.3)))
    painter.setBrush(light)
    painter.drawEllipse(centre, radius, radius)


def _paint_stick(
    painter: QPainter,
    colour: Colour,
    start: list[float],
    end: list[float],
    radius: float,
    tilt: float,
) -> None:
    """Paint a stick along x with a round far end, and turn it to its place."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(dx, dy))
    if length < 1e-6:
        return
    path = QPainterPath(QPointF(0, -radius))
    path.lineTo(length, -radius)
    path.lineTo(length, radius)
    path.lineTo(0, radius)
    path.arcTo(QRectF(-radius * tilt, -radius, 2 * radius * tilt, 2 * radius), 270, -180)
    path.closeSubpath()
    light = QLinearGradient(0, -radius, 0, radius)
    for place, brightness in _STICK_STOPS:
        light.setColorAt(place, _shaded(colour, brightness))
    cos, sin = dx / length, dy / length
    before = painter.transform()
    painter.setTransform(QTransform(cos, sin, -sin, cos, start[0], start[1]) * before)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(light)
    painter.drawPath(path)
    painter.setTransform(before)


def _shaded(colour: Colour, brightness: float) -> QColor:
    """Return a colour made darker, or lighter towards white."""
    if brightness <= 1:
        return QColor(*(round(brightness * value) for value in colour))
    return QColor(*(round(value + (255 - value) * (brightness - 1)) for value in colour))
