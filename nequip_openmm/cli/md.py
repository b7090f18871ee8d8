"""``nequip-openmm md``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.cli.arguments import split_arguments
from nequip_openmm.cli.md_check import print_dry_run
from nequip_openmm.errors import ConfigError

if TYPE_CHECKING:
    from nequip_openmm.simulation import SimulationResult

    Run = Callable[..., SimulationResult]

__all__ = ["md"]


def md(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC.yaml] [KEY=VALUE]...",
            help="YAML file, then single settings such as friction=2 (all: docs/simulation.md).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file.", show_default=False)] = None,
    structure: Annotated[
        Path | None,
        typer.Option(help="Start: PDB, PDBx/mmCIF or what ASE reads.", show_default=False),
    ] = None,
    ensemble: Annotated[
        str | None, typer.Option(metavar="nve|nvt|npt", help="Ensemble.", show_default="nvt")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="In K.", show_default="300")] = None,
    pressure: Annotated[
        float | None, typer.Option(help="In bar, for npt.", show_default="1")
    ] = None,
    timestep: Annotated[float | None, typer.Option(help="In fs.", show_default="0.5")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of time steps.", show_default=False)
    ] = None,
    minimise: Annotated[
        bool | None,
        typer.Option("--minimise", help="Relax the start before the dynamics.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="auto|fused|reference", help="What computes the model.", show_default="auto"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the random numbers.", show_default="1")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder to make.", show_default="runs/md-DATE-TIME")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Run folder to go on in; only steps may change.", show_default=False),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say what the run would be, and start nothing.", show_default=False
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --check: print JSON only.", show_default=False)
    ] = False,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there too, and take commands (pause, resume, stop, checkpoint, set) on standard input, whose end stops the run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run molecular dynamics in OpenMM."""
    from nequip_openmm.runs import Commands

    options = {
        "model": model,
        "structure": structure,
        "ensemble": ensemble,
        "temperature": temperature,
        "pressure": pressure,
        "timestep": timestep,
        "steps": steps,
        "minimise": minimise,
        "engine": engine,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if check:
        _refuse_with_check(resume, output)
        raise typer.Exit(print_dry_run(_settings(settings or [], given)[0], as_json, events))
    if as_json:
        raise ConfigError("--json goes with --check")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    commands = Commands() if events is not None else None
    if resume is not None:
        run = _resumed(resume, settings or [], given, output)
    else:
        run = _new(settings or [], given, output)
    result = run(events=events, commands=commands, console=console)
    _print_result(console, result)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _new(arguments: list[str], options: dict[str, Any], output: Path | None) -> Run:
    """Return a run from settings, ready to be started."""
    from nequip_openmm.settings import validate
    from nequip_openmm.simulation import SimulationSpec, run_simulation

    data, where = _settings(arguments, options)
    spec = validate(SimulationSpec, data, where)
    folder = output or Path("runs") / f"md-{datetime.now():%Y%m%d-%H%M%S}"
    return partial(run_simulation, spec, folder)


def _settings(arguments: list[str], options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the settings of a new run as they were given, and where they come from."""
    from nequip_openmm.settings import apply_overrides, load_yaml

    file, overrides = split_arguments(arguments)
    data = {} if file is None else load_yaml(file)
    data.pop("kind", None)  # in the spec.yaml of a run folder
    return apply_overrides(data | options, overrides), "md" if file is None else str(file)


def _refuse_with_check(resume: Path | None, output: Path | None) -> None:
    for option, value in (("--resume", resume), ("--output", output)):
        if value is not None:
            raise ConfigError(f"{option}: --check looks at a new run and writes nothing")


def _resumed(
    folder: Path, arguments: list[str], options: dict[str, Any], output: Path | None
) -> Run:
    """Return the run in a folder, ready to go on."""
    from nequip_openmm.runs import RunFolder
    from nequip_openmm.settings import apply_overrides, validate
    from nequip_openmm.simulation import resume_simulation
    from nequip_openmm.simulation.files import KIND, read_spec
    from nequip_openmm.simulation.stages import Stage

    file, overrides = split_arguments(arguments)
    changes = apply_overrides(options, overrides)
    others = [str(file)] if file else [f"--{name}" for name in changes if name != "steps"]
    others += ["--output"] if output else []
    if others:
        raise ConfigError(
            f"{others[0]}: --resume goes on with the settings of its run folder; only steps may change"
        )
    before = read_spec(RunFolder.open(folder, KIND))
    steps = validate(Stage, {"steps": before.steps} | changes, "md").steps
    return partial(resume_simulation, folder, steps=before.extended(steps).steps)


def _print_result(console: Console, result: SimulationResult) -> None:
    from nequip_openmm.analysis.statistics import summarise_thermo
    from nequip_openmm.simulation.files import THERMO

    speed = f", {result.ns_per_day:.3g} ns/day" if result.ns_per_day else ""
    console.print(f"{result.reason} at step {result.step} after {result.wall_time_s:.1f} s{speed}")
    summary = summarise_thermo(result.folder / THERMO)
    if summary is not None:
        table = Table("quantity", "mean", "± error")
        for row in summary.rows():
            table.add_row(*row)
        console.print(table)
    console.print(f"results: {result.folder}", markup=False)
    if result.reason == "stopped":
        console.print(f"go on with: nequip-openmm md --resume {result.folder}", markup=False)
