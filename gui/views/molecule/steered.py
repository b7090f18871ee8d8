"""A widget whose camera a person steers with the mouse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from gui.core.projection import Camera
from gui.views.molecule.steering import dragged

__all__ = ["SteeredView"]

_FRONT = Camera(distance=1.0).turned(-0.42, -0.32)  # a little from above and from the side


class SteeredView(QWidget):
    """Where the eye is, and what moves it; what is seen is a subclass's."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._camera = _FRONT
        self._is_untouched = False
        self._pressed_at: QPointF | None = None
        self._dragged_from: QPointF | None = None

    # what a subclass shows

    def fit(self) -> None:
        """Show everything, in the middle."""
        raise NotImplementedError

    def atomAt(self, point: QPoint | QPointF) -> int:
        """Return the atom that is seen at a place of the widget, -1 for none."""
        raise NotImplementedError

    def setSelected(self, atom: int) -> None:
        """Pick an atom, -1 for none."""
        raise NotImplementedError

    def _move(self) -> None:
        """Redraw while a person moves something."""
        raise NotImplementedError

    # camera

    def camera(self) -> Camera:
        """Return where the eye is."""
        return self._camera

    def setCamera(self, camera: Camera) -> None:
        """Look from elsewhere."""
        self._camera, self._is_untouched = camera, False
        self._move()

    def setPerspective(self, is_wanted: bool) -> None:
        """Let what is near look larger, or not."""
        self._camera = replace(self._camera, distance=1.0 if is_wanted else np.inf)
        self.fit()

    def hasPerspective(self) -> bool:
        """Return whether what is near looks larger."""
        return bool(np.isfinite(self._camera.distance))

    def lookAlong(self, axis: int) -> None:
        """Look along the x (0), y (1) or z (2) axis."""
        order = np.roll(np.arange(3), 2 - axis)  # this axis comes out of the screen
        self._camera = replace(self._camera, rotation=np.eye(3)[order])
        self.fit()

    # events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to turn or move."""
        self._pressed_at = self._dragged_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn or move the atoms."""
        if self._dragged_from is None:
            return
        change = event.position() - self._dragged_from
        self._dragged_from = event.position()
        self.setCamera(dragged(self._camera, change, event.buttons(), event.modifiers()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Pick an atom where the mouse was not moved."""
        start, self._pressed_at, self._dragged_from = self._pressed_at, None, None
        if start is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if (event.position() - start).manhattanLength() < 4:
            self.setSelected(self.atomAt(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fit where no atom is."""
        if self.atomAt(event.position()) < 0:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Enlarge around the pointer."""
        factor = 1.0015 ** event.angleDelta().y()
        at = event.position()
        self.setCamera(self._camera.zoomed(factor, (at.x(), at.y()), (self.width(), self.height())))
        event.accept()
