"""How all figures look: size, colours, axes without ornament.

Figures are made without pyplot, so nothing global changes and no window can open. Colours are those of M. Okabe and K. Ito,
which stay apart for colour-blind readers and in grey print.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nequip_openmm.runs import atomic_write

__all__ = [
    "BLUE",
    "FONT",
    "GREEN",
    "GREY",
    "INK",
    "LIGHT",
    "ORANGE",
    "make_figure",
    "save",
    "set_title",
    "style",
]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6B6B6B"
LIGHT, INK = "#D9D9D9", "#222222"
DPI = 200
FONT = 9.0


def make_figure(
    rows: int,
    columns: int,
    *,
    width: float,
    height: float,
    height_ratios: Sequence[float] | None = None,
    sharex: Literal["none", "col"] = "none",
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of so many inches and its styled axes, row by row."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, height_ratios=height_ratios)
    axes = [list(row) for row in grid]
    for row in axes:
        for axis in row:
            style(axis)
    return figure, axes


def style(axis: Axes) -> None:
    """Take away what carries no information; make the rest legible."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(GREY)
    axis.tick_params(which="both", labelsize=FONT, color=GREY, labelcolor=INK, length=3)
    axis.tick_params(which="minor", length=2)
    axis.grid(which="major", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set_fontsize(FONT + 0.5)
        label.set_color(INK)


def set_title(
    axis: Axes, text: str, *, loc: Literal["left", "right"] = "left", color: str = INK
) -> None:
    """Write a title at the left, or a result at the right, above the axes."""
    axis.set_title(text, loc=loc, color=color, fontsize=FONT + (1.0 if loc == "left" else 0.0))


def save(figure: Figure, path: Path | str) -> Path:
    """Write a PNG, whole or not at all."""
    target = Path(path)
    with atomic_write(target) as temporary:
        figure.savefig(temporary, format="png")
    return target
