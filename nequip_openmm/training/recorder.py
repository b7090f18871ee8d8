"""What an epoch leaves behind: a row of metrics, an event, a checkpoint, perhaps a better model."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from nequip_openmm.runs import EventStream, RunFolder
from nequip_openmm.runs.memory import memory_in_use
from nequip_openmm.training.checkpoints import BEST, FOLDER, LAST, save_checkpoint, save_link
from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.table import MetricsTable, Row, column_names

__all__ = ["Best", "Recorder", "RunFiles", "memory_fields"]

log = logging.getLogger(__name__)


@dataclass
class Best:
    """The best model so far, by validation loss.

    Attributes
    ----------
    loss, results
        Its validation loss and errors.
    epoch, step
        When it was met.
    average
        Its (average) weights.
    n_stalled
        Validations since.
    """

    loss: float = math.inf
    results: dict[str, float] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    average: list[Tensor] = field(default_factory=list)
    n_stalled: int = 0

    def observe(self, module: TrainingModule, results: dict[str, float], epoch: int) -> bool:
        """Take the present average weights if they are better; return whether they are."""
        if not results["loss"] < self.loss:
            self.n_stalled += 1
            return False
        self.loss, self.results, self.n_stalled = results["loss"], dict(results), 0
        self.epoch, self.step = epoch, module.position.step
        self.average = [a.detach().cpu().clone() for a in module.ema.average]
        return True


class RunFiles:
    """Writes a training's files; only the first of several processes has one.

    Parameters
    ----------
    folder
        The run folder.
    events
        Where events go.
    header
        What checkpoints hold besides the state: the model's configuration, the data set's fingerprint.
    save_model
        Writes ``model.safetensors`` with the best weights.
    """

    def __init__(
        self,
        folder: RunFolder,
        events: EventStream,
        header: dict[str, Any],
        save_model: Callable[[Best], None],
    ) -> None:
        self.folder = folder
        self.events = events
        self.header = header
        self.save_model = save_model

    def checkpoint(self, module: TrainingModule, best: Best) -> None:
        """Write ``last.ckpt``."""
        path = self.folder / FOLDER / LAST
        save_checkpoint(path, module.training_state() | {"best": asdict(best), **self.header})
        self.events.checkpoint(path, step=module.position.step)

    def epoch(self, trainer: Trainer, module: TrainingModule, row: Row, best: Best) -> None:
        """Write what an epoch leaves behind, the checkpoint last."""
        is_best = best.n_stalled == 0
        columns = column_names(module.train_frames.species)
        MetricsTable(self.folder / "metrics.csv", columns).append(row)
        for logger in trainer.loggers:
            finite = {name: x for name, x in row.items() if math.isfinite(x)}
            logger.log_metrics(finite, step=module.position.step)
        log.info(_sentence(row, is_best))
        self.checkpoint(module, best)
        if is_best:
            save_link(self.folder / FOLDER / LAST, self.folder / FOLDER / BEST)
            self.save_model(best)
        self.events.emit("epoch", **row, is_best=is_best, **memory_fields())


class Recorder(Callback):
    """Ends every epoch: judges, has it recorded, and decides whether there is another.

    Parameters
    ----------
    files
        Writes files; None on processes that only compute.
    best
        The best model so far.
    """

    def __init__(self, files: RunFiles | None, best: Best) -> None:
        self.files = files
        self.best = best
        self.row: Row = {}
        self.why_over = ""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Record the epoch; end the run where it is over."""
        module = pl_module
        train, valid = module.epoch_results()
        epoch = module.position.epoch + 1
        rate = module.schedule.rate(max(module.position.step - 1, 0))
        if module.position.batch >= module.batches_per_epoch:
            module.position.epoch, module.position.batch = epoch, 0
        module.schedule.observe(valid["loss"])
        self.best.observe(module, valid, epoch)
        self.row = {
            "epoch": epoch,
            "step": module.position.step,
            "elapsed_s": round(module.position.elapsed, 3),
            "learning_rate": rate,
            **{f"train_{name}": value for name, value in train.items()},
            **{f"valid_{name}": value for name, value in valid.items()},
        }
        if self.files is not None:
            self.files.epoch(trainer, module, self.row, self.best)
        self.why_over = self._why_over(module)
        if self.why_over:
            trainer.should_stop = True

    def _why_over(self, module: TrainingModule) -> str:
        """Return why there is no further epoch; empty if there is one."""
        patience = module.settings.early_stopping_patience
        if module.position.step >= module.last_step:
            return "all epochs done"
        if module.schedule.is_exhausted:
            return "learning rate at its end"
        if patience is not None and self.best.n_stalled >= patience:
            return f"no better validation loss for {patience} epochs"
        if module.agreed_stop == "finish":
            return "time is over"
        return ""


def memory_fields() -> dict[str, int | None]:
    """Return the bytes of memory that the run holds, for events; on a GPU those of the GPU too."""
    fields = {"memory_bytes": memory_in_use()}
    if torch.cuda.is_initialized():
        fields["gpu_memory_bytes"] = torch.cuda.memory_reserved()
    return fields


def _sentence(row: Row, is_best: bool) -> str:
    """Return the log's line about an epoch."""
    return (
        f"epoch {row['epoch']}: loss {row['train_loss']:.3g}, validation {row['valid_loss']:.3g}; "
        f"energy MAE {row['valid_energy_mae_mev_per_atom']:.2f} meV/atom, "
        f"force MAE {row['valid_forces_mae_mev_per_angstrom']:.1f} meV/Å, "
        f"learning rate {row['learning_rate']:.2g}{', best so far' if is_best else ''}"
    )
