"""A training rehearsed: everything up to the first steps, to tell what it would be, how long it takes, what it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer

from nequip_openmm.data import Dataset
from nequip_openmm.data.findings import Report
from nequip_openmm.data.lint import check_dataset
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.runs.memory import largest_memory
from nequip_openmm.training.config import TrainingConfig, TrainingSettings
from nequip_openmm.training.engine import choose_evaluation, engine_name
from nequip_openmm.training.failures import memory_failure
from nequip_openmm.training.fit import choose_accelerator, fit_briefly
from nequip_openmm.training.loader import BYTES_PER_GIB, FrameBatches, size_in_bytes
from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.prepare import Preparation, prepare_frames, read_frames

__all__ = ["Cost", "Rehearsal", "rehearse"]

BATCHES = 4  # of training frames, gone through again and again, so that neighbour lists are made once as in a training
SECONDS = 5.0  # of steps, ...
STEPS = 3  # ... or more where these are slow


@dataclass(frozen=True)
class Cost:
    """What a training takes.

    Attributes
    ----------
    step_s
        Seconds a step, the median of some.
    valid_s
        Seconds a validation of all its frames.
    epoch_s
        Seconds an epoch, with its validation.
    total_s
        Seconds in all at most: of ``max_epochs``, or ``max_time``.
    limit
        Which of the two.
    memory
        Bytes of main memory at most, neighbour lists of all frames with it; None where the system does not tell.
    gpu_memory
        Bytes of the GPU's; None on a CPU.
    lists
        Bytes that neighbour lists of all frames would take.
    """

    step_s: float
    valid_s: float
    epoch_s: float
    total_s: float
    limit: str
    memory: int | None
    gpu_memory: int | None
    lists: int


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """What a training would be.

    Attributes
    ----------
    preparation
        Frames, split, and the model with every ``auto`` filled in.
    report
        What a check of the data set found.
    n_weights
        Weights that are learnt.
    device, engine
        Where, and by what, the network is computed.
    steps_per_epoch
        Steps an epoch.
    cost
        Time and memory.
    """

    preparation: Preparation
    report: Report
    n_weights: int
    device: str
    engine: str
    steps_per_epoch: int
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        parts = self.preparation
        sizes = {name: len(getattr(parts, name)) for name in ("train", "valid", "test")}
        n_atoms = parts.train.n_atoms
        return {
            "frames": sizes | {"total": parts.split.n_frames},
            "atoms": {
                "min": int(n_atoms.min()),
                "mean": float(n_atoms.mean()),
                "max": int(n_atoms.max()),
            },
            "model": parts.model_config.model_dump(mode="json"),
            "mean_neighbours": _mean_neighbours(parts.model_config),
            "n_weights": self.n_weights,
            "device": self.device,
            "engine": self.engine,
            "steps_per_epoch": self.steps_per_epoch,
            "cost": vars(self.cost),
            "lint": self.report.to_dict(),
            "notes": list(parts.warnings),
        }


def rehearse(config: TrainingConfig) -> Rehearsal:
    """Do all that a training does before its first step, and some steps; nothing is written.

    The settings of the training itself are used but for several devices: one is measured.

    Raises
    ------
    UserError
        If settings or data cannot be used.
    RunFailed
        If the steps fail, such as for want of memory.
    """
    settings = config.training.model_copy(update={"devices": 1, "num_nodes": 1, "strategy": "auto"})
    device = choose_accelerator(settings)
    torch.manual_seed(settings.seed)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    dataset = read_frames(config, progress=True)
    with progress_bar("checking the data", 1.0, shown=False):
        report = check_dataset(dataset, config.model.cutoff)
    with progress_bar("measuring neighbours", 1.0, shown=False):
        preparation = prepare_frames(config, dataset)
    model = NequIP(preparation.model_config, getattr(torch, settings.dtype))
    try:
        cost = _measure(model, settings, preparation)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise memory_failure(error) or error from error
    return Rehearsal(
        preparation=preparation,
        report=report,
        n_weights=sum(p.numel() for p in model.parameters() if p.requires_grad),
        device=device,
        engine=engine_name(choose_evaluation(model, settings.engine))
        if device == "cpu"
        else "reference",
        steps_per_epoch=-(-len(preparation.train) // settings.batch_size),
        cost=cost,
    )


def _measure(model: NequIP, settings: TrainingSettings, preparation: Preparation) -> Cost:
    """Train for some seconds on a few batches."""
    few = _first(preparation.train, BATCHES * settings.batch_size)
    some = _first(preparation.valid, settings.validation_batch_size)
    train_frames, valid_frames = (_batches(frames, model, settings) for frames in (few, some))
    with progress_bar("timing steps", 1.0, shown=False) as advance:
        watch = _Stopwatch(advance)
        fit_briefly(TrainingModule(model, settings, train_frames, valid_frames), [watch])
    valid_s = watch.valid_s * len(preparation.valid) / len(some)
    batches = -(-len(preparation.train) // settings.batch_size)
    epoch_s = batches * watch.step_s + valid_s
    all_s, limit = settings.max_epochs * epoch_s, settings.max_time
    lists = _size_of_lists(train_frames, len(preparation.train) + len(preparation.valid))
    return Cost(
        step_s=watch.step_s,
        valid_s=valid_s,
        epoch_s=epoch_s,
        total_s=all_s if limit is None else min(all_s, limit),
        limit="max_epochs" if limit is None or all_s <= limit else "max_time",
        memory=_memory(lists, settings),
        gpu_memory=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        lists=lists,
    )


def _first(frames: Dataset, n: int) -> Dataset:
    return frames.subset(np.arange(min(n, len(frames))))


def _batches(frames: Dataset, model: NequIP, settings: TrainingSettings) -> FrameBatches:
    config = model.config
    return FrameBatches(frames, config.species, config.cutoff, settings.cache_size)


class _Stopwatch(Callback):
    """Times steps and a validation, then ends the training.

    Parameters
    ----------
    advance
        Hears which part of the time is over.
    """

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self._steps: list[float] = []
        self._begun = self._step_begun = self._valid_begun = 0.0
        self.valid_s = 0.0

    @property
    def step_s(self) -> float:
        """Seconds a step; the first, in which everything is done for the first time, does not count."""
        return median(self._steps[1:])

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Start the clock."""
        self._begun = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Begin a step that no other precedes."""
        self._step_begun = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Note the step, with the making of its batch; look whether it is enough."""
        now = time.monotonic()
        self._steps.append(now - self._step_begun)
        self._step_begun = now
        elapsed = now - self._begun
        self._advance(min(1.0, elapsed / SECONDS))
        if len(self._steps) > STEPS and elapsed > SECONDS:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Go back to the first batch."""
        pl_module.position.epoch += 1
        pl_module.position.batch = 0

    def on_validation_start(self, *_: Any) -> None:
        """Begin a validation."""
        self._valid_begun = time.monotonic()

    def on_validation_end(self, *_: Any) -> None:
        """Note the validation."""
        self.valid_s = time.monotonic() - self._valid_begun


def _size_of_lists(some: FrameBatches, n_frames: int) -> int:
    """Return the bytes that batches of so many frames would take, from those of some."""
    sizes = [size_in_bytes(some[k]) for k in range(len(some))]
    return round(sum(sizes) / len(sizes) * n_frames)


def _memory(lists: int, settings: TrainingSettings) -> int | None:
    """Return the most bytes of memory: what was held until now, and what is kept of neighbour lists."""
    held = largest_memory()
    return None if held is None else held + min(lists, round(settings.cache_size * BYTES_PER_GIB))


def _mean_neighbours(config: ModelConfig) -> float:
    given = config.avg_num_neighbors
    return float(np.mean(list(given.values()))) if isinstance(given, dict) else given
