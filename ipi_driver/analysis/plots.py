"""Pictures of path-integral runs; each function writes one PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from ipi_driver.analysis.averages import Element, Summary
from ipi_driver.analysis.columns import Series
from ipi_driver.analysis.distributions import Distributions
from ipi_driver.analysis.run import Run
from nequip_openmm.analysis.figures import (
    BLUE,
    FONT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    make_figure,
    save,
    set_title,
)
from nequip_openmm.analysis.statistics import Mean

__all__ = ["plot_beads", "plot_convergence", "plot_distributions", "plot_elements", "plot_time"]

FloatArray = NDArray[np.float64]
SHADES = colormaps["viridis_r"]  # from few beads to many
COLUMNS = 3  # panels beside one another
CV, TD = (BLUE, "centroid-virial"), (ORANGE, "primitive")


def plot_elements(summary: Summary, path: Path) -> Path:
    """Draw kinetic energies and radii of gyration by element, with what classical and free particles have."""
    elements = summary.elements or (summary.total,)
    figure, axes = make_figure(1, 2, width=7.2, height=3.0)
    left, right = axes[0]
    _points(left, elements, lambda one: one.kinetic_cv, *CV, shift=-0.08, factor=1000.0)
    _points(left, elements, lambda one: one.kinetic_td, *TD, shift=0.08, factor=1000.0)
    _classical(left, summary)
    set_title(left, "kinetic energy (meV/atom)")
    _points(right, elements, lambda one: one.r_gyration, BLUE, "simulated", shift=0.0, factor=1.0)
    for k, one in enumerate(elements):
        if one.free_gyration is not None:
            label = "free particle" if k == 0 else None
            right.plot([k - 0.2, k + 0.2], [one.free_gyration] * 2, color=GREY, lw=1.4, label=label)
    set_title(right, "radius of gyration (Å)")
    for axis in axes[0]:
        axis.set_xticks(range(len(elements)), [one.name for one in elements])
        axis.set_xlim(-0.6, len(elements) - 0.4)
        axis.set_ylim(bottom=0.0)
    _legend(figure, left, right)
    return save(figure, path)


def plot_time(run: Run, summary: Summary, path: Path) -> Path | None:
    """Draw the conserved quantity and the kinetic energies over time; None if neither was printed."""
    n_atoms = len(run.symbols)
    per_atom = 1000.0 / n_atoms
    kinetic = [(name, pair) for name, pair in (("kinetic_cv", CV), ("kinetic_td", TD)) if name in run.series]  # fmt: skip
    conserved = run.series.get("conserved")
    count = bool(kinetic) + (conserved is not None)
    if count == 0:
        return None
    figure, axes = make_figure(count, 1, width=6.8, height=0.8 + 2.0 * count, sharex="col")
    if conserved is not None:
        axis = axes[0][0]
        values = (conserved.values - conserved.values[0]) * per_atom
        axis.plot(conserved.time, values, color=INK, linewidth=0.9)
        set_title(axis, "conserved quantity (meV/atom), from its first value")
        if summary.drift is not None:
            slope = f"{summary.drift.mev_per_atom_per_ps:.2g}".replace("-", "−")
            set_title(axis, f"drift {slope} meV/atom/ps", loc="right")
    if kinetic:
        axis = axes[-1][0]
        for name, (color, label) in kinetic:
            _running(axis, run.series[name], per_atom, color, label)
        _classical(axis, summary)
        set_title(axis, "kinetic energy (meV/atom): samples and mean so far")
    axes[-1][0].set_xlabel("time (ps)")
    _legend(figure, axes[-1][0])
    return save(figure, path)


def plot_distributions(distributions: Distributions, path: Path) -> Path:
    """Draw distances between elements, of beads and of centroids."""
    curves = [("beads", distributions.r, distributions.beads)]
    curves.append(("centroid", distributions.r, distributions.centroid))
    return _draw_pairs(curves, (BLUE, ORANGE), path, is_periodic=distributions.is_periodic)


def plot_beads(family: Mapping[int, Distributions], path: Path) -> Path:
    """Draw distances between elements for several numbers of beads, classical ones (1 bead) among them."""
    curves = [
        ("classical" if n == 1 else f"{n} beads", one.r, one.beads) for n, one in family.items()
    ]
    colours = [SHADES(k / max(1, len(curves) - 1)) for k in range(len(curves))]
    is_periodic = all(one.is_periodic for one in family.values())
    return _draw_pairs(curves, colours, path, is_periodic=is_periodic)


def _draw_pairs(
    curves: Sequence[tuple[str, FloatArray, dict[tuple[str, str], FloatArray]]],
    colours: Sequence[Any],
    path: Path,
    *,
    is_periodic: bool,
) -> Path:
    """Draw a panel for each pair of elements, with the curves (label, r, by pair) that know it."""
    pairs = list(dict.fromkeys(pair for _, _, one in curves for pair in one))
    columns = 2 if len(pairs) == 4 else min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    figure, axes = make_figure(rows, columns, width=1.0 + 2.6 * columns, height=0.5 + 2.1 * rows)
    flat = [axis for row in axes for axis in row]
    for axis in flat[len(pairs) :]:
        axis.set_axis_off()
    for axis, pair in zip(flat, pairs):
        drawn = [(label, r, one[pair], colour) for (label, r, one), colour in zip(curves, colours) if pair in one]  # fmt: skip
        for label, r, curve, colour in drawn:
            axis.plot(r, curve, color=colour, linewidth=1.2, label=label)
        set_title(axis, f"{pair[0]}–{pair[1]}")
        axis.set_ylim(bottom=0.0)
        axis.set_xlim(_shortest([(r, curve) for _, r, curve, _ in drawn]), drawn[0][1][-1])
        axis.set_xlabel("distance (Å)")
        if is_periodic:
            _cut_intramolecular(axis, max(curve.max() for _, _, curve, _ in drawn))
    _legend(figure, flat[0])
    for row in axes:
        row[0].set_ylabel("g(r)" if is_periodic else "probability (1/Å)")
    return save(figure, path)


def plot_convergence(summaries: Sequence[Summary], path: Path) -> Path:
    """Draw the kinetic energy of every element against the number of beads."""
    names = [one.name for one in summaries[-1].elements] or ["all"]
    figure, axes = make_figure(1, len(names), width=1.0 + 2.6 * len(names), height=2.9)
    for axis, name in zip(axes[0], names):
        for quantity, (color, label) in (("kinetic_cv", CV), ("kinetic_td", TD)):
            found = [
                (summary.n_beads, getattr(one, quantity))
                for summary in summaries
                for one in (*summary.elements, summary.total)
                if one.name == name and getattr(one, quantity) is not None
            ]
            beads = [n for n, _ in found]
            values = [1000.0 * mean.value for _, mean in found]
            errors = [1000.0 * _error(mean) for _, mean in found]
            axis.errorbar(beads, values, errors, fmt="o-", color=color, ms=4, lw=1.0, capsize=2.5, label=label)  # fmt: skip
        _classical(axis, summaries[0])
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_locator(FixedLocator(sorted({one.n_beads for one in summaries})))
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("beads")
        axis.set_ylim(bottom=0.0)
        set_title(axis, f"{name}: kinetic energy (meV/atom)")
    _legend(figure, axes[0][0])
    return save(figure, path)


def _points(
    axis: Axes,
    elements: Sequence[Element],
    quantity: Callable[[Element], Mean | None],
    color: str,
    label: str,
    *,
    shift: float,
    factor: float,
) -> None:
    """Draw a quantity with its errors beside the name of each element."""
    found = [(k, quantity(one)) for k, one in enumerate(elements)]
    known = [(k, mean) for k, mean in found if mean is not None]
    if known:
        x = [k + shift for k, _ in known]
        y = [factor * mean.value for _, mean in known]
        errors = [factor * _error(mean) for _, mean in known]
        axis.errorbar(x, y, errors, fmt="o", color=color, ms=5, capsize=3, label=label)


def _classical(axis: Axes, summary: Summary) -> None:
    axis.axhline(1000.0 * summary.classical, color=GREEN, lw=1.2, ls=(0, (4, 3)), label="classical")


def _running(axis: Axes, series: Series, factor: float, color: str, label: str) -> None:
    values = series.values * factor
    axis.plot(series.time, values, color=color, linewidth=0.5, alpha=0.3)
    mean = np.cumsum(values) / np.arange(1, len(values) + 1)
    axis.plot(series.time, mean, color=color, linewidth=1.8, label=label)


def _shortest(curves: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Return where the first of the curves (r, values) begins, with a margin, Å."""
    return max(0.0, min(float(r[(values > 0.0).argmax()]) for r, values in curves) - 0.2)


def _legend(figure: Figure, *axes: Axes) -> None:
    """Write what the curves of some axes are below the figure."""
    pairs = [axis.get_legend_handles_labels() for axis in axes]
    handles = [handle for one, _ in pairs for handle in one]
    labels = [label for _, one in pairs for label in one]
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=FONT
        )


def _cut_intramolecular(axis: Axes, peak: float) -> None:
    """Keep bonds, whose peaks are tens of times higher, from hiding the structure of a liquid."""
    if peak > 8.0:
        axis.set_ylim(0.0, 4.0)
        axis.text(0.97, 0.94, f"peak {peak:.0f}", transform=axis.transAxes, ha="right", va="top",
                  fontsize=FONT, color=GREY)  # fmt: skip


def _error(mean: Mean) -> float:
    """Return the error to draw, none where it is not known."""
    return mean.error if np.isfinite(mean.error) else 0.0
