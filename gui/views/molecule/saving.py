"""Writes what a 3D view shows as PNG or SVG."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

if TYPE_CHECKING:
    from gui.session import Session
    from gui.views.molecule.view import MoleculeView

__all__ = ["ask_and_save", "save_image"]

_SCALE = 3.0  # pixels for each of the screen's: sharp in print


def ask_and_save(session: Session, view: MoleculeView, name: str = "structure") -> None:
    """Ask where to write an image, and write it; a failure is told as a notification."""

    def save(path: Path) -> None:
        try:
            save_image(view, path, _SCALE)
        except OSError as error:
            session.notifications.error(f"{path} cannot be written: {error.strerror}")

    kinds = "PNG picture (*.png);;SVG drawing (*.svg)"
    session.dialogs.save_file("Save image", save, name=f"{name}.png", kinds=kinds)


def save_image(view: MoleculeView, path: Path, scale: float) -> None:
    """Write a PNG with ``scale`` pixels for each of the screen's, or an SVG, which has none.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    if path.suffix.lower() == ".svg":
        _save_svg(view, path)
        return
    size = view.size() * scale
    image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(image)
    view.paintOn(painter, size, scale)
    painter.end()
    if not image.save(str(path)):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


def _save_svg(view: MoleculeView, path: Path) -> None:
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    size = QSize(view.width(), view.height())
    generator.setSize(size)
    generator.setViewBox(QRect(0, 0, size.width(), size.height()))
    generator.setResolution(view.logicalDpiX())  # else letters are smaller than on the screen
    generator.setTitle("Molecule")
    painter = QPainter()
    if not painter.begin(generator):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    view.paintOn(painter, size, 1.0, as_drawing=True)
    painter.end()
