"""``nequip-openmm pimd-report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.errors import UserError

if TYPE_CHECKING:
    from ipi_driver.analysis.averages import Summary

__all__ = ["pimd_report"]


def pimd_report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Folders in which i-PI ran; several to compare numbers of beads.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html, summary.json and PNG pictures.",
            show_default="DIR/report, or pimd-report for several",
        ),
    ] = None,
    skip: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.95, help="Fraction to leave out at the start, where the system relaxes."
        ),
    ] = 0.2,
    frames: Annotated[
        int, typer.Option(min=1, help="Take distances from so many frames at most.")
    ] = 500,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there; the last, result, says where the report is.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Report on path-integral runs of i-PI: kinetic energies, ring polymers, distances, drift, convergence."""
    from ipi_driver.analysis.averages import summarise
    from ipi_driver.analysis.report import require_output, write_pimd_report
    from ipi_driver.analysis.run import open_runs
    from nequip_openmm.cli.watched import watched

    target = output or (folders[0] / "report" if len(folders) == 1 else Path("pimd-report"))
    with watched("pimd-report", events) as stream:
        runs = [run for folder in folders for run in open_runs(folder, skip=skip)]
        summaries = [summarise(run) for run in runs]
        require_output(target)
        try:
            report = write_pimd_report(runs, summaries, target, max_frames=frames)
        except OSError as error:
            raise UserError(f"cannot write to '{target}': {error.strerror}") from error
        stream.emit("result", report=report)
    _print(summaries)
    Console(soft_wrap=True, highlight=False).print(f"report: {report}", markup=False)


def _print(summaries: list[Summary]) -> None:
    from ipi_driver.analysis.tables import (
        convergence_rows,
        convergence_text,
        element_rows,
        estimators_text,
        families,
    )

    console = Console(soft_wrap=True, highlight=False)
    for summary in summaries:
        title = f"{summary.name}: {summary.n_beads} beads, {summary.temperature:g} K"
        _table(console, title, element_rows(summary))
        if text := estimators_text(summary):
            console.print(text, markup=False)
    for family in families(summaries):
        _table(console, "kinetic energy by number of beads", convergence_rows(family))
        console.print(convergence_text(family), markup=False)


def _table(console: Console, title: str, rows: list[tuple[str, ...]]) -> None:
    table = Table(*rows[0], title=title)
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
