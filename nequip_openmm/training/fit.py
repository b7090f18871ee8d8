"""Lightning's Trainer, set up so that it computes and we decide what is said, saved and stopped."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from rich.console import Console

from nequip_openmm.errors import ConfigError
from nequip_openmm.runs import Commands
from nequip_openmm.runs.signals import StopSignals
from nequip_openmm.training.config import TrainingSettings
from nequip_openmm.training.control import Control, Interrupted
from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.progress import ProgressBar
from nequip_openmm.training.recorder import Best, Recorder, RunFiles

__all__ = ["Ending", "choose_accelerator", "fit", "fit_briefly"]


@dataclass(frozen=True)
class Ending:
    """How a fit ended: ``"finished"`` or ``"stopped"``, why in a few words, and by which signal."""

    reason: str
    why: str
    signal: int | None = None


def fit(
    module: TrainingModule,
    best: Best,
    files: RunFiles | None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> Ending:
    """Train a module until it is done or told to stop.

    Parameters
    ----------
    module
        What is trained.
    best
        The best model so far; kept up to date.
    files
        Writes files; None on processes that only compute.
    commands
        Orders from outside.
    console
        Where a progress bar is drawn.
    """
    signals = StopSignals()
    recorder = Recorder(files, best)
    control = Control(files, best, signals, commands)
    callbacks: list[Callback] = [recorder, control]
    if console is not None:
        callbacks.append(ProgressBar(console, recorder))
    with _quiet_lightning(), signals:
        trainer = _trainer(module.settings, callbacks, files)
        try:
            if module.position.step < module.last_step:
                trainer.fit(module)
        except Interrupted:
            return Ending("stopped", control.why_stopped(), signals.received)
        except SystemExit as error:
            if not isinstance(error.__context__, KeyboardInterrupt):
                raise
            raise KeyboardInterrupt from error  # Lightning had made it an exit with code 1
        finally:
            for logger in trainer.loggers:
                logger.finalize("")
    return Ending("finished", recorder.why_over or "there was nothing left to do")


def choose_accelerator(settings: TrainingSettings) -> str:
    """Return ``"gpu"`` or ``"cpu"``, which the fused engine needs; raises `ConfigError` for GPUs that are not here."""
    n_gpus = torch.cuda.device_count()
    prefers_cpu = n_gpus == 0 or settings.engine == "fused"
    if settings.accelerator == "cpu" or (settings.accelerator == "auto" and prefers_cpu):
        return "cpu"  # Apple's GPU knows no float64
    if n_gpus < settings.devices:
        raise ConfigError(
            f"training.accelerator = {settings.accelerator!r}, devices = {settings.devices}: "
            f"there are {n_gpus} CUDA GPUs here; use fewer, or accelerator cpu"
        )
    return "gpu"


def fit_briefly(module: TrainingModule, callbacks: list[Callback]) -> None:
    """Train as `fit` would, without files, signals and commands, until a callback sets ``trainer.should_stop``."""
    with _quiet_lightning():
        _trainer(module.settings, callbacks, None).fit(module)


def _trainer(
    settings: TrainingSettings, callbacks: list[Callback], files: RunFiles | None
) -> Trainer:
    loggers: list[Logger] = []
    if settings.tensorboard and files is not None:
        loggers.append(TensorBoardLogger(files.folder / "tensorboard", name="", version=""))
    return Trainer(
        accelerator=choose_accelerator(settings),
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=settings.strategy,
        max_epochs=-1,  # we say when it is over
        gradient_clip_val=settings.grad_clip,
        logger=loggers,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        inference_mode=False,  # forces are derivatives
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's advice and advertisements from the user's terminal."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
