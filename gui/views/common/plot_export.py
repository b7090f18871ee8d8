"""Writes what a plot shows."""

from __future__ import annotations

import csv
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize
from PySide6.QtGui import QPixmap
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


def write_svg(path: Path, plot: pg.PlotWidget) -> None:
    """Write a plot as vectors; raises OSError."""
    from pyqtgraph.exporters import SVGExporter

    path.write_bytes(SVGExporter(plot.getPlotItem()).export(toBytes=True))


def write_png(path: Path, widget: QWidget) -> None:
    """Write a widget as a picture of twice its size; raises OSError."""
    picture = QPixmap(QSize(widget.width(), widget.height()) * SCALE)
    picture.setDevicePixelRatio(SCALE)
    picture.fill(theme().colour("surface"))
    widget.render(picture)
    if not picture.save(str(path), "PNG"):
        raise OSError(f"{path}: the picture cannot be written")
