"""What ``nequip-openmm demo`` shows of path integrals: kinetic energies against the number of beads."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from nequip_openmm.analysis.report import Section
from nequip_openmm.errors import BackendError

__all__ = ["path_integrals"]

BEADS = (8, 16, 32)
TEMPERATURE_K = 300.0
TIMESTEP_FS = 0.25
MOST_ATOMS = 20  # with more a demonstration would take too long


def path_integrals(
    model: Path, structure: Path, folder: Path, steps: int, console: Console
) -> list[Section]:
    """Run the same molecule with more and more beads; return what to put into the report, nothing without i-PI.

    Parameters
    ----------
    model, structure
        What to run.
    folder
        Where to make one run folder for each number of beads, and a full report.
    steps
        Time steps of every run.
    console
        Where to show progress and the result.
    """
    from ipi_driver.inputs import read_start
    from ipi_driver.runner.plan import require_ipi

    try:
        require_ipi()
    except BackendError as error:
        console.print(f"left out: {error}", markup=False)
        return []
    n_atoms = len(read_start(structure).frame)
    if n_atoms > MOST_ATOMS:
        console.print(f"left out: {n_atoms} atoms would take long; see nequip-openmm pimd --help")
        return []
    return _report([_run(model, structure, folder, n, steps, console) for n in BEADS], console)


def _run(
    model: Path, structure: Path, folder: Path, beads: int, steps: int, console: Console
) -> Path:
    from ipi_driver.inputs import PimdSpec
    from ipi_driver.runner import run_pimd

    spec = PimdSpec(
        model=model,
        structure=structure,
        beads=beads,
        temperature=TEMPERATURE_K,
        timestep=TIMESTEP_FS,
        steps=steps,
    )
    result = run_pimd(spec, folder / f"{beads}-beads", console=console)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)
    return result.folder


def _report(folders: list[Path], console: Console) -> list[Section]:
    from ipi_driver.analysis.averages import summarise
    from ipi_driver.analysis.report import require_output, write_pimd_report
    from ipi_driver.analysis.run import open_runs
    from ipi_driver.analysis.tables import convergence_rows, convergence_text, quantum_text

    runs = [run for folder in folders for run in open_runs(folder)]
    summaries = [summarise(run) for run in runs]
    folder = folders[0].parent
    target = folder / "report"
    require_output(target)
    report = write_pimd_report(runs, summaries, target)
    text = f"{quantum_text(summaries)} {convergence_text(summaries)}"
    console.print(text, markup=False)
    return [
        Section(
            "Path integrals: quantum nuclei",
            f"{text}\n\nMore in {report.relative_to(folder.parent)}, beside this file.",
            convergence_rows(summaries),
            target / "convergence.png",
            "Kinetic energy by element against the number of beads; the dashed line is that of classical atoms.",
        )
    ]
