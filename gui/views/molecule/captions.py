"""Words on the 3D view: what the colours mean, and what is known of the picked atom."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QLinearGradient,
    QPainter,
    QPalette,
    QPen,
    QRadialGradient,
)

from gui.core.atoms import Colouring, Look, Picture, Snapshot
from gui.core.colour_maps import viridis
from gui.core.elements import element_colours, symbol

__all__ = ["atom_text", "paint_label", "paint_legend"]

_TITLES: dict[Colouring, str] = {
    "force": "|F|  eV/Å",
    "velocity": "|v|",
    "value": "value",
}
_MARGIN, _CHIP = 12, 14  # pixels
_KINDS_AT_MOST = 8


def atom_text(snapshot: Snapshot, atom: int) -> list[str]:
    """Return what is known of an atom, a line each; numbered from 0 as in files and scripts."""
    place = "  ".join(f"{x:.3f}" for x in snapshot.positions[atom])
    lines = [f"{symbol(int(snapshot.numbers[atom]))}  atom {atom}", f"r  {place} Å"]
    if snapshot.forces is not None:
        lines.append(f"|F|  {np.linalg.norm(snapshot.forces[atom]):.3f} eV/Å")
    if snapshot.beads is not None:
        spread = snapshot.beads[:, atom] - snapshot.beads[:, atom].mean(axis=0)
        lines.append(f"r_g  {np.sqrt((spread**2).sum(axis=1).mean()):.3f} Å")
    if snapshot.values is not None:
        lines.append(f"value  {snapshot.values[atom]:.4g}")
    return lines


def paint_label(
    painter: QPainter, at: QPointF, lines: list[str], inside: QRect, palette: QPalette
) -> None:
    """Paint lines of text in a box right of a place, or left of it where there is no room."""
    metrics = QFontMetricsF(painter.font())
    width = max(metrics.horizontalAdvance(line) for line in lines) + 20
    height = metrics.lineSpacing() * len(lines) + 14
    x = at.x() if at.x() + width < inside.right() - 4 else max(at.x() - width - 48, 4.0)
    y = min(max(at.y() - height / 2, 4.0), inside.bottom() - height - 4)
    box = QRectF(x, y, width, height)
    back = palette.color(QPalette.ColorRole.Window)
    back.setAlphaF(0.92)
    painter.setBrush(back)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
    painter.drawRoundedRect(box, 6, 6)
    painter.setPen(palette.color(QPalette.ColorRole.WindowText))
    bold, plain = QFont(painter.font()), QFont(painter.font())
    bold.setBold(True)
    for k, line in enumerate(lines):
        painter.setFont(bold if k == 0 else plain)
        baseline = box.top() + 7 + metrics.ascent() + k * metrics.lineSpacing()
        painter.drawText(QPointF(box.left() + 10, baseline), line)
    painter.setFont(plain)


def paint_legend(
    painter: QPainter,
    inside: QRect,
    palette: QPalette,
    snapshot: Snapshot,
    look: Look,
    picture: Picture,
) -> None:
    """Paint what the colours mean: elements with their numbers of atoms, or a bar with its range."""
    if not len(snapshot):
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if look.shows_forces and snapshot.forces is not None:
        _paint_longest(painter, inside, palette, snapshot)
    if picture.range is None:
        _paint_elements(painter, inside, palette, snapshot)
    else:
        _paint_bar(painter, inside, palette, _TITLES[look.colouring], picture.range)


def _paint_longest(painter: QPainter, inside: QRect, palette: QPalette, snapshot: Snapshot) -> None:
    """Tell how strong the strongest force is, by which the arrows can be measured."""
    if snapshot.forces is None:
        return
    strongest = float(np.nanmax(np.linalg.norm(snapshot.forces, axis=1), initial=0.0))
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    corner = QRectF(inside).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
    painter.drawText(corner, side, f"longest arrow {strongest:.3g} eV/Å")


def _paint_elements(
    painter: QPainter, inside: QRect, palette: QPalette, snapshot: Snapshot
) -> None:
    kinds, counts = np.unique(snapshot.numbers, return_counts=True)
    if len(kinds) > _KINDS_AT_MOST:
        return
    metrics = QFontMetricsF(painter.font())
    x, middle = float(inside.left() + _MARGIN), inside.bottom() - _MARGIN - _CHIP / 2
    ink = palette.color(QPalette.ColorRole.Text)
    for kind, count, colour in zip(kinds, counts, element_colours(kinds)):
        _paint_chip(painter, QPointF(x + _CHIP / 2, middle), QColor.fromRgbF(*colour))
        text = f"{symbol(int(kind))} {count:,}"
        painter.setPen(ink)
        x += _CHIP + 6
        painter.drawText(QPointF(x, middle + metrics.capHeight() / 2), text)
        x += metrics.horizontalAdvance(text) + 16


def _paint_chip(painter: QPainter, centre: QPointF, colour: QColor) -> None:
    """Paint a small ball."""
    radius = _CHIP / 2
    light = QRadialGradient(centre, radius, centre - QPointF(0.35, 0.4) * radius)
    light.setColorAt(0, colour.lighter(125))
    light.setColorAt(1, colour.darker(135))
    painter.setBrush(light)
    painter.setPen(QPen(colour.darker(170), 0.8))
    painter.drawEllipse(centre, radius - 0.5, radius - 0.5)


def _paint_bar(
    painter: QPainter,
    inside: QRect,
    palette: QPalette,
    title: str,
    limits: tuple[float, float],
) -> None:
    metrics = QFontMetricsF(painter.font())
    length, thickness = min(180.0, inside.width() * 0.5), 10.0
    bar = QRectF(
        inside.left() + _MARGIN,
        inside.bottom() - _MARGIN - metrics.height() - thickness - 2,
        length,
        thickness,
    )
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for at in np.linspace(0, 1, 11):
        gradient.setColorAt(float(at), QColor.fromRgbF(*viridis(np.array([at]))[0]))
    painter.setBrush(gradient)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
    painter.drawRoundedRect(bar, 3, 3)
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    painter.drawText(bar.topLeft() - QPointF(0, 5), title)
    below = QRectF(bar.left(), bar.bottom() + 2, length, metrics.height())
    for text, side in zip(limits, (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)):
        painter.drawText(below, side, f"{text:.3g}")
