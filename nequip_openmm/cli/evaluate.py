"""``nequip-openmm evaluate``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.cli.watched import new_folder, watched
from nequip_openmm.errors import DataError, UserError

if TYPE_CHECKING:
    from nequip_openmm.data import Dataset
    from nequip_openmm.engines import EngineName
    from nequip_openmm.potential import Potential
    from nequip_openmm.training.evaluate import Errors

__all__ = ["evaluate"]

ENERGY = ("energy", "mev_per_atom", "meV/atom")
FORCES = ("forces", "mev_per_angstrom", "meV/Å")
SETS = ("train", "valid", "test")


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file.", show_default=False)],
    dataset: Annotated[Path, typer.Argument(help="Labelled structures.", show_default=False)],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.", show_default=False)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help="New folder for errors.json, parity.png and predictions.xyz.", show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw predictions against labels.", show_default=False)
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Write extended XYZ with predictions, labels as ref_energy and ref_forces.",
            show_default=False,
        ),
    ] = None,
    indices: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT.json:SET",
            help="Only these frames, such as those of runs/x/split.json:test.",
            show_default=False,
        ),
    ] = None,
    data_format: Annotated[
        str | None, typer.Option("--format", help="Format of the data set.", show_default=False)
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(help="Units of the data set, such as kcal/mol/Å.", show_default=False),
    ] = None,
    energy_key: Annotated[
        str | None, typer.Option(help="Name of energies in the data set.", show_default=False)
    ] = None,
    forces_key: Annotated[
        str | None, typer.Option(help="Name of forces in the data set.", show_default=False)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Frames at once, at most.")] = 32,
    device: Annotated[
        str | None, typer.Option(help="Such as cpu or cuda.", show_default="a GPU if there is one")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or float64.", show_default="the model's")
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|fused|reference", help="What computes the model.")
    ] = "auto",
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="New folder for labels and predictions as .npy files.",
            show_default=False,
        ),
    ] = None,
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="Leave the processor to others: one thread, last in the queue."
        ),
    ] = False,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there, and stop when the standard input says so or ends.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure a potential against a data set."""
    _refuse_existing(output, plot, predictions)
    keys = {"energy": energy_key, "forces": forces_key}
    options = {"format": data_format, "units": units, "progress": True}
    with watched("evaluate", events) as stream:
        if background:
            _step_back()
        potential = _loaded(model, device, dtype, engine, threads=1 if background else None)
        frames = _read(dataset, keys, options, indices, potential)
        with _progress(len(frames)) as advance:
            errors = _errors(potential, frames, batch_size, advance)
        for plot_path, xyz_path in ((plot, predictions), _in_folder(output, errors)):
            if plot_path is not None:
                _draw(frames, errors, plot_path)
            if xyz_path is not None:
                _write_predictions(frames, errors, xyz_path)
        document = _without_nan(errors.to_dict())
        if save is not None:
            _save(save, frames, errors, document)
        stream.emit("result", **document, folder=save)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    elif events is None:
        _print(errors, str(dataset))


def _step_back() -> None:
    """Let other processes go first, where the system has such an order."""
    if hasattr(os, "nice"):
        os.nice(10)


def _loaded(
    model: Path, device: str | None, dtype: str | None, engine: str, threads: int | None
) -> Potential:
    from nequip_openmm.data.progress import progress_bar

    with progress_bar("loading the model", 1.0, shown=False):
        import torch  # slow

        from nequip_openmm.potential import load

        if threads is not None:
            torch.set_num_threads(threads)
        return load(model, device, dtype, cast("EngineName", engine))


def _read(
    dataset: Path,
    keys: dict[str, str | None],
    options: dict[str, Any],
    indices: str | None,
    potential: Potential,
) -> Dataset:
    from nequip_openmm.data import Keys, read_dataset

    frames = read_dataset(dataset, keys=Keys(**keys), **options)
    if indices is not None:
        return _chosen(frames, indices)
    _warn_of_training_frames(potential, dataset)
    return frames


def _errors(potential: Potential, frames: Dataset, batch_size: int, advance: Any) -> Errors:
    from nequip_openmm.training.evaluate import evaluate_model

    return evaluate_model(potential, frames, batch_size, advance)


def _save(folder: Path, frames: Dataset, errors: Errors, document: dict[str, Any]) -> None:
    from nequip_openmm.runs.failures import write_failure
    from nequip_openmm.training.comparison import save_comparison

    with new_folder(folder) as partial:
        try:
            save_comparison(partial, frames, errors, document)
        except OSError as error:
            raise write_failure(error, folder) from error


def _refuse_existing(output: Path | None, *files: Path | None) -> None:
    """Refuse what could not be written, or would take the place of something, before the long work."""
    from nequip_openmm.runs import RunFolder

    if output is not None:
        RunFolder.require_free(output, is_resumable=False)
    for file in files:
        if file is not None and file.exists():
            raise UserError(f"'{file}' exists; choose another name, or remove it")
        if file is not None and not os.access(file.parent, os.W_OK):
            raise UserError(f"cannot write '{file}': no folder '{file.parent}' that can be written")


def _warn_of_training_frames(potential: Potential, dataset: Path) -> None:
    """Say so if the file is the one that the model was trained on."""
    from nequip_openmm.training.prepare import fingerprint

    known = potential.info.training.get("dataset")
    if isinstance(known, dict) and known.get("sha256") == fingerprint(dataset)["sha256"]:
        text = (
            f"warning: {dataset} holds the frames that the model was trained on; errors on them say little; "
            "measure the others with --indices RUN/split.json:test"
        )
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            text, style="yellow", markup=False
        )


def _chosen(frames: Dataset, text: str) -> Dataset:
    """Return the frames that ``SPLIT.json:SET`` names."""
    from nequip_openmm.data.split import Split

    path, colon, name = text.rpartition(":")
    if not colon or name not in SETS:
        raise UserError(
            f"--indices {text}: expected SPLIT.json:SET with SET one of {', '.join(SETS)}"
        )
    split = Split.load(path)
    if split.n_frames != len(frames):
        raise DataError(
            f"{path} divides {split.n_frames} frames, {frames.source} holds {len(frames)}; "
            "give the data set of that run"
        )
    return frames.subset(getattr(split, name))


@contextmanager
def _progress(n_frames: int) -> Iterator[Any]:
    from nequip_openmm.data.progress import progress_bar

    with progress_bar("evaluating", n_frames) as advance:
        yield advance


def _in_folder(output: Path | None, errors: Errors) -> tuple[Path | None, Path | None]:
    """Make the folder with ``errors.json`` and return where the rest goes."""
    if output is None:
        return None, None
    try:
        output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_without_nan(errors.to_dict()), indent=2)
        (output / "errors.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}") from error
    return output / "parity.png", output / "predictions.xyz"


def _draw(frames: Dataset, errors: Errors, path: Path) -> None:
    from nequip_openmm.analysis.plots import plot_parity

    n_atoms = frames.n_atoms
    try:
        plot_parity(
            frames.energies / n_atoms, errors.energies / n_atoms, frames.forces, errors.forces, path
        )
    except OSError as error:
        raise UserError(f"cannot write '{path}': {error.strerror}") from error


def _write_predictions(frames: Dataset, errors: Errors, path: Path) -> None:
    """Write every frame with predictions as its results and the labels beside them."""
    from ase.io import write

    structures = []
    for k, frame in enumerate(frames):
        atoms_of_frame = slice(frames.offsets[k], frames.offsets[k + 1])
        predicted = frame.with_labels(
            energy=float(errors.energies[k]), forces=errors.forces[atoms_of_frame], stress=None
        ).to_ase()
        if frame.energy is not None:
            predicted.info["ref_energy"] = frame.energy
        if frame.forces is not None:
            predicted.arrays["ref_forces"] = frame.forces
        structures.append(predicted)
    try:
        write(path, structures, format="extxyz")
    except OSError as error:
        raise UserError(f"cannot write '{path}': {error.strerror}") from error


def _print(errors: Errors, source: str) -> None:
    table = Table("", "unit", "MAE", "RMSE", "largest", title=f"{source}: {errors.frames} frames")
    rows = [("energy", ENERGY, errors.total), ("forces", FORCES, errors.total)]
    rows += [(f"forces on {s}", FORCES, row) for s, row in errors.per_species.items()]
    for label, (name, suffix, unit), numbers in rows:
        values = [numbers[f"{name}_{kind}_{suffix}"] for kind in ("mae", "rmse", "max")]
        if all(value == value for value in values):  # NaN where nothing is labelled
            table.add_row(label, unit, *(f"{value:.2f}" for value in values))
    Console(soft_wrap=True).print(table)


def _without_nan(value: Any) -> Any:
    """Return null for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if value != value else value
