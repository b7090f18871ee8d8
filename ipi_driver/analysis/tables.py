"""Averages of path-integral runs as rows of text, and what they say in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from ipi_driver.analysis.averages import Element, Summary, disagreement
from nequip_openmm.analysis.statistics import Mean

__all__ = [
    "convergence_rows",
    "convergence_text",
    "element_rows",
    "estimators_text",
    "fact_rows",
    "families",
    "quantum_text",
    "with_error",
]

Rows = list[tuple[str, ...]]

SIGMAS = 4.0  # estimators, or numbers of beads, differ beyond so many standard errors
RELATIVE = 0.015  # and beyond this fraction
FEW = 30  # rows from which no error can be estimated
LARGE = 0.05  # an error of more than this fraction tells little

_LABELS = {
    "potential": "potential energy (eV)",
    "temperature": "temperature of the beads' momenta (K)",
    "pressure_cv": "pressure, centroid-virial (bar)",
    "pressure_md": "pressure (bar)",
    "volume": "volume (Å³)",
    "density": "density (g/cm³)",
}


def with_error(mean: Mean | None, factor: float = 1.0) -> str:
    """Return a mean with its error, to two digits of the error; nothing for a quantity that was not printed."""
    if mean is None:
        return ""
    value, error = mean.value * factor, mean.error * factor
    if not (math.isfinite(error) and error > 1e-12 * abs(value)):
        return f"{value:.5g}".replace("-", "−")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def fact_rows(summary: Summary) -> Rows:
    """Return what was simulated, and means of thermodynamic quantities."""
    rows: Rows = [
        ("property", "value"),
        ("atoms", f"{len(summary.symbols)}: {_formula(summary.symbols)}"),
        ("beads", str(summary.n_beads)),
        ("ensemble", f"{summary.mode}{', PIGLET' if summary.is_piglet else ''}, {summary.temperature:g} K, time step {summary.timestep:g} fs"),
        ("averaged over", f"{summary.duration:.4g} ps, {summary.samples} rows"),
    ]  # fmt: skip
    rows += [(_LABELS[name], with_error(mean)) for name, mean in summary.means.items()]
    if summary.drift is not None:
        drift = summary.drift
        rows.append(
            (
                "drift of the conserved quantity (meV/atom/ps)",
                f"{drift.mev_per_atom_per_ps:.3g}, scatter {drift.rms_mev_per_atom:.2g} meV/atom",
            )
        )
    return rows


def element_rows(summary: Summary) -> Rows:
    """Return kinetic energies beside the classical one, and sizes of ring polymers, by element."""
    header = (
        "atoms",
        "K_cv (meV)",
        "K_td (meV)",
        "classical",
        "ratio",
        "r_g (Å)",
        "free r_g",
    )
    return [header, *(_element_row(one, summary) for one in (*summary.elements, summary.total))]


def estimators_text(summary: Summary) -> str:
    """Return whether the two estimators of the kinetic energy agree, and what it means if they do not."""
    if summary.is_piglet:
        return (
            "With PIGLET the centroid-virial estimator is the one to take: coloured noise gives momenta and springs distributions "
            "for which neither the primitive estimator nor the temperature of the momenta means anything."
        )
    compared = [
        (one.name, one.kinetic_cv, one.kinetic_td, sigmas)
        for one in (*summary.elements, summary.total)
        if one.kinetic_cv and one.kinetic_td and (sigmas := disagreement(one)) is not None
    ]
    if not compared:
        return ""
    if summary.samples < FEW:
        return f"{summary.samples} rows are too few to compare the two estimators: run longer."
    for name, cv, td, sigmas in compared:
        relative = abs(td.value / cv.value - 1.0)
        if sigmas > SIGMAS and relative > RELATIVE:
            return (
                f"The two estimators differ by {100.0 * relative:.1f} % ({sigmas:.1f} standard errors; atoms: {name}). "
                "Both have the same mean in an exact simulation: the time step is too long for the stiff modes of the ring "
                "polymer (halve it, or use splitting='baoab'), or the run was not yet in equilibrium."
            )
    _, cv, td, _ = compared[-1]
    if math.hypot(cv.error, td.error) > LARGE * cv.value:
        return "The two estimators agree, but their errors are still large: run longer."
    return "The two estimators agree within their errors, so the time step resolves the modes of the ring polymer."


def quantum_text(summaries: Sequence[Summary]) -> str:
    """Return the kinetic energies in the run with the most beads, beside the classical one."""
    best = max(
        (one for one in summaries if one.total.kinetic_cv is not None),
        key=lambda one: one.n_beads,
        default=None,
    )
    if best is None:
        return ""
    parts = [
        f"{1000.0 * one.kinetic_cv.value:.1f} meV for {one.name}"
        for one in best.elements or (best.total,)
        if one.kinetic_cv is not None
    ]
    return (
        f"Quantum kinetic energy per atom with {best.n_beads} beads at {best.temperature:g} K: {', '.join(parts)}; "
        f"classical {1000.0 * best.classical:.1f} meV."
    )


def families(summaries: Sequence[Summary]) -> list[list[Summary]]:
    """Return runs of the same atoms at the same temperature with different numbers of beads, by number of beads.

    Those with PIGLET converge in their own way.
    """

    def kind(one: Summary) -> tuple[str, float, bool]:
        return _formula(one.symbols), round(one.temperature, 3), one.is_piglet

    groups = (
        sorted(group, key=lambda one: one.n_beads)
        for _, group in groupby(sorted(summaries, key=kind), key=kind)
    )
    return [group for group in groups if len({one.n_beads for one in group}) > 1]


def convergence_rows(family: Sequence[Summary]) -> Rows:
    """Return potential energies relative to the last, and kinetic energies, of runs with different numbers of beads.

    All in meV per atom.
    """
    names = [one.name for one in family[-1].elements]
    header = ["beads", "ps", "V − V_last", "K_cv (meV)", "K_td (meV)"]
    header += [f"K_cv of {name}" for name in names]
    rows = [tuple(header)]
    for summary in family:
        elements = {one.name: one for one in summary.elements}
        row = [
            str(summary.n_beads),
            f"{summary.duration:.4g}",
            with_error(_above(summary, family[-1]), 1000.0),
            with_error(summary.total.kinetic_cv, 1000.0),
            with_error(summary.total.kinetic_td, 1000.0),
        ]
        row += [
            with_error(elements[name].kinetic_cv if name in elements else None, 1000.0)
            for name in names
        ]
        rows.append(tuple(row))
    return rows


def convergence_text(family: Sequence[Summary]) -> str:
    """Return by how much the last step in the number of beads changed the kinetic energies."""
    before, last = [one for one in family if one.n_beads != family[-1].n_beads][-1], family[-1]
    old = {one.name: one.kinetic_cv for one in (*before.elements, before.total)}
    sentences = []
    for one in last.elements or (last.total,):
        a, b = old.get(one.name), one.kinetic_cv
        if a is None or b is None:
            continue
        change, error = b.value - a.value, math.hypot(a.error, b.error)
        is_seen = abs(change) > 2.0 * error
        sentences.append(
            f"{one.name} {1000.0 * change:+.1f} ± {1000.0 * error:.1f} meV ({100.0 * change / a.value:+.1f} %"
            f"{'' if is_seen else ', within the error'})".replace("-", "−")
        )
    text = f"Change of K_cv per atom from {before.n_beads} to {last.n_beads} beads: "
    return text + "; ".join(sentences) + "." if sentences else ""


def _above(summary: Summary, last: Summary) -> Mean | None:
    """Return the potential energy of an atom relative to that in another run, eV; the error is its own."""
    own, other = summary.means.get("potential"), last.means.get("potential")
    if own is None or other is None:
        return None
    n_atoms = len(summary.symbols)
    return Mean((own.value - other.value) / n_atoms, own.error / n_atoms, own.block)


def _element_row(one: Element, summary: Summary) -> tuple[str, ...]:
    ratio = "" if one.kinetic_cv is None else f"{one.kinetic_cv.value / summary.classical:.3f}"
    return (
        f"{one.n_atoms} {one.name}" if one.name != "all" else f"all {one.n_atoms}",
        with_error(one.kinetic_cv, 1000.0),
        with_error(one.kinetic_td, 1000.0),
        f"{1000.0 * summary.classical:.2f}",
        ratio,
        with_error(one.r_gyration),
        "" if one.free_gyration is None else f"{one.free_gyration:.4f}",
    )


def _formula(symbols: Sequence[str]) -> str:
    return " ".join(f"{name}{symbols.count(name)}" for name in sorted(set(symbols)))
