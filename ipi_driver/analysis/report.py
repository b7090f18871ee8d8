"""The report on path-integral runs: one HTML file with pictures inside, the pictures beside it, and all numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ipi_driver.analysis.averages import Summary
from ipi_driver.analysis.distributions import Distributions, pair_distributions
from ipi_driver.analysis.plots import (
    plot_beads,
    plot_convergence,
    plot_distributions,
    plot_elements,
    plot_time,
)
from ipi_driver.analysis.run import Run
from ipi_driver.analysis.tables import (
    convergence_rows,
    convergence_text,
    element_rows,
    estimators_text,
    fact_rows,
    families,
    quantum_text,
)
from nequip_openmm.analysis.report import Section, write_report
from nequip_openmm.errors import UserError
from nequip_openmm.runs import atomic_write

__all__ = ["require_output", "write_pimd_report"]

REPORT, NUMBERS = "report.html", "summary.json"


def require_output(folder: Path) -> None:
    """Make the folder of a report; an earlier report may lie in it and is replaced, anything else is left alone.

    Raises
    ------
    UserError
        If something else is there, or it cannot be made.
    """
    try:
        is_foreign = folder.exists() and (
            not folder.is_dir() or (any(folder.iterdir()) and not (folder / NUMBERS).is_file())
        )
        if is_foreign:
            raise UserError(
                f"'{folder}' exists and holds no report; choose another folder with --output"
            )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to '{folder}': {error.strerror}") from error


def write_pimd_report(
    runs: Sequence[Run], summaries: Sequence[Summary], folder: Path, *, max_frames: int = 500
) -> Path:
    """Write pictures, ``summary.json`` and ``report.html``.

    Parameters
    ----------
    runs, summaries
        Runs, and their averages in the same order.
    folder
        Where to write, see `require_output`.
    max_frames
        Frames to take distances from, at most.
    """
    distances = [pair_distributions(run, max_frames) for run in runs]
    sections = _convergence(summaries, distances, folder)
    for k, (run, summary, found) in enumerate(zip(runs, summaries, distances)):
        prefix = "" if len(runs) == 1 else f"{k + 1}-"
        sections += _of_run(run, summary, found, folder, prefix)
    with atomic_write(folder / NUMBERS) as temporary:
        numbers = [_as_json(asdict(summary)) for summary in summaries]
        temporary.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return write_report(
        folder / REPORT, "Path-integral report", sections, lead=quantum_text(summaries)
    )


def _convergence(
    summaries: Sequence[Summary], distances: Sequence[Distributions | None], folder: Path
) -> list[Section]:
    of_run = {id(summary): found for summary, found in zip(summaries, distances)}
    sections = []
    for k, family in enumerate(families(summaries)):
        number = "" if k == 0 else f"{k + 1}"
        sections.append(
            Section(
                f"Convergence with the number of beads, {family[0].temperature:g} K",
                f"Averages per atom, meV; V − V_last is the potential energy relative to that with the most beads.\n\n"
                f"{convergence_text(family)}",
                convergence_rows(family),
                plot_convergence(family, folder / f"convergence{number}.png"),
                "Kinetic energy by element against the number of beads; the dashed line is that of classical atoms.",
            )
        )
        found = [(one.n_beads, of_run[id(one)]) for one in family]
        drawn = {n: one for n, one in found if one is not None and one.beads}
        if len(drawn) > 1:
            sections.append(
                Section(
                    "Quantum and classical distances",
                    image=plot_beads(drawn, folder / f"beads{number}.png"),
                    caption="Distances in the beads, for each number of beads.",
                )
            )
    return sections


def _of_run(
    run: Run, summary: Summary, found: Distributions | None, folder: Path, prefix: str
) -> list[Section]:
    skipped = f"The first {100.0 * run.skip:g} % of the rows is left out. " if run.skip else ""
    time = plot_time(run, summary, folder / f"{prefix}time.png")
    sections = [
        Section(
            run.name,
            f"{skipped}Errors are standard errors from blocks of independent length.",
            fact_rows(summary),
            time,
            "The conserved quantity per bead, and both estimators of the kinetic energy, per atom.",
        )
    ]
    if summary.total.kinetic_cv is not None or summary.elements:
        sections.append(_quantum(summary, folder / f"{prefix}elements.png"))
    if found is not None:
        sections.append(_distances(found, folder / f"{prefix}distances.png"))
    return sections


def _quantum(summary: Summary, path: Path) -> Section:
    return Section(
        "Quantum and classical, by element",
        "Per atom. K_cv is the centroid-virial estimator of the quantum kinetic energy (i-PI's kinetic_cv), K_td the primitive one "
        "(kinetic_td), classical 3/2 k_B T, ratio K_cv over it; r_g is the mean radius of gyration of a ring polymer, free r_g "
        f"the root mean square one of a free particle of that mass.\n\n{estimators_text(summary)}",
        element_rows(summary),
        plot_elements(summary, path),
        "Kinetic energies, and radii of gyration with those of free particles of the same mass: the tighter the binding, "
        "the further below.",
    )


def _distances(found: Distributions, path: Path) -> Section:
    what = (
        "Radial distribution functions, for distances up to half the cell."
        if found.is_periodic
        else "Distributions of distances; the atoms fill less than half the cell, and are taken as a molecule without images."
    )
    missing = "" if found.beads else " No beads were written, so that only centroids are shown."
    return Section(
        "Distances between atoms",
        f"{what} From {found.n_frames} frames.{missing}\n\nObservable are the distances in each bead; those of centroids leave "
        "out the quantum spread and are sharper.",
        image=plot_distributions(found, path),
        caption="Distances between elements, over all beads and of centroids.",
    )


def _as_json(value: Any) -> Any:
    """Return null for what is not finite, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
