"""What mouse and keys do to a 3D view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

from gui.core.projection import Camera

if TYPE_CHECKING:
    from gui.views.molecule.view import MoleculeView

__all__ = ["dragged", "key_action"]

_TURN = 0.008  # radians per pixel
_STEP, _SHIFT, _ZOOM = 0.12, 24, 1.15  # radians, pixels, factor of a key

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_AXES = {Qt.Key.Key_X: 0, Qt.Key.Key_Y: 1, Qt.Key.Key_Z: 2}
_ZOOMS = {Qt.Key.Key_Plus: _ZOOM, Qt.Key.Key_Equal: _ZOOM, Qt.Key.Key_Minus: 1 / _ZOOM}
_SWITCHES = {
    Qt.Key.Key_C: "shows_cell",
    Qt.Key.Key_V: "shows_forces",
    Qt.Key.Key_B: "shows_bonds",
    Qt.Key.Key_W: "is_wrapped",
}


def dragged(
    camera: Camera, change: QPointF, buttons: Qt.MouseButton, keys: Qt.KeyboardModifier
) -> Camera:
    """Return the camera after the mouse was moved by ``change`` pixels with these buttons and keys held."""
    is_left = bool(buttons & Qt.MouseButton.LeftButton)
    if is_left and keys & Qt.KeyboardModifier.ControlModifier:
        return camera.turned(0, 0, -change.x() * _TURN)
    if is_left and not keys & Qt.KeyboardModifier.ShiftModifier:
        return camera.turned(change.x() * _TURN, -change.y() * _TURN)
    if buttons & (Qt.MouseButton.MiddleButton | Qt.MouseButton.LeftButton):
        return camera.panned(change.x(), change.y())
    return camera


def key_action(
    view: MoleculeView, key: Qt.Key, keys: Qt.KeyboardModifier
) -> Callable[[], None] | None:
    """Return what a key does to a view, None if nothing."""
    camera = view.camera()
    if keys & Qt.KeyboardModifier.ControlModifier:
        return None
    if key in _ARROWS:
        right, up = _ARROWS[key]
        if keys & Qt.KeyboardModifier.ShiftModifier:
            return lambda: view.setCamera(camera.panned(_SHIFT * right, -_SHIFT * up))
        return lambda: view.setCamera(camera.turned(_STEP * right, _STEP * up))
    if key in _ZOOMS:
        size = (view.width(), view.height())
        middle = (0.5 * size[0], 0.5 * size[1])
        return lambda: view.setCamera(camera.zoomed(_ZOOMS[key], middle, size))
    if key in _AXES:
        return lambda: view.lookAlong(_AXES[key])
    if key in _SWITCHES:
        name = _SWITCHES[key]
        return lambda: view.setLook(**{name: not getattr(view.look(), name)})
    if key == Qt.Key.Key_F:
        return view.fit
    if key == Qt.Key.Key_Escape and view.selected() >= 0:
        return lambda: view.setSelected(-1)
    return None
