"""``nequip-openmm info``: what a data set holds and what is wrong with it."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.cli.watched import new_folder, watched
from nequip_openmm.data.arrays import save_arrays
from nequip_openmm.data.conventions import Keys
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.fields import list_fields
from nequip_openmm.data.findings import Finding, Report
from nequip_openmm.data.lint import check_dataset
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.data.read import read_dataset
from nequip_openmm.data.scan import GeometryScan, scan_geometry
from nequip_openmm.data.summary import Range, Summary, summarise
from nequip_openmm.errors import ConfigError, DiskFull, UserError

__all__ = ["info"]

STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
MOST_LISTED = 6


def info(
    file: Annotated[Path, typer.Argument(help="Data set: a file, or a folder of DeePMD files.")],
    cutoff: Annotated[float, typer.Option(help="Å; neighbours within it are counted.")] = 5.0,
    format: Annotated[
        str | None, typer.Option(help="Name of the format, where it is not found out.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(help="Units of the file, such as kcal/mol/Å or hartree/bohr@Å.")
    ] = None,
    energy_key: Annotated[str | None, typer.Option(help="Name of the energy in the file.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Name of the forces.")] = None,
    stress_key: Annotated[str | None, typer.Option(help="Name of the stress.")] = None,
    virial_key: Annotated[
        str | None, typer.Option(help="Name of the virial -dE/dε, instead of a stress.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there, and stop when the standard input says so or ends.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="New folder for the numbers as .npy files.", show_default=False
        ),
    ] = None,
) -> None:
    """Say what a data set holds and what is wrong with it.

    Exit code 0: nothing wrong (with --events: read); 1: errors found; 2: the file cannot be read. Frames and atoms are counted
    from 0.
    """
    if not 0.0 < cutoff < 100.0:
        raise ConfigError(f"--cutoff must lie between 0 and 100 Å, got {cutoff:g}")
    _load_without_torch("vesin")
    keys = Keys(energy_key, forces_key, stress_key, virial_key)
    with watched("info", events) as stream:
        if events is not None:
            stream.emit("fields", fields=_fields(file, format))
        dataset = read_dataset(file, format=format, units=units, keys=keys, progress=True)
        scan = scan_geometry(dataset, cutoff, progress=True)
        with progress_bar("checking", 1.0, shown=False):
            summary = summarise(dataset, cutoff, scan=scan)
            report = check_dataset(dataset, cutoff, scan=scan)
        document = {"summary": summary.to_dict(), "lint": report.to_dict()}
        if save is not None:
            _save(save, dataset, scan, report, document)
        stream.emit("result", **document, folder=save)
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
    elif events is None:
        _show(summary, report)
    if report.errors and events is None:
        raise typer.Exit(1)


def _load_without_torch(name: str) -> None:
    """Import a package as if torch were not installed, unless it is loaded anyway.

    vesin imports it to take tensors, of which there are none here: that alone would take longer than reading most data sets.
    """
    if "torch" in sys.modules or name in sys.modules:
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        with suppress(ImportError):  # another package finds neighbours then
            import_module(name)
    finally:
        del sys.modules["torch"]


def _fields(file: Path, format: str | None) -> list[dict[str, str]]:
    """Return what the file holds by name; nothing where reading it will say in a moment what is wrong with it."""
    try:
        return [field.to_dict() for field in list_fields(file, format)]
    except UserError:
        return []


def _save(
    folder: Path, dataset: Dataset, scan: GeometryScan, report: Report, document: dict[str, Any]
) -> None:
    more = {
        "names": dict(dataset.names),
        "units": dataset.units,
        "cutoff": document["summary"]["cutoff"],
    }
    with progress_bar("saving", 1.0, shown=False), new_folder(folder) as partial:
        try:
            save_arrays(partial, dataset, scan, report, document | more)
        except OSError as error:
            problem = f"cannot save to {folder.parent}: {error.strerror or error}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(problem, hint="Free some space there.") from error
            raise UserError(problem) from error


def _show(summary: Summary, report: Report) -> None:
    console = Console(highlight=False, soft_wrap=False)
    console.print(_table(summary))
    for finding in report.findings:
        console.print(_line(finding), style=STYLES[finding.severity], markup=False, soft_wrap=True)
    n_errors, n_warnings = len(report.errors), len(report.warnings)
    if not n_errors and not n_warnings:
        console.print("nothing wrong found", style="green")
    else:
        console.print(f"{_count(n_errors, 'error')}, {_count(n_warnings, 'warning')}")


def _table(summary: Summary) -> Table:
    table = Table(title=summary.source, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(summary):
        table.add_row(name, value)
    return table


def _rows(summary: Summary) -> list[tuple[str, str]]:
    scanned = summary.frames_scanned
    part = "" if scanned == summary.frames else f" (in {scanned} frames)"
    rows = [
        ("frames", str(summary.frames)),
        ("atoms in a frame", _range(summary.atoms, "", mean=False)),
        ("elements", _listed(summary.elements)),
        ("compositions", _listed(summary.compositions)),
        ("periodic along", _listed(summary.periodicity)),
        ("cell lengths", _range(summary.cell_lengths, "Å")),
        ("cell volumes", _range(summary.cell_volume, "Å³")),
        ("with energy, forces, stress", _labels(summary)),
        ("energy per atom", _range(summary.energy_per_atom, "eV")),
        ("force on an atom", _range(summary.force_norm, "eV/Å")),
        ("force component, RMS", _number(summary.force_rms, "eV/Å")),
        ("largest stress component", _range(summary.stress_norm, "eV/Å³")),
        (f"neighbours within {summary.cutoff:g} Å", _range(summary.neighbours, "") + part),
        ("shortest distance", _number(summary.shortest_distance, "Å") + part),
    ]
    return [(name, value) for name, value in rows if value]


def _labels(summary: Summary) -> str:
    return f"{summary.with_energy}, {summary.with_forces}, {summary.with_stress} frames"


def _range(values: Range | None, unit: str, *, mean: bool = True) -> str:
    if values is None or values.min is None or values.max is None:
        return ""
    if values.min == values.max:
        return f"{values.min:.6g} {unit}".strip()
    middle = f", mean {values.mean:.6g}" if mean else ""
    return f"{values.min:.6g} to {values.max:.6g}{middle} {unit}".strip()


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}"


def _listed(counts: dict[str, int]) -> str:
    """Return ``H ×6000, C ×2000 and 3 more``."""
    first = ", ".join(f"{name} ×{count}" for name, count in list(counts.items())[:MOST_LISTED])
    rest = len(counts) - MOST_LISTED
    return f"{first} and {rest} more" if rest > 0 else first


def _line(finding: Finding) -> str:
    return f"{finding.severity}: {finding.message}{_where(finding.frames)} [{finding.code}]"


def _where(frames: tuple[int, ...]) -> str:
    if not frames:
        return ""
    first = ", ".join(str(i) for i in frames[:MOST_LISTED])
    return f" (frames {first}{' ...' if len(frames) > MOST_LISTED else ''}; {len(frames)} in all)"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
