"""The 3D view drawn by a graphics card: an extra, never the default, tried in another process first.

A driver that is broken ends the process that touches it. So ``python -m gui.views.molecule.opengl`` draws a ball and looks at it; only
where that worked does a person get the choice. Balls and sticks are impostors: a square each, whose pixels work out the
surface, its light and its depth. The image is read back, so that labels, legend and pictures are the same as without.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QImage,
    QOffscreenSurface,
    QOpenGLContext,
    QSurfaceFormat,
    QVector2D,
    QVector3D,
)
from PySide6.QtOpenGL import (
    QOpenGLBuffer,
    QOpenGLFramebufferObject,
    QOpenGLFramebufferObjectFormat,
    QOpenGLShader,
    QOpenGLShaderProgram,
)

from gui.core.atoms import Picture
from gui.core.projection import Camera
from gui.core.scene import HEAD, SHAFT, STICK
from gui.views.molecule.acceleration import OpenGLError
from gui.views.molecule.painting import BEAD_ALPHA, Style
from gui.views.molecule.shaders import BALL, STICK_SHADER, VERTEX

__all__ = ["OpenGLRenderer", "probe"]

FloatArray = NDArray[np.float64]

_FINER = 2  # pixels drawn for each along either direction: smooth edges
_TRIANGLES, _FLOAT = 0x0004, 0x1406
_COLOUR_AND_DEPTH, _DEPTH_TEST, _BLEND = 0x4000 | 0x0100, 0x0B71, 0x0BE2
_ONE, _SOURCE_ALPHA, _NOT_SOURCE_ALPHA = 1, 0x0302, 0x0303

_FIELDS = (("corner", 2), ("place", 3), ("shape", 4), ("colour", 4))
"""Of each corner: where in its square (from -1 to 1); pixel and depth; what the shader needs of the body; RGB and opacity."""

_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]], float)


class OpenGLRenderer:
    """Draws pictures with OpenGL 2.1 into memory.

    Raises
    ------
    OpenGLError
        If there is no OpenGL that can.
    """

    def __init__(self) -> None:
        wanted = QSurfaceFormat()
        wanted.setVersion(2, 1)
        wanted.setDepthBufferSize(24)
        self._surface = QOffscreenSurface()
        self._surface.setFormat(wanted)
        self._surface.create()
        self._context = QOpenGLContext()
        self._context.setFormat(wanted)
        if not (self._surface.isValid() and self._context.create()):
            raise OpenGLError("no OpenGL context can be made")
        self._make_current()
        self._balls, self._sticks = _program(BALL), _program(STICK_SHADER)
        self._buffer = QOpenGLBuffer(QOpenGLBuffer.Type.VertexBuffer)
        if not self._buffer.create():
            raise OpenGLError("no memory on the graphics card can be had")

    def image(
        self, picture: Picture, camera: Camera, style: Style, pixels: QSize, line: float
    ) -> QImage:
        """Return an image of this many pixels; ``line`` of them is the width of the cell's edges.

        ``camera`` is in these pixels.
        """
        self._make_current()
        large = pixels * _FINER
        target = self._target(large)
        bodies = _Bodies(picture, camera, style, (pixels.width(), pixels.height()), line)
        functions = self._context.functions()
        functions.glViewport(0, 0, large.width(), large.height())
        red, green, blue = style.background.tolist()
        functions.glClearColor(red, green, blue, 1.0)
        functions.glClear(_COLOUR_AND_DEPTH)
        functions.glEnable(_DEPTH_TEST)
        self._draw(self._balls, bodies.balls(), bodies)
        self._draw(self._sticks, bodies.sticks(), bodies)
        functions.glEnable(_BLEND)
        functions.glBlendFuncSeparate(_SOURCE_ALPHA, _NOT_SOURCE_ALPHA, _ONE, _ONE)
        self._draw(self._balls, bodies.beads(), bodies)
        functions.glDisable(_BLEND)
        image = target.toImage()
        target.release()
        return image.scaled(
            pixels, mode=Qt.TransformationMode.SmoothTransformation
        ).convertToFormat(QImage.Format.Format_RGB32)

    def _make_current(self) -> None:
        if not self._context.makeCurrent(self._surface):
            raise OpenGLError("the OpenGL context was lost")

    def _target(self, pixels: QSize) -> QOpenGLFramebufferObject:
        kind = QOpenGLFramebufferObjectFormat()
        kind.setAttachment(QOpenGLFramebufferObject.Attachment.Depth)
        target = QOpenGLFramebufferObject(pixels, kind)
        if not (target.isValid() and target.bind()):
            raise OpenGLError("the graphics card cannot draw into memory")
        return target

    def _draw(self, program: QOpenGLShaderProgram, corners: FloatArray, bodies: _Bodies) -> None:
        """Draw triangles whose corners are rows of `_FIELDS`."""
        if not len(corners):
            return
        data = np.ascontiguousarray(corners, np.float32).tobytes()
        program.bind()
        program.setUniformValue(program.uniformLocation("size"), QVector2D(*bodies.size))
        program.setUniformValue(program.uniformLocation("depths"), QVector2D(*bodies.depths))
        program.setUniformValue(
            program.uniformLocation("paper"), QVector3D(*bodies.style.background.tolist())
        )
        program.setUniformValue1f(program.uniformLocation("haze"), bodies.style.haze)
        self._buffer.bind()
        self._buffer.allocate(data, len(data))
        stride, offset = 4 * corners.shape[1], 0
        for number, (_, width) in enumerate(_FIELDS):
            program.enableAttributeArray(number)
            program.setAttributeBuffer(number, _FLOAT, offset, width, stride)
            offset += 4 * width
        self._context.functions().glDrawArrays(_TRIANGLES, 0, len(corners))
        self._buffer.release()
        program.release()


class _Bodies:
    """Corners of what is drawn."""

    def __init__(
        self, picture: Picture, camera: Camera, style: Style, size: tuple[int, int], line: float
    ) -> None:
        self._parts, self._camera, self._line = picture.parts, camera, line
        self.style, self.size = style, size
        self.depths = self._range()

    def balls(self) -> FloatArray:
        """Return atoms."""
        atoms = self._parts.atoms
        return self._balls(atoms.positions, atoms.radii, atoms.colours, 1.0)

    def beads(self) -> FloatArray:
        """Return beads, the farthest first, for one sees through them."""
        if self._parts.beads is None:
            return np.empty((0, 13))
        positions, radii, colours = self._parts.beads
        order = np.argsort(positions @ self._camera.rotation[2])
        return self._balls(positions[order], radii[order], colours[order], BEAD_ALPHA)

    def sticks(self) -> FloatArray:
        """Return half sticks, shafts and heads of arrows, and edges."""
        atoms, parts = self._parts.atoms, self._parts
        bonds = atoms.bonds
        shift = bonds.shifts @ atoms.cell
        here = np.concatenate([bonds.first, bonds.second])
        there = np.concatenate([bonds.second, bonds.first])
        vector = atoms.positions[there] + np.concatenate([shift, -shift]) - atoms.positions[here]
        start = atoms.positions[here]
        rows = [self._sticks(start, start + 0.5 * vector, STICK, STICK, atoms.colours[here])]
        if parts.arrows is not None and len(parts.arrows):
            start, end = parts.arrows[:, 0], parts.arrows[:, 1]
            length = np.maximum(np.linalg.norm(end - start, axis=1), 1e-9)
            neck = end - (end - start) * (np.minimum(HEAD, 0.5 * length) / length)[:, None]
            colour = np.full(len(start), parts.arrow_colour)
            rows.append(self._sticks(start, neck, SHAFT, SHAFT, colour))
            rows.append(self._sticks(neck, end, 0.42 * HEAD, 0.0, colour))
        if parts.edges is not None and len(parts.edges):
            width = 0.5 * self._line / self._camera.scale
            colour = np.full(len(parts.edges), parts.edge_colour)
            rows.append(self._sticks(parts.edges[:, 0], parts.edges[:, 1], width, width, colour))
        return np.concatenate(rows)

    def _balls(
        self, positions: FloatArray, radii: FloatArray, colours: NDArray[np.int64], alpha: float
    ) -> FloatArray:
        seen = self._camera.project(positions, *self.size)
        radius = radii * seen.factor * self._camera.scale  # pixels
        n = len(positions)
        corner = np.broadcast_to(_SQUARE, (n, 6, 2))
        place = np.empty((n, 6, 3))
        place[..., 0] = seen.x[:, None] + radius[:, None] * _SQUARE[:, 0]
        place[..., 1] = seen.y[:, None] - radius[:, None] * _SQUARE[:, 1]
        place[..., 2] = seen.depth[:, None]
        rim = np.maximum(0.055, 0.9 / np.maximum(radius, 0.5))
        return self._rows(corner, place, radii, rim, colours, alpha)

    def _sticks(
        self,
        start: FloatArray,
        end: FloatArray,
        first: float,
        last: float,
        colours: NDArray[np.int64],
    ) -> FloatArray:
        """Return sticks with a radius in Å at either end."""
        a, b = (self._camera.project(ends, *self.size) for ends in (start, end))
        along = np.stack([b.x - a.x, b.y - a.y], axis=1)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        across /= np.maximum(np.linalg.norm(along, axis=1), 1e-6)[:, None]
        n = len(start)
        corner = np.broadcast_to(_SQUARE, (n, 6, 2))
        is_end = (_SQUARE[:, 0] > 0)[None, :]
        width = self._camera.scale * np.where(
            is_end, (last * b.factor)[:, None], (first * a.factor)[:, None]
        )
        side = width * _SQUARE[:, 1]
        place = np.empty((n, 6, 3))
        place[..., 0] = np.where(is_end, b.x[:, None], a.x[:, None]) + across[:, :1] * side
        place[..., 1] = np.where(is_end, b.y[:, None], a.y[:, None]) + across[:, 1:] * side
        place[..., 2] = np.where(is_end, b.depth[:, None], a.depth[:, None])
        rim = np.maximum(0.16, 0.9 / np.maximum(width.max(axis=1), 0.5)) if n else np.empty(0)
        return self._rows(corner, place, np.full(n, max(first, last)), rim, colours, 1.0)

    def _rows(
        self,
        corner: FloatArray,
        place: FloatArray,
        radius: FloatArray,
        rim: FloatArray,
        colours: NDArray[np.int64],
        alpha: float,
    ) -> FloatArray:
        n = len(radius)
        rows = np.zeros((n, 6, 13))
        rows[..., 0:2], rows[..., 2:5] = corner, place
        rows[..., 5], rows[..., 6] = radius[:, None], rim[:, None]
        rows[..., 9:12] = self.style.palette[colours][:, None]
        rows[..., 12] = alpha
        return rows[np.isfinite(rows).all(axis=(1, 2))].reshape(-1, 13)

    def _range(self) -> tuple[float, float]:
        """Return the least and the greatest depth in Å."""
        points = [self._parts.atoms.positions]
        points += [] if self._parts.beads is None else [self._parts.beads[0]]
        points += [] if self._parts.edges is None else [self._parts.edges.reshape(-1, 3)]
        points += [] if self._parts.arrows is None else [self._parts.arrows.reshape(-1, 3)]
        depth = (np.concatenate(points) - self._camera.centre) @ self._camera.rotation[2]
        depth = depth[np.isfinite(depth)]
        if not len(depth):
            return -1.0, 1.0
        return float(depth.min()) - 1.5, float(depth.max()) + 1.5


def _program(fragment: str) -> QOpenGLShaderProgram:
    program = QOpenGLShaderProgram()
    is_whole = program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Vertex, VERTEX)
    is_whole &= program.addShaderFromSourceCode(QOpenGLShader.ShaderTypeBit.Fragment, fragment)
    for number, (name, _) in enumerate(_FIELDS):
        program.bindAttributeLocation(name, number)
    if not (is_whole and program.link()):
        raise OpenGLError(f"the shaders cannot be compiled: {program.log().strip()}")
    return program


def probe() -> str:
    """Draw a red ball; return what is wrong with it, "" if nothing is."""
    from gui.core.atoms import Look, Snapshot, prepare

    snapshot = Snapshot(np.array([8]), np.zeros((1, 3)), np.zeros((3, 3)))
    picture = prepare(snapshot, Look())
    style = Style(picture.palette, np.ones(3))
    try:
        image = OpenGLRenderer().image(picture, Camera(scale=60.0), style, QSize(64, 64), 1.0)
    except OpenGLError as error:
        return str(error)
    middle, corner = image.pixelColor(32, 32), image.pixelColor(2, 2)
    is_right = middle.red() > 120 > middle.blue() and corner.lightness() > 240
    return "" if is_right else f"a red ball looks {middle.name()} before {corner.name()}"


def _main() -> None:
    from PySide6.QtGui import QGuiApplication

    application = QGuiApplication(sys.argv[:1])
    problem = probe()
    sys.stdout.write(f"{problem or 'ok'}\n")
    application.quit()
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    _main()
