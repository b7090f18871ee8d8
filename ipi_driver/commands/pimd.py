"""``nequip-openmm pimd``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from nequip_openmm.cli.arguments import split_arguments
from nequip_openmm.errors import ConfigError

if TYPE_CHECKING:
    from ipi_driver.inputs import PimdSpec
    from ipi_driver.runner import PimdResult

    Run = Callable[..., Any]

__all__ = ["pimd"]


def pimd(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC.yaml] [KEY=VALUE]...",
            help="YAML file, then single settings such as trajectory=centroid (all: docs/ipi.md).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file.", show_default=False)] = None,
    structure: Annotated[
        Path | None, typer.Option(help="Start: any file that ASE reads.", show_default=False)
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="pimd|trpmd|rpmd|classical|npt|piglet|remd|minimise",
            help="What to run.",
            show_default="pimd",
        ),
    ] = None,
    beads: Annotated[
        int | None, typer.Option(help="Number of beads.", show_default="32; 1 if classical")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="In K.", show_default="300")] = None,
    pressure: Annotated[
        float | None, typer.Option(help="In bar, for npt.", show_default="1")
    ] = None,
    timestep: Annotated[float | None, typer.Option(help="In fs.", show_default="0.25")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of time steps.", show_default=False)
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(help="Driver processes that share the beads.", show_default="1"),
    ] = None,
    ffdirect: Annotated[
        bool | None,
        typer.Option(
            "--ffdirect", help="Evaluate the model in i-PI's own process.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the random numbers.", show_default="1")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder to make.", show_default="runs/pimd-DATE-TIME")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Run folder to go on in; only steps may change.", show_default=False),
    ] = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare",
            help="Write the run folder, print the commands that start the run, and end.",
            show_default=False,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check everything, say what the run would be and how many beads it needs, and end; nothing is written.",
            show_default=False,
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: print JSON only.", show_default=False)
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="INPUT.xml",
            help="Check an input for i-PI, against --model and the driver's template (--structure) where given, and end.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there too, and take commands (stop, checkpoint, restart) on standard input, whose end stops the run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run path-integral molecular dynamics in i-PI."""
    from nequip_openmm.runs import Commands

    options = {
        "model": model,
        "structure": structure,
        "mode": mode,
        "beads": beads,
        "temperature": temperature,
        "pressure": pressure,
        "timestep": timestep,
        "steps": steps,
        "processes": processes,
        "ffdirect": ffdirect,
        "seed": seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if check is not None:
        _check(check, model, structure)
    elif dry_run and resume is None:
        _dry_run(partial(_spec, settings or [], given), as_json, events)
    elif prepare and resume is None:
        _print_prepared(*_new(settings or [], given, output, prepare)(console=console))
    else:
        if resume is not None:
            run = _resumed(resume, settings or [], given, output)
        else:
            run = _new(settings or [], given, output)
        commands = Commands(further=["restart"]) if events is not None else None
        _end(console, run(events=events, commands=commands, console=console))


def _new(
    arguments: list[str], options: dict[str, Any], output: Path | None, only_prepare: bool = False
) -> Run:
    """Return a run from settings, ready to be started."""
    from ipi_driver.runner import prepare_pimd, run_pimd

    folder = output or Path("runs") / f"pimd-{datetime.now():%Y%m%d-%H%M%S}"
    return partial(prepare_pimd if only_prepare else run_pimd, _spec(arguments, options), folder)


def _spec(arguments: list[str], options: dict[str, Any]) -> PimdSpec:
    """Return the settings of a new run."""
    from ipi_driver.inputs import PimdSpec
    from nequip_openmm.settings import apply_overrides, load_yaml, validate

    file, overrides = split_arguments(arguments)
    data = {} if file is None else load_yaml(file)
    data.pop("kind", None)  # in the spec.yaml of a run folder
    data = apply_overrides(data | options, overrides)
    return validate(PimdSpec, data, "pimd" if file is None else str(file))


def _resumed(
    folder: Path, arguments: list[str], options: dict[str, Any], output: Path | None
) -> Run:
    """Return the run in a folder, ready to go on."""
    from ipi_driver.inputs import PimdSpec
    from ipi_driver.runner import resume_pimd
    from ipi_driver.runner.files import KIND, read_spec
    from nequip_openmm.runs import RunFolder
    from nequip_openmm.settings import apply_overrides, validate

    file, overrides = split_arguments(arguments)
    changes = apply_overrides(options, overrides)
    others = [str(file)] if file else [f"--{name}" for name in changes if name != "steps"]
    others += ["--output"] if output else []
    if others:
        raise ConfigError(
            f"{others[0]}: --resume goes on with the settings of its run folder; only steps may change"
        )
    before = read_spec(RunFolder.open(folder, KIND))
    spec = validate(PimdSpec, before.model_dump() | changes, "pimd")
    return partial(resume_pimd, folder, steps=spec.steps)


def _check(path: Path, model: Path | None, template: Path | None) -> None:
    """Print what is wrong with an input; exit code 2 if it cannot work."""
    from ipi_driver.inputs import read_start
    from ipi_driver.inputs.validate import validate_input
    from nequip_openmm.potential import load

    known: dict[str, Any] = {}
    if model is not None:
        potential = load(model, device="cpu")
        known = {"species": potential.species, "cutoff": potential.cutoff}
    if template is not None:
        known["template"] = read_start(template).frame.symbols
    findings = validate_input(path, **known)
    for finding in findings:
        typer.echo(str(finding))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2)
    typer.echo(f"{path}: can be run")


def _dry_run(spec: Callable[[], PimdSpec], as_json: bool, events: str | None) -> None:
    """Print what a run would be; who listens to events hears it as ``result``."""
    import json

    from ipi_driver.runner.dry_run import dry_run
    from nequip_openmm.cli.watched import watched

    with watched("pimd-dry-run", events) as stream:
        found = dry_run(spec())
        stream.emit("result", **found)
    if events is not None:
        return
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    elements = " ".join(f"{symbol}{count}" for symbol, count in found["elements"].items())
    beads = found["beads"]
    typer.echo(f"{found['n_atoms']} atoms ({elements}), {beads['n']} beads")
    if beads["wavenumber_cm1"] is not None:
        typer.echo(
            f"fastest vibration {beads['wavenumber_cm1']:.0f} cm⁻¹: {beads['suggested']} beads bring it within 3% of its energy"
        )
    for warning in found["warnings"]:
        typer.echo(f"warning: {warning['msg']}")
    typer.echo("can be run")


def _print_prepared(folder: Path, commands: list[str]) -> None:
    typer.echo(f"in {folder}:")
    for command in commands:
        typer.echo(f"    {command}")
    typer.echo(f"or: nequip-openmm pimd --resume {folder}")


def _end(console: Console, result: PimdResult) -> None:
    """Print the result and exit with the code of the signal that stopped the run, if one did."""
    console.print(f"{result.reason} at step {result.step} after {result.wall_time_s:.1f} s")
    console.print(f"results: {result.folder}", markup=False)
    if result.reason == "stopped":
        console.print(f"go on with: nequip-openmm pimd --resume {result.folder}", markup=False)
    else:
        console.print(f"analyse with: nequip-openmm pimd-report {result.folder}", markup=False)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)
