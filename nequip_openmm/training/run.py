"""One training, from settings to a model file in a run folder."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from rich.console import Console

from nequip_openmm.data import Dataset
from nequip_openmm.data.split import Split
from nequip_openmm.errors import UserError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.failures import failures_told, logged_to
from nequip_openmm.training.checkpoints import FOLDER, LAST, load_checkpoint
from nequip_openmm.training.config import TrainingConfig, TrainingSettings
from nequip_openmm.training.engine import choose_evaluation
from nequip_openmm.training.evaluate import evaluate_model
from nequip_openmm.training.export import ModelExport
from nequip_openmm.training.failures import memory_failure
from nequip_openmm.training.fit import Ending, choose_accelerator, fit
from nequip_openmm.training.loader import FrameBatches
from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.prepare import Preparation, prepare
from nequip_openmm.training.recorder import Best, RunFiles
from nequip_openmm.training.table import MetricsTable, column_names

__all__ = ["KIND", "TrainingResult", "train"]

KIND = "train"
MODEL = "model.safetensors"
SPLIT = "split.json"
METRICS = "metrics.csv"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended.

    Attributes
    ----------
    output
        The run folder.
    model
        The model file with the best weights; None if the run was stopped before its first validation.
    reason
        ``"finished"``, or ``"stopped"`` by a command or signal.
    why
        The same in a few words.
    signal
        Number of the signal that stopped it.
    epoch, step, elapsed
        Complete epochs and steps; seconds of training.
    best_epoch
        Epoch of the saved weights.
    valid, test
        Their errors in meV/atom and meV/Å; test errors only of a finished run that has test frames.
    """

    output: Path
    model: Path | None
    reason: str
    why: str
    signal: int | None
    epoch: int
    step: int
    elapsed: float
    best_epoch: int
    valid: dict[str, float] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)


def train(
    config: TrainingConfig,
    output: Path | str,
    *,
    resume: bool = False,
    events: str | None = None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> TrainingResult:
    """Train a model.

    Seeds the random generators of Python, numpy and torch. Nothing is written unless settings and data are in order. The
    run ends early, with a checkpoint, on SIGINT, SIGTERM or a ``stop`` command.

    Parameters
    ----------
    config
        All settings.
    output
        Run folder; must not exist unless ``resume``.
    resume
        Go on in that folder from its last checkpoint, to the weights that an uninterrupted run would have reached.
    events
        Where events go besides ``events.jsonl``: a path, or the number of an open file descriptor.
    commands
        Orders to the running training.
    console
        Where a progress bar is drawn; None draws none.

    Raises
    ------
    UserError
        If settings, data or output cannot be used.
    RunFailed
        If the run could not go on: a loss that is not finite, a full disk, no memory left.
    """
    output = Path(output)
    is_first = rank_zero_only.rank in (0, None)  # the others only compute
    if is_first and not resume:
        RunFolder.require_free(output)
        EventStream.require(events)
    choose_accelerator(config.training)
    state = _last_state(output) if resume else None
    preparation = _prepare(config, output, state, shows_progress=console is not None)
    module = _module(config.training, preparation, state)
    if choose_accelerator(config.training) == "cpu":
        choose_evaluation(module.model, config.training.engine)  # compiles, where the user reads it
    best = Best(**state["best"]) if state else Best()
    if not is_first:
        return _result(output, module, best, fit(module, best, None))
    folder = _open_folder(config, output, preparation, module, resume)
    with (
        folder.open_events(events) as stream,
        logged_to(folder.log),
        failures_told(stream, memory_failure),
    ):
        export = ModelExport(folder / MODEL, module.model, config, preparation)
        files = RunFiles(folder, stream, _header(preparation), export.save)
        _announce(stream, module, preparation, console, is_resumed=state is not None)
        ending = fit(module, best, files, commands, console)
        result = _result(output, module, best, ending)
        if ending.reason == "finished" and len(preparation.test) > 0:
            result = replace(result, test=_test(export, best, preparation.test, stream))
        _conclude(stream, result)
    return result


# --- before


def _last_state(output: Path) -> dict[str, Any] | None:
    """Return the last checkpoint of a run; None if it was stopped before its first."""
    folder = RunFolder.open(output, KIND)
    path = folder / FOLDER / LAST
    return load_checkpoint(path) if path.exists() else None


def _prepare(
    config: TrainingConfig, output: Path, state: dict[str, Any] | None, shows_progress: bool
) -> Preparation:
    _seed(config.training.seed)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    if state is None:
        return prepare(config, progress=shows_progress)
    preparation = prepare(
        config,
        Split.load(output / SPLIT),
        ModelConfig.model_validate(state["model_config"]),
        progress=shows_progress,
    )
    if preparation.source["sha256"] != state["source"]["sha256"]:
        raise UserError(
            f"{config.data.path} has changed since {output} was begun; resume with the data set of that time, "
            "or begin anew with another --output"
        )
    return preparation


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  for libraries that draw from the global generator
    torch.manual_seed(seed)


def _module(
    settings: TrainingSettings, preparation: Preparation, state: dict[str, Any] | None
) -> TrainingModule:
    model_config = preparation.model_config
    model = NequIP(model_config, getattr(torch, settings.dtype))
    train_frames, valid_frames = (
        FrameBatches(frames, model_config.species, model_config.cutoff, settings.cache_size)
        for frames in (preparation.train, preparation.valid)
    )
    module = TrainingModule(model, settings, train_frames, valid_frames)
    if state is not None:
        module.load_training_state(state)
    return module


def _open_folder(
    config: TrainingConfig,
    output: Path,
    preparation: Preparation,
    module: TrainingModule,
    resume: bool,
) -> RunFolder:
    """Make the run folder, or take it up with metrics cut to what the checkpoint knows."""
    columns = column_names(preparation.model_config.species)
    if resume:
        folder = RunFolder.open(output, KIND)
    else:
        spec = config.model_dump(mode="json")
        spec["data"]["path"] = preparation.source["path"]  # means the same from any folder
        folder = RunFolder.create(output, KIND, spec)
    try:
        (folder / FOLDER).mkdir(exist_ok=True)
        preparation.split.save(folder / SPLIT)
        MetricsTable(folder / METRICS, columns).cut_after(module.position.step)
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}") from error
    return folder


# --- during and after


def _header(preparation: Preparation) -> dict[str, Any]:
    """Return what a checkpoint says about model and data."""
    return {
        "model_config": preparation.model_config.model_dump(mode="json"),
        "source": preparation.source,
    }


def _announce(
    stream: EventStream,
    module: TrainingModule,
    preparation: Preparation,
    console: Console | None,
    is_resumed: bool,
) -> None:
    n_weights = sum(p.numel() for p in module.trainable)
    sizes = {name: len(getattr(preparation, name)) for name in ("train", "valid", "test")}
    stream.hello(KIND, resumed=is_resumed, n_weights=n_weights, frames=sizes)
    log.info("%s: frames %s; %d weights", preparation.source["name"], sizes, n_weights)
    log.info("model: %s", preparation.model_config.model_dump(mode="json"))
    if is_resumed:
        log.info("resumed at step %d", module.position.step)
    for sentence in preparation.warnings:
        log.warning(sentence)
        stream.warning("data", sentence)
        if console is not None:
            console.print(f"warning: {sentence}", style="yellow", markup=False)
    stream.status("training")


def _test(export: ModelExport, best: Best, frames: Dataset, stream: EventStream) -> dict[str, Any]:
    """Measure the best model on the test frames and write the result into its file."""
    stream.status("testing")
    errors = evaluate_model(export.potential(best), frames).to_dict()
    export.save(best, errors)
    return errors


def _result(output: Path, module: TrainingModule, best: Best, ending: Ending) -> TrainingResult:
    position = module.position
    return TrainingResult(
        output=output,
        model=output / MODEL if best.epoch > 0 else None,
        reason=ending.reason,
        why=ending.why,
        signal=ending.signal,
        epoch=position.epoch,
        step=position.step,
        elapsed=position.elapsed,
        best_epoch=best.epoch,
        valid=best.results,
    )


def _conclude(stream: EventStream, result: TrainingResult) -> None:
    log.info("%s: %s; best epoch %d", result.reason, result.why, result.best_epoch)
    if result.test:
        mae = result.test["forces_mae_mev_per_angstrom"]
        log.info("test: force MAE %.2f meV/Å on %d frames", mae, result.test["frames"])
    if result.reason == "finished":
        stream.progress(result.step, result.step, 0.0, epoch=result.epoch)
    stream.done(
        result.reason,
        why=result.why,
        best_epoch=result.best_epoch,
        model=None if result.model is None else str(result.model),
        valid=result.valid,
        test=result.test,
    )
