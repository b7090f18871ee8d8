"""The training itself, as a Lightning module: loss, optimiser, average weights, errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from nequip_openmm.data.batch import Batch
from nequip_openmm.errors import RunFailed
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.training.config import TrainingSettings
from nequip_openmm.training.ema import ExponentialMovingAverage
from nequip_openmm.training.engine import Evaluation, choose_evaluation
from nequip_openmm.training.loader import FrameBatches, Position, TrainingLoader, ValidationLoader
from nequip_openmm.training.loss import Loss
from nequip_openmm.training.metrics import ErrorSums
from nequip_openmm.training.schedule import Schedule

__all__ = ["TrainingModule"]

StopRequest = Literal["finish", "interrupt"] | None  # after a validation, or at once
GPU_STEPS_BETWEEN_CHECKS = 50  # asking a GPU for a number makes it wait


class TrainingModule(LightningModule):
    """A model that learns.

    Everything that a resumed run needs is in `training_state`; Lightning's own counters start from zero in every sitting.

    Parameters
    ----------
    model
        The model, in the precision it is trained in.
    settings
        How it is trained.
    train_frames, valid_frames
        What it learns from and what judges it.
    """

    def __init__(
        self,
        model: NequIP,
        settings: TrainingSettings,
        train_frames: FrameBatches,
        valid_frames: FrameBatches,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.model = model
        self.settings = settings
        self.train_frames = train_frames
        self.valid_frames = valid_frames
        self.loss = Loss(settings)
        self.trainable = [p for p in model.parameters() if p.requires_grad]
        self.ema = ExponentialMovingAverage(self.trainable, settings.ema_decay)
        self.batches_per_epoch = math.ceil(len(train_frames) / settings.batch_size)
        self.schedule = Schedule(settings, self.steps_in_all)
        self.position = Position()
        self.train_errors, self.train_loss = self._fresh_sums()
        self.valid_errors, self.valid_loss = self._fresh_sums()
        self.stop_request: StopRequest = None  # of this process
        self._shared_request: StopRequest = None  # of any process, one step later
        self._is_bad = torch.zeros((), dtype=torch.float64)
        self._optimizer_state: dict[str, Any] | None = None
        self._evaluate: Evaluation | None = None  # known when the device is

    @property
    def steps_in_all(self) -> int:
        """Steps in all epochs."""
        return self.settings.max_epochs * self.batches_per_epoch

    @property
    def last_step(self) -> int:
        """Number of steps after which the run ends, as planned now."""
        return self.schedule.planned_steps

    # --- what Lightning calls

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, with the state of an earlier sitting if there is one."""
        s = self.settings
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[s.optimizer]
        optimizer = kind(
            self.trainable, lr=s.lr, amsgrad=s.amsgrad, weight_decay=s.weight_decay, fused=True
        )
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
        return optimizer

    def train_dataloader(self) -> TrainingLoader:
        """Return the loader of training batches."""
        s = self.settings
        share = (self.trainer.global_rank, self.trainer.world_size)
        return TrainingLoader(self.train_frames, s.batch_size, s.seed, self.position, *share)

    def val_dataloader(self) -> ValidationLoader:
        """Return the loader of validation batches."""
        share = (self.trainer.global_rank, self.trainer.world_size)
        return ValidationLoader(self.valid_frames, self.settings.validation_batch_size, *share)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Move a batch; on a CPU nothing happens."""
        return batch if device.type == "cpu" else batch.to(device)

    def on_fit_start(self) -> None:
        """Follow the model to its device, and choose the engine that serves there."""
        self._evaluate = choose_evaluation(self.model, self.settings.engine)
        self.ema.to(self.device)
        self.train_errors.to(self.device)
        self.train_loss = self.train_loss.to(self.device)
        self._is_bad = self._is_bad.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's errors, unless this epoch began in an earlier sitting."""
        if self.position.batch == 0:
            self.train_errors, self.train_loss = self._fresh_sums()
        self.valid_errors, self.valid_loss = self._fresh_sums()  # a process may have no such frames

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate of the step."""
        rate = self.schedule.rate(self.position.step)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        prediction = self._predict(batch, create_graph=True)
        sums = self.loss.sums(prediction, batch)
        loss = self.loss.mean(sums, self._counts_of_all_processes(sums))
        self._check(loss)
        self.train_errors.update(prediction, batch)
        self.train_loss += sums.detach()
        return loss * self.trainer.world_size  # Lightning averages gradients over processes

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Take the step, the average weights with it, and count it."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.ema.update()
        self.position.step += 1
        self.position.batch += 1

    def on_validation_epoch_start(self) -> None:
        """Judge the average weights from here on."""
        self.ema.swap()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the errors of one batch."""
        prediction = self._predict(batch, create_graph=False)
        self.valid_errors.update(prediction, batch)
        self.valid_loss += self.loss.sums(prediction, batch).detach()

    def on_validation_epoch_end(self) -> None:
        """Go back to the weights that are trained."""
        self.ema.swap()

    # --- what callbacks ask for

    @property
    def agreed_stop(self) -> StopRequest:
        """The wish to stop that all processes know of."""
        return self.stop_request if self.trainer.world_size == 1 else self._shared_request

    def epoch_results(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return losses and errors of the epoch, for training and validation; all processes must call it together."""
        return (
            self._results(self.train_errors, self.train_loss),
            self._results(self.valid_errors, self.valid_loss),
        )

    def require_finite_weights(self) -> None:
        """Refuse to go on, and to save, with weights that are not finite."""
        norms = torch.stack(torch._foreach_norm([p.detach() for p in self.trainable]))
        if not bool(torch.isfinite(norms).all()):
            raise _not_finite("weights", self.position)

    def training_state(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on."""
        self.require_finite_weights()
        if self.ema.is_swapped:
            raise RuntimeError("no checkpoint can be written while average weights are validated")
        optimizers = self.trainer.optimizers
        return {
            "position": asdict(self.position),
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": optimizers[0].state_dict() if optimizers else self._optimizer_state,
            "schedule": self.schedule.state_dict(),
            "train_errors": self.train_errors.state_dict(),
            "train_loss": self.train_loss.clone(),
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on where `training_state` was taken; to be called before the fit."""
        for name, value in state["position"].items():
            setattr(self.position, name, value)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self._optimizer_state = state["optimizer"]
        self.schedule.load_state_dict(state["schedule"])
        self.train_errors.load_state_dict(state["train_errors"])
        self.train_loss = state["train_loss"].clone()

    # --- details

    @torch.enable_grad()  # forces are derivatives, in Lightning's validation too
    def _predict(self, batch: Batch, *, create_graph: bool) -> Prediction:
        if self._evaluate is None:
            raise RuntimeError("the engine is chosen when the fit starts")
        return self._evaluate(
            batch,
            forces=self.loss.needs_forces or not create_graph,
            virial=self.loss.needs_stress,
            create_graph=create_graph,
        )

    def _fresh_sums(self) -> tuple[ErrorSums, Tensor]:
        errors = ErrorSums(self.train_frames.species, self.device)
        loss = torch.zeros(len(self.loss.weights), 2, dtype=torch.float64, device=self.device)
        return errors, loss

    def _results(self, errors: ErrorSums, loss: Tensor) -> dict[str, float]:
        total = loss.clone()
        if self.trainer.world_size > 1:
            torch.distributed.all_reduce(total)
        merged = errors.merge_devices()
        by_species = {
            f"{name}_{symbol}": value
            for symbol, row in merged.results_by_species().items()
            for name, value in row.items()
        }
        return {"loss": float(self.loss.mean(total)), **merged.results(), **by_species}

    def _counts_of_all_processes(self, sums: Tensor) -> Tensor | None:
        """Return labels in the whole batch; tell the others of a wish to stop and of numbers that are not finite."""
        if self.trainer.world_size == 1:
            return None
        wishes = [float(self.stop_request == wish) for wish in ("finish", "interrupt")]
        flags = torch.tensor(wishes, dtype=sums.dtype, device=sums.device)
        shared = torch.cat([sums[:, 1].detach(), flags, self._is_bad.view(1)])
        torch.distributed.all_reduce(shared)
        _, *_, finish, interrupt, self._is_bad = shared
        self._shared_request = (
            "interrupt" if interrupt > 0.0 else "finish" if finish > 0.0 else None
        )
        return shared[:-3]

    def _check(self, loss: Tensor) -> None:
        """Stop at a loss that is not finite, before it reaches the weights where asking costs nothing."""
        is_alone = self.trainer.world_size == 1
        known = self._is_bad  # among several processes all must stop at the same step: the next
        self._is_bad = torch.maximum(known, (~torch.isfinite(loss.detach())).to(known.dtype))
        interval = 1 if loss.device.type == "cpu" else GPU_STEPS_BETWEEN_CHECKS
        if self.position.step % interval == 0 and bool(self._is_bad if is_alone else known):
            raise _not_finite("loss", self.position)


def _not_finite(what: str, position: Position) -> RunFailed:
    return RunFailed(
        f"the {what} became NaN or infinite at step {position.step + 1} (epoch {position.epoch + 1}); "
        "the last good checkpoint is kept",
        code="nan-loss",
        hint="Lower training.lr, set training.grad_clip=1, or look for odd frames with 'nequip-openmm info'.",
    )
