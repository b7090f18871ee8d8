"""Turns atoms that were made ready into an image, in the colours of a palette."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage, QPainter, QPalette

from gui.core.atoms import Picture
from gui.core.bonds import Bonds
from gui.core.projection import Camera
from gui.core.scene import Parts, Primitives, assemble
from gui.views.molecule.acceleration import OpenGLError, acceleration
from gui.views.molecule.painting import Style, paint
from gui.views.molecule.sprites import Sprites
from gui.views.molecule.vector import paint_vectors

__all__ = ["Canvas", "background"]

_EDGE_WIDTH = 1.25  # pixels of the screen
_HAZE, _HAZE_DEPTH = 0.45, 8.0  # most that the farthest fades, and Å over which it comes about


class Canvas:
    """Paints pictures; keeps its balls and sticks from one image to the next.

    Attributes
    ----------
    scene
        What was painted last by `image`, in its pixels; None before.
    """

    def __init__(self) -> None:
        self._sprites = Sprites()
        self.scene: Primitives | None = None

    def image(
        self,
        picture: Picture,
        camera: Camera,
        size: QSize,
        ratio: float,
        palette: QPalette,
        is_quick: bool,
    ) -> QImage:
        """Return an image of a widget's size with ``ratio`` pixels for each of the screen's."""
        pixels = (size * ratio).expandedTo(QSize(1, 1))
        drawn = self._accelerated(picture, camera, pixels, ratio, palette)
        if drawn is not None:
            drawn.setDevicePixelRatio(ratio)
            return drawn
        image = QImage(pixels, QImage.Format.Format_RGB32)
        image.fill(background(palette))
        painter = QPainter(image)
        self.scene = self.paint(painter, picture, camera, pixels, ratio, palette, is_quick)
        painter.end()
        image.setDevicePixelRatio(ratio)
        return image

    def paint(
        self,
        painter: QPainter,
        picture: Picture,
        camera: Camera,
        pixels: QSize,
        ratio: float,
        palette: QPalette,
        is_quick: bool = False,
    ) -> Primitives:
        """Paint onto something of this many pixels; quickly means without sticks."""
        parts = _without_sticks(picture.parts) if is_quick else picture.parts
        scene = assemble(parts, _larger(camera, ratio), pixels.width(), pixels.height())
        n_atoms = len(parts.atoms.positions)
        paint(
            painter,
            scene,
            _style(picture, camera, palette),
            self._sprites,
            n_atoms,
            _EDGE_WIDTH * ratio,
        )
        return scene

    def paint_vectors(
        self, painter: QPainter, picture: Picture, camera: Camera, size: QSize, palette: QPalette
    ) -> None:
        """Paint curves and gradients; onto a drawing, which has no pixels."""
        scene = assemble(picture.parts, camera, size.width(), size.height())
        n_atoms = len(picture.parts.atoms.positions)
        paint_vectors(painter, scene, _style(picture, camera, palette), n_atoms, _EDGE_WIDTH)

    def _accelerated(
        self, picture: Picture, camera: Camera, pixels: QSize, ratio: float, palette: QPalette
    ) -> QImage | None:
        """Return an image by the graphics card, None where that is not wanted."""
        renderer = acceleration().renderer()
        if renderer is None:
            return None
        larger = _larger(camera, ratio)
        self.scene = assemble(
            _without_sticks(picture.parts), larger, pixels.width(), pixels.height()
        )
        style = _style(picture, camera, palette)
        try:
            return renderer.image(picture, larger, style, pixels, _EDGE_WIDTH * ratio)
        except OpenGLError as error:
            acceleration().give_up(str(error))
            return None


def _larger(camera: Camera, ratio: float) -> Camera:
    """Return the camera in pixels of which there are ``ratio`` for each of the screen's."""
    pan = (camera.pan[0] * ratio, camera.pan[1] * ratio)
    return replace(camera, scale=camera.scale * ratio, pan=pan)


def _without_sticks(parts: Parts) -> Parts:
    return replace(parts, atoms=replace(parts.atoms, bonds=Bonds.none()))


def background(palette: QPalette) -> QColor:
    """Return what lies behind the atoms."""
    return palette.color(QPalette.ColorRole.Base)


def _style(picture: Picture, camera: Camera, palette: QPalette) -> Style:
    ink = np.array(palette.color(QPalette.ColorRole.Text).getRgbF()[:3])  # type: ignore[index]
    paper = np.array(background(palette).getRgbF()[:3])  # type: ignore[index]
    colours = picture.palette.copy()
    colours[picture.parts.edge_colour] = 0.55 * ink + 0.45 * paper
    return Style(colours, paper, _haze(picture, camera))


def _haze(picture: Picture, camera: Camera) -> float:
    """Return how much the farthest fades: little for a small molecule."""
    positions = picture.parts.atoms.positions
    depth = float(np.ptp(positions @ camera.rotation[2])) if len(positions) else 0.0
    return float(_HAZE * (1 - np.exp(-depth / _HAZE_DEPTH))) if np.isfinite(depth) else 0.0
