"""Writes what a plot shows."""

from __future__ import annotations

import csv
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QPainter, QPixmap, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from gui.theme import theme

__all__ = ["write_csv", "write_png", "write_svg"]

SCALE = 2  # sharp in print


def write_csv(
    path: Path, x_title: str, unit: str, data: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Write the points of each curve as two columns side by side; raises OSError."""
    header, columns = [], []
    for name, (x, y) in data.items():
        header += [x_title or "x", f"{name} / {unit}" if unit else name]
        columns += [x.tolist(), y.tolist()]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(zip_longest(*columns, fillvalue=""))


def write_svg(path: Path, widget: QWidget) -> None:
    """Write a widget as vectors; raises OSError.

    pyqtgraph's own exporter fails on paths with curves (ValueError), such as those of round marks.
    """
    with path.open("wb"):  # the generator would say nothing of a place that cannot be written
        pass
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(widget.size())
    generator.setViewBox(widget.rect())
    generator.setTitle(path.stem)
    painter = QPainter(generator)
    painter.fillRect(widget.rect(), theme().colour("surface"))
    widget.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    painter.end()


def write_png(path: Path, widget: QWidget) -> None:
    """Write a widget as a picture of twice its size; raises OSError."""
    picture = QPixmap(QSize(widget.width(), widget.height()) * SCALE)
    picture.setDevicePixelRatio(SCALE)
    picture.fill(theme().colour("surface"))
    widget.render(picture)
    if not picture.save(str(path), "PNG"):
        raise OSError(f"{path}: the picture cannot be written")
