"""Pictures of runs: learning curves, parity of predictions, thermodynamics.

Each function writes one PNG.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.analysis.figures import (
    BLUE,
    FONT,
    GREEN,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    make_figure,
    save,
    set_title,
)
from nequip_openmm.analysis.statistics import (
    block_average,
    energy_drift,
    read_columns,
    read_thermo,
)
from nequip_openmm.errors import DataError

__all__ = ["plot_learning_curves", "plot_parity", "plot_thermo"]

FloatArray = NDArray[np.float64]

MANY_POINTS = 4000  # more than so many are drawn as a density


# --- learning curves ----------------------------------------------------------------------------------------------------


def plot_learning_curves(metrics_csv: Path | str, path: Path | str) -> Path:
    """Draw loss, energy error and force error over the epochs, of training and validation frames.

    Parameters
    ----------
    metrics_csv
        ``metrics.csv`` of a training run.
    path
        PNG to write.

    Raises
    ------
    DataError
        If the file is no ``metrics.csv`` or has no epoch yet.
    """
    columns = read_columns(Path(metrics_csv))
    epochs = columns.get("epoch")
    if epochs is None or len(epochs) == 0:
        raise DataError(f"{metrics_csv}: has no epochs to draw")
    figure, axes = make_figure(1, 3, width=9.6, height=2.9)
    best = _best_epoch(columns)
    for axis, (name, title) in zip(axes[0], _CURVES):
        _draw_curves(axis, columns, name, best)
        set_title(axis, title)
        axis.set_xlabel("epoch")
    _label_curves(axes[0][0], columns)
    return save(figure, path)


_CURVES = (
    ("loss", "loss"),
    ("energy_mae_mev_per_atom", "energy MAE (meV/atom)"),
    ("forces_mae_mev_per_angstrom", "force MAE (meV/Å)"),
)


def _best_epoch(columns: dict[str, FloatArray]) -> int | None:
    """Return the row with the smallest validation loss."""
    loss = columns.get("valid_loss")
    if loss is None or not np.isfinite(loss).any():
        return None
    return int(np.nanargmin(loss))


def _draw_curves(axis: Axes, columns: dict[str, FloatArray], name: str, best: int | None) -> None:
    epochs = columns["epoch"]
    train, valid = columns.get(f"train_{name}"), columns.get(f"valid_{name}")
    if train is not None:
        _line(axis, epochs, train, color=GREY, linewidth=1.0)
    if valid is not None:
        _line(axis, epochs, valid, color=BLUE, linewidth=1.6)
        if best is not None and np.isfinite(valid[best]):
            _mark_best(axis, epochs[best], valid[best], name, is_late=best > 0.8 * len(epochs))
    _log_axis(axis, [values for values in (train, valid) if values is not None])
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _mark_best(axis: Axes, epoch: float, value: float, name: str, *, is_late: bool) -> None:
    axis.plot(epoch, value, "o", color=BLUE, markersize=5, markeredgecolor="white", zorder=5)
    if name != "loss":
        axis.annotate(
            f"{value:.3g}",
            (epoch, value),
            xytext=(3 if is_late else 0, 7),
            textcoords="offset points",
            ha="right" if is_late else "center",
            color=BLUE,
            fontsize=FONT,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _label_curves(axis: Axes, columns: dict[str, FloatArray]) -> None:
    """Name the two curves in their own colours."""
    for height, key, text, color in (
        (0.95, "valid_loss", "validation, ● best epoch", BLUE),
        (0.86, "train_loss", "training", GREY),
    ):
        if key in columns:
            axis.text(0.97, height, text, transform=axis.transAxes, ha="right", va="top",
                      color=color, fontsize=FONT)  # fmt: skip


def _line(axis: Axes, x: FloatArray, y: FloatArray, *, color: str, linewidth: float) -> None:
    """Draw what is finite; a run of one epoch is a point."""
    kept = np.isfinite(y) & (y > 0)
    marker = "o" if kept.sum() == 1 else None
    axis.plot(x[kept], y[kept], color=color, linewidth=linewidth, marker=marker, markersize=3)


def _log_axis(axis: Axes, series: Sequence[FloatArray]) -> None:
    """Make y logarithmic, with plain numbers at 1, 2, 5 where it spans little."""
    values = np.concatenate(series) if series else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) == 0:
        return
    axis.set_yscale("log")
    spans_little = values.max() / values.min() < 100
    axis.yaxis.set_major_formatter(_Plain())
    axis.yaxis.set_minor_formatter(
        _Plain(minor_thresholds=(2, 0.8)) if spans_little else NullFormatter()
    )


class _Plain(LogFormatter):
    """Log-axis labels as 0.2, 5, 300 instead of powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label, empty where matplotlib's rule would leave it out."""
        return f"{x:g}" if super().__call__(x, pos) else ""


# --- parity -------------------------------------------------------------------------------------------------------------


def plot_parity(
    reference_energy: ArrayLike,
    predicted_energy: ArrayLike,
    reference_forces: ArrayLike,
    predicted_forces: ArrayLike,
    path: Path | str,
) -> Path:
    """Draw predictions against references, and their differences below.

    Parameters
    ----------
    reference_energy, predicted_energy
        (F,) eV/atom. Drawn relative to the mean of the references.
    reference_forces, predicted_forces
        (N, 3) eV/Å, all components.
    path
        PNG to write.

    What is NaN in a pair is left out.

    Raises
    ------
    DataError
        If neither energies nor forces are left.
    """
    energy = _pairs(reference_energy, predicted_energy)
    forces = _pairs(reference_forces, predicted_forces)
    if len(energy[0]) == 0 and len(forces[0]) == 0:
        raise DataError("there are neither energies nor forces to compare")
    origin = energy[0].mean() if len(energy[0]) else 0.0
    panels = (
        ("energy", "meV/atom", tuple(1000.0 * (values - origin) for values in energy), 1.0),
        ("force components", "eV/Å", forces, 1000.0),
    )
    figure, axes = make_figure(2, 2, width=6.8, height=4.9, height_ratios=(3.2, 1.0), sharex="col")
    for column, (title, unit, (reference, predicted), factor) in enumerate(panels):
        top, bottom = axes[0][column], axes[1][column]
        if len(reference) == 0:
            top.set_axis_off()
            bottom.set_axis_off()
            continue
        _draw_parity(top, reference, predicted)
        _draw_differences(bottom, reference, (predicted - reference) * factor)
        small_unit = unit if factor == 1.0 else f"m{unit}"
        _print_errors(top, (predicted - reference) * factor, small_unit)
        set_title(top, f"{title} ({unit})")
        top.set_ylabel("predicted")
        bottom.set_ylabel(f"error\n({small_unit})")
        relative = " − mean" if column == 0 else ""
        bottom.set_xlabel(f"reference{relative} ({unit})")
    figure.align_ylabels()
    return save(figure, path)


def _pairs(reference: ArrayLike, predicted: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a = np.asarray(reference, dtype=np.float64).ravel()
    b = np.asarray(predicted, dtype=np.float64).ravel()
    if a.shape != b.shape:
        raise DataError(f"{len(a)} references and {len(b)} predictions do not pair")
    kept = np.isfinite(a) & np.isfinite(b)
    return a[kept], b[kept]


def _draw_parity(axis: Axes, reference: FloatArray, predicted: FloatArray) -> None:
    low = min(reference.min(), predicted.min())
    high = max(reference.max(), predicted.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axis.plot(limits, limits, color=LIGHT, linewidth=1.2, zorder=0)
    _draw_points(axis, reference, predicted, (150, 90))
    axis.set_xlim(limits)
    axis.set_ylim(limits)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_locator(MaxNLocator(5))


def _draw_differences(axis: Axes, reference: FloatArray, difference: FloatArray) -> None:
    axis.axhline(0.0, color=LIGHT, linewidth=1.2, zorder=0)
    _draw_points(axis, reference, difference, (110, 22))
    largest = 1.1 * float(np.abs(difference).max()) or 1.0
    axis.set_ylim(-largest, largest)
    axis.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))


def _draw_points(axis: Axes, x: FloatArray, y: FloatArray, grid: tuple[int, int]) -> None:
    """Draw points, as a density where there are many."""
    if len(x) > MANY_POINTS:
        axis.hexbin(x, y, gridsize=grid, bins="log", cmap="viridis", mincnt=1, linewidths=0.0)
        return
    crowded = len(x) > 300
    axis.plot(
        x,
        y,
        "o",
        color=BLUE,
        markersize=2.2 if crowded else 4.0,
        alpha=0.35 if crowded else 0.7,
        markeredgewidth=0.0,
        rasterized=True,
    )


def _print_errors(axis: Axes, difference: FloatArray, unit: str) -> None:
    mae, rmse = np.abs(difference).mean(), np.sqrt((difference**2).mean())
    axis.text(
        0.04,
        0.96,
        f"MAE {mae:.3g} {unit}\nRMSE {rmse:.3g} {unit}",
        transform=axis.transAxes,
        va="top",
        fontsize=FONT,
        linespacing=1.5,
    )
    axis.text(
        0.96,
        0.04,
        f"n = {len(difference):,}".replace(",", " "),
        transform=axis.transAxes,
        ha="right",
        color=GREY,
        fontsize=FONT,
    )


# --- thermodynamics -----------------------------------------------------------------------------------------------------


def plot_thermo(
    thermo_csv: Path | str,
    path: Path | str,
    *,
    temperature: float | None = None,
    n_atoms: int | None = None,
) -> Path:
    """Draw temperature and energies over time, and the density where it changes.

    Parameters
    ----------
    thermo_csv
        ``thermo.csv`` of a simulation.
    path
        PNG to write.
    temperature
        Target in K, drawn as a line.
    n_atoms
        Number of atoms; with it the drift of a conserved energy is printed.

    Raises
    ------
    DataError
        If the file is no ``thermo.csv`` or has fewer than two rows.
    """
    columns = read_thermo(Path(thermo_csv))
    time = columns["time_ps"]
    if len(time) < 2:
        raise DataError(f"{thermo_csv}: has fewer than two rows to draw")
    density = columns.get("density_g_per_cm3", np.full(len(time), np.nan))
    changes = bool(np.isfinite(density).all() and np.ptp(density) > 0)
    count = 3 if changes else 2
    figure, axes = make_figure(count, 1, width=6.8, height=1.0 + 1.75 * count, sharex="col")
    _draw_temperature(axes[0][0], time, columns["temperature_K"], temperature)
    _draw_energies(axes[1][0], columns, n_atoms)
    if changes:
        _draw_running(axes[2][0], time, density, GREEN)
        set_title(axes[2][0], "density (g/cm³)")
    axes[-1][0].set_xlabel("time (ps)")
    axes[-1][0].set_xlim(0.0, time[-1])
    figure.align_ylabels()
    return save(figure, path)


def _draw_temperature(
    axis: Axes, time: FloatArray, values: FloatArray, target: float | None
) -> None:
    set_title(axis, "temperature (K)")
    if target is not None:
        axis.axhline(target, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        axis.annotate(
            f"target {target:g}",
            (1.0, target),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT,
        )
    _draw_running(axis, time, values, ORANGE)
    mean = block_average(values)
    error = f" ± {mean.error:.1f}" if np.isfinite(mean.error) else ""
    set_title(axis, f"mean {mean.value:.1f}{error}", loc="right", color=ORANGE)
    axis.set_ylim(bottom=0.0)


def _draw_running(axis: Axes, time: FloatArray, values: FloatArray, color: str) -> None:
    """Draw the samples faintly and their running mean on top."""
    axis.plot(time, values, color=color, linewidth=0.7, alpha=0.35)
    window = max(1, len(values) // 20)
    if window > 2:
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        centre = np.convolve(time, np.ones(window) / window, mode="valid")
        axis.plot(centre, smooth, color=color, linewidth=1.8)


def _draw_energies(axis: Axes, columns: dict[str, FloatArray], n_atoms: int | None) -> None:
    """Draw the energies with the lowest potential energy as zero, so that all three fit one axis."""
    time, origin = columns["time_ps"], columns["potential_eV"].min()
    kinetic = columns["total_eV"] - columns["potential_eV"]
    curves = (
        ("total", columns["total_eV"] - origin, INK, 1.4),
        ("potential", columns["potential_eV"] - origin, BLUE, 0.9),
        ("kinetic", kinetic, ORANGE, 0.9),
    )
    for _, values, color, width in curves:
        axis.plot(time, values, color=color, linewidth=width)
    _name_curves(
        axis,
        [
            (name, float(values[-len(values) // 10 :].mean()), color)
            for name, values, color, _ in curves
        ],
    )
    set_title(axis, "energy (eV), potential from its lowest value")
    axis.set_ylim(bottom=0.0)
    conserved = columns.get("conserved_eV", np.full(len(time), np.nan))
    if n_atoms is not None and np.isfinite(conserved).all():
        drift = energy_drift(time, conserved, n_atoms)
        slope = f"{drift.mev_per_atom_per_ps:.2g}".replace("-", "−")
        set_title(axis, f"drift {slope} meV/atom/ps", loc="right")


def _name_curves(axis: Axes, curves: Sequence[tuple[str, float, str]]) -> None:
    """Write the name of every curve beside its end, moved apart where two would overlap."""
    low, high = axis.get_ylim()
    needed = 0.11 * (high - min(low, 0.0))
    height = -np.inf
    for name, value, color in sorted(curves, key=lambda curve: curve[1]):
        height = max(value, height + needed)
        axis.annotate(
            name,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontsize=FONT,
        )
