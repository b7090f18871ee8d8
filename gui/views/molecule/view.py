"""The 3D view: balls and sticks, painted without OpenGL, so that it works on every screen and on none."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.core.atoms import Colouring, Look, Picture, Snapshot, prepare
from gui.core.bonds import Bonds
from gui.core.scene import Kind
from gui.views.molecule.acceleration import acceleration
from gui.views.molecule.canvas import Canvas, background
from gui.views.molecule.captions import atom_text, paint_label, paint_legend
from gui.views.molecule.saving import save_image
from gui.views.molecule.steered import SteeredView
from gui.views.molecule.steering import key_action

__all__ = ["MoleculeView"]

FloatArray = NDArray[np.float64]

_QUICK_FROM = 4000  # atoms, from which sticks are left out while things move
_STREAM_S = 0.4  # between frames that come by themselves
_BONDS_LAST = 10  # frames for which bonds are kept where there are many atoms


class MoleculeView(SteeredView):
    """Shows atoms; a person may turn, move and enlarge them and pick one.

    Mouse: drag to turn, with Shift or the middle button to move, with Ctrl to roll, wheel to enlarge, click to pick, double
    click to fit. Keys: arrows turn (with Shift: move), + and - enlarge, F fits, X Y Z look along an axis, C cell, V forces,
    B bonds, W wrap, Esc picks nothing.
    """

    picked = Signal(int)
    """An atom was picked; -1 for none."""
    lookChanged = Signal()
    """Colouring, cell, forces, bonds, wrapping or perspective changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._numbers = np.empty(0, int)
        self._pbc = np.zeros(3, bool)
        self._snapshot: Snapshot | None = None
        self._look = Look()
        self._picture: Picture | None = None
        self._bonds: Bonds | None = None
        self._bonds_age = 0
        self._image: QImage | None = None
        self._canvas = Canvas()
        self._selected = -1
        self._is_fitted = False
        self._is_quick = False
        self._framed_at = 0.0
        self._settle = QTimer(self, singleShot=True, interval=180)
        self._settle.timeout.connect(self._draw_fully)
        self._placeholder = "No structure"
        acceleration().changed.connect(self._redraw)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("3D view")
        self.setToolTip("")

    # content

    def setAtoms(self, numbers: NDArray[np.int64], pbc: NDArray[np.bool_] | bool = False) -> None:
        """Begin with other atoms: atomic numbers (N,), and along which of the cell's vectors they repeat."""
        self._numbers = np.asarray(numbers, int)
        self._pbc = np.broadcast_to(np.asarray(pbc, bool), (3,))
        self._snapshot = self._bonds = self._picture = None
        self._framed_at = 0.0
        self._is_fitted = False
        self.setSelected(-1)
        self._describe()
        self._redraw()

    def setFrame(
        self,
        positions: FloatArray,
        cell: FloatArray | None = None,
        forces: FloatArray | None = None,
        velocities: FloatArray | None = None,
        beads: FloatArray | None = None,
        values: FloatArray | None = None,
    ) -> None:
        """Show the atoms at these places.

        Parameters
        ----------
        positions
            (N, 3) Å; of the centroids if there are beads.
        cell
            (3, 3) Å, rows are vectors.
        forces
            (N, 3) eV/Å.
        velocities
            (N, 3).
        beads
            (P, N, 3) Å.
        values
            (N,) to colour by.

        Raises
        ------
        ValueError
            If there are not as many positions as atoms.
        """
        positions = np.asarray(positions, float)
        if positions.shape != (len(self._numbers), 3):
            raise ValueError(
                f"positions of shape {positions.shape} do not fit {len(self._numbers)} atoms; call setAtoms before"
            )
        box = np.zeros((3, 3)) if cell is None else np.asarray(cell, float) * self._pbc[:, None]
        self._follow_drift(positions, box)
        self._snapshot = Snapshot(self._numbers, positions, box, forces, velocities, beads, values)
        self._bonds_age += 1
        if len(positions) < _QUICK_FROM or self._bonds_age >= _BONDS_LAST:
            self._bonds, self._bonds_age = None, 0
        is_stream, self._framed_at = (
            time.monotonic() - self._framed_at < _STREAM_S,
            time.monotonic(),
        )
        if is_stream:
            self._hurry()
        self._prepare()
        if not self._is_fitted and len(positions):
            self.fit()

    def clear(self, text: str = "No structure") -> None:
        """Show nothing but a line of text."""
        self._placeholder = text
        self.setAtoms(np.empty(0, int))

    def snapshot(self) -> Snapshot | None:
        """Return what is shown."""
        return self._snapshot

    def picture(self) -> Picture | None:
        """Return what is shown, made ready to be painted."""
        return self._picture

    # look

    def look(self) -> Look:
        """Return what is shown of the atoms."""
        return self._look

    def setLook(self, **changes: object) -> None:
        """Change fields of `Look`."""
        look = replace(self._look, **changes)  # type: ignore[arg-type]
        if look != self._look:
            if look.shows_bonds != self._look.shows_bonds:
                self._bonds = None
            self._look = look
            self._prepare()
            if self._is_untouched:  # arrows and the cell need room
                self.fit()
            self.lookChanged.emit()

    def setColouring(self, colouring: Colouring, limits: tuple[float, float] | None = None) -> None:
        """Colour by "element", "force", "velocity" or "value"; ``limits`` of the colours, None for those of the frame."""
        self.setLook(colouring=colouring, range=limits)

    def setCellShown(self, shown: bool) -> None:
        """Show the periodic cell or not."""
        self.setLook(shows_cell=shown)

    def setForcesShown(self, shown: bool, scale: float | None = None) -> None:
        """Show forces as arrows, ``scale`` Å long for each eV/Å."""
        self.setLook(shows_forces=shown, force_scale=scale or self._look.force_scale)

    # camera

    def fit(self) -> None:
        """Show everything, in the middle."""
        if self._picture is None or not len(self._numbers):
            return
        parts = self._picture.parts
        lines = [one.reshape(-1, 3) for one in (parts.edges, parts.arrows) if one is not None]
        points = np.concatenate([parts.atoms.positions, *lines])
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            self._camera = self._camera.fitted(points, self.width(), self.height())
            self._is_fitted = self._is_untouched = True
        self._redraw()

    # picking

    def selected(self) -> int:
        """Return the picked atom, -1 for none."""
        return self._selected

    def setSelected(self, atom: int) -> None:
        """Pick an atom, -1 for none."""
        atom = atom if 0 <= atom < len(self._numbers) else -1
        if atom != self._selected:
            self._selected = atom
            self._describe()
            self.picked.emit(atom)
            self.update()

    def atomAt(self, point: QPoint | QPointF) -> int:
        """Return the atom that is seen at a place of the widget, -1 for none."""
        if self._canvas.scene is None:
            return -1
        ratio = self.devicePixelRatioF()
        return self._canvas.scene.ball_at(point.x() * ratio, point.y() * ratio, len(self._numbers))

    # images

    def saveImage(self, path: Path | str, scale: float = 2.0) -> None:
        """Write what is seen as PNG (``scale`` pixels for each of the screen's) or SVG, by the path's suffix.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        save_image(self, Path(path), scale)

    def paintOn(
        self, painter: QPainter, pixels: QSize, ratio: float, as_drawing: bool = False
    ) -> None:
        """Paint all but what is picked.

        Parameters
        ----------
        pixels, ratio
            How many there are, and how many for each of the screen's; one is the painter's unit.
        as_drawing
            Whether to use curves and gradients instead of pictures of balls.
        """
        painter.fillRect(QRect(QPoint(0, 0), pixels), background(self.palette()))
        if self._picture is None:
            return
        if as_drawing:
            self._canvas.paint_vectors(painter, self._picture, self._camera, pixels, self.palette())
        else:
            self._canvas.paint(painter, self._picture, self._camera, pixels, ratio, self.palette())
        painter.save()
        painter.scale(ratio, ratio)
        self._paint_legend(painter)
        painter.restore()

    def sizeHint(self) -> QSize:
        """Return the size that suits a view."""
        return QSize(420, 360)

    # events

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the atoms, which are kept as an image, and what lies on top."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._snapshot is None or self._picture is None:
            painter.fillRect(self.rect(), background(self.palette()))
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._placeholder)
            self._paint_focus(painter)
            return
        ratio = self.devicePixelRatioF()
        if self._image is None or self._image.devicePixelRatio() != ratio:
            self._image = self._canvas.image(
                self._picture, self._camera, self.size(), ratio, self.palette(), self._is_quick
            )
        painter.drawImage(QPoint(0, 0), self._image)
        self._paint_legend(painter)
        self._paint_selection(painter, ratio)
        self._paint_focus(painter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what was fitted fitted."""
        old = event.oldSize()
        if old.isValid() and self._is_fitted and min(old.width(), old.height()) > 0:
            growth = min(self.width(), self.height()) / min(old.width(), old.height())
            self._camera = replace(self._camera, scale=self._camera.scale * growth)
        elif self._picture is not None:
            self.fit()
        self._redraw()

    def changeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Follow the theme."""
        super().changeEvent(event)
        self._redraw()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Turn, move, enlarge, or change the look."""
        action = key_action(self, Qt.Key(event.key()), event.modifiers())
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what keys do as a menu."""
        from gui.views.molecule.menu import molecule_menu

        menu = molecule_menu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    # inside

    def _follow_drift(self, positions: FloatArray, cell: FloatArray) -> None:
        """Let the eye follow a molecule that drifts through empty space."""
        if self._is_fitted and self._snapshot is not None and not np.any(cell):
            change = positions.mean(axis=0) - self._snapshot.positions.mean(axis=0)
            if np.isfinite(change).all():
                self._camera = replace(self._camera, centre=self._camera.centre + change)

    def _prepare(self) -> None:
        if self._snapshot is not None:
            self._picture = prepare(self._snapshot, self._look, self._bonds)
            self._bonds = self._picture.bonds
            self._describe()
        self._redraw()

    def _move(self) -> None:
        """Redraw while a person moves something."""
        self._hurry()
        self._redraw()

    def _hurry(self) -> None:
        """Paint quickly until nothing has moved for a moment, where there are many atoms."""
        if len(self._numbers) >= _QUICK_FROM:
            self._is_quick = True
            self._settle.start()

    def _draw_fully(self) -> None:
        self._is_quick = False
        self._redraw()

    def _redraw(self) -> None:
        self._image = None
        self.update()

    def _paint_legend(self, painter: QPainter) -> None:
        if self._snapshot is not None and self._picture is not None:
            painter.setFont(self.font())
            paint_legend(
                painter, self.rect(), self.palette(), self._snapshot, self._look, self._picture
            )

    def _paint_selection(self, painter: QPainter, ratio: float) -> None:
        if self._selected < 0 or self._canvas.scene is None or self._snapshot is None:
            return
        is_it = (self._canvas.scene.kind == Kind.BALL) & (
            self._canvas.scene.index == self._selected
        )
        found = np.flatnonzero(is_it)
        if not len(found):
            return
        x, y = self._canvas.scene.start[found[0]] / ratio
        radius = float(self._canvas.scene.radius[found[0]]) / ratio + 3
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(background(self.palette()), 5))
        painter.drawEllipse(QPointF(x, y), radius, radius)
        painter.setPen(QPen(accent, 2.5))
        painter.drawEllipse(QPointF(x, y), radius, radius)
        text = atom_text(self._snapshot, self._selected)
        paint_label(painter, QPointF(x + radius + 6, y), text, self.rect(), self.palette())

    def _paint_focus(self, painter: QPainter) -> None:
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _describe(self) -> None:
        """Tell a screen reader what is seen."""
        if self._snapshot is None:
            self.setAccessibleDescription(self._placeholder)
            return
        text = f"{len(self._numbers)} atoms"
        if self._selected >= 0:
            text += "; picked " + ", ".join(atom_text(self._snapshot, self._selected))
        self.setAccessibleDescription(text)


def _demo() -> QWidget:
    """Return a view of water with made-up forces."""
    from gui.demo.molecules import random_vectors, water

    view = MoleculeView()
    atoms = water()
    view.setAtoms(atoms.numbers, True)
    view.setFrame(atoms.positions, atoms.cell, forces=random_vectors(len(atoms.numbers)))
    return view


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 520)
