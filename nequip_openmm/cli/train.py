"""``nequip-openmm train``."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.cli.arguments import split_arguments
from nequip_openmm.errors import ConfigError, UserError

if TYPE_CHECKING:
    from nequip_openmm.training import TrainingConfig, TrainingResult

__all__ = ["train"]

RESUMABLE = (
    "max_epochs",
    "max_time",
    "early_stopping_patience",
    "checkpoint_interval",
    "cache_size",
    "tensorboard",
    "accelerator",
    "devices",
    "num_nodes",
    "strategy",
    "engine",
    "threads",
)
"""Settings of ``training`` that may differ when a run is resumed; any other would make it another run."""


def train(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] [KEY=VALUE]...",
            help="YAML file, then single settings such as training.lr=0.005.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Data set, in place of data.path.", show_default=False)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="What the settings begin with: quick, balanced, accurate, paper-molecule, paper-periodic.",
            show_default="balanced",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder to make.", show_default="runs/train-DATE-TIME")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Run folder to go on in.", show_default=False)
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Try it only: read the data, fill in what is auto, time some steps. Nothing is written.",
            show_default=False,
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --check: print JSON only.", show_default=False)
    ] = False,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there too, and take commands (pause, resume, stop, checkpoint) on standard input, whose end stops the run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a potential."""
    yaml_file, overrides = split_arguments(settings or [])
    if as_json and not check:
        raise UserError("--json goes with --check; a run tells what it does in its events.jsonl")
    if check:
        if resume is not None:
            raise UserError("--check tries a new training; a run that has begun needs no check")
        _check(yaml_file, preset, overrides, dataset, output, as_json=as_json, events=events)
        return
    if resume is not None:
        _refuse_with_resume(yaml_file, dataset, preset, output)
        config, folder = _resumed(resume, overrides), resume
    else:
        from nequip_openmm.training.loading import load_config

        config = load_config(yaml_file, preset, overrides, dataset)
        folder = output or Path("runs") / f"train-{datetime.now():%Y%m%d-%H%M%S}"
    _run(config, folder, is_resumed=resume is not None, events=events)


def _check(
    yaml_file: Path | None,
    preset: str | None,
    overrides: list[str],
    dataset: Path | None,
    output: Path | None,
    *,
    as_json: bool,
    events: str | None,
) -> None:
    """Rehearse the training and say what it would be."""
    from nequip_openmm.cli.watched import watched
    from nequip_openmm.data.progress import progress_bar
    from nequip_openmm.runs import RunFolder
    from nequip_openmm.training.loading import load_config

    with watched("train-check", events) as stream:
        config = load_config(yaml_file, preset, overrides, dataset)
        if output is not None:
            RunFolder.require_free(output)
        with progress_bar("starting", 1.0, shown=False):
            from nequip_openmm.training.rehearsal import rehearse  # loads torch
        found = rehearse(config).to_dict()
        stream.emit("result", **found, settings=config.model_dump(mode="json"))
    if as_json:
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
    elif events is None:
        _print_rehearsal(found)


def _print_rehearsal(found: dict[str, Any]) -> None:
    frames, cost, model = found["frames"], found["cost"], found["model"]
    rows = {
        "frames": f"{frames['train']} for training, {frames['valid']} for validation, {frames['test']} for the test",
        "model": f"{', '.join(model['species'])}; {found['n_weights']} weights; "
        f"{found['mean_neighbours']:.1f} neighbours on average within {model['cutoff']:g} Å",
        "computed": f"on the {found['device'].upper()}, engine {found['engine']}",
        "a step": f"{1e3 * cost['step_s']:.3g} ms, {found['steps_per_epoch']} steps an epoch",
        "an epoch": _duration(cost["epoch_s"]),
        "in all": f"{_duration(cost['total_s'])} at most, by training.{cost['limit']}",
        "memory": "unknown" if cost["memory"] is None else f"{cost['memory'] / 2**30:.1f} GiB",
    }
    table = Table(show_header=False, box=None)
    for name, text in rows.items():
        table.add_row(name, text)
    console = Console(highlight=False)
    console.print(table)
    for finding in found["lint"]["findings"]:
        console.print(f"{finding['severity']}: {finding['message']}", markup=False, soft_wrap=True)
    for note in found["notes"]:
        console.print(f"warning: {note}", markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    clock = f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return clock if seconds >= 60.0 else f"{seconds:.2g} s"


def _run(config: TrainingConfig, folder: Path, *, is_resumed: bool, events: str | None) -> None:
    from nequip_openmm.runs import Commands
    from nequip_openmm.training import train as run

    # Lightning starts a copy of this command for every further device.
    is_shown = os.environ.get("LOCAL_RANK", "0") == "0"
    console = Console(stderr=True, quiet=not is_shown, soft_wrap=True, highlight=False)
    commands = Commands() if events is not None else None
    result = run(
        config, folder, resume=is_resumed, events=events, commands=commands, console=console
    )
    _print_result(console, result)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _refuse_with_resume(*others: Path | str | None) -> None:
    if any(other is not None for other in others):
        raise UserError(
            "--resume goes on with the settings of its run folder; CONFIG.yaml, --dataset, --preset and --output "
            "cannot be given with it"
        )


def _resumed(folder: Path, overrides: list[str]) -> TrainingConfig:
    """Return the settings of a run folder, with those changes that leave it the same run."""
    from nequip_openmm.runs import RunFolder
    from nequip_openmm.training.loading import load_config
    from nequip_openmm.training.run import KIND

    for override in overrides:
        key = override.partition("=")[0].strip()
        if key.removeprefix("training.") not in RESUMABLE:
            raise ConfigError(
                f"{override}: cannot be changed with --resume; training.{', training.'.join(RESUMABLE)} can"
            )
    spec = RunFolder.open(folder, KIND) / "spec.yaml"
    return load_config(spec, overrides=overrides)


def _print_result(console: Console, result: TrainingResult) -> None:
    console.print(
        f"{result.reason}: {result.why}; {result.epoch} epochs, {result.step} steps, {result.elapsed:.0f} s"
    )
    if result.model is None:
        console.print("no model yet: the first epoch was not complete")
    else:
        console.print(_table(result))
        console.print(f"model: {result.model} (best epoch {result.best_epoch})", markup=False)
    if result.reason == "stopped":
        console.print(f"go on with: nequip-openmm train --resume {result.output}", markup=False)


def _table(result: TrainingResult) -> Table:
    columns = {
        "energy MAE": "energy_mae_mev_per_atom",
        "RMSE (meV/atom)": "energy_rmse_mev_per_atom",
        "force MAE": "forces_mae_mev_per_angstrom",
        "RMSE (meV/Å)": "forces_rmse_mev_per_angstrom",
    }
    table = Table("frames", *columns)
    for name, errors in (("validation", result.valid), ("test", result.test)):
        if errors:
            table.add_row(name, *(f"{errors[key]:.2f}" for key in columns.values()))
    return table
