"""The bar on the terminal."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.recorder import Recorder

__all__ = ["ProgressBar"]

SECONDS_BETWEEN_UPDATES = 0.25
SECONDS_BETWEEN_LINES = 30.0


class ProgressBar(Callback):
    """Shows epoch, losses and force error with the time that is left; lines now and then where there is no terminal.

    Parameters
    ----------
    console
        Where it is drawn.
    recorder
        What it shows.
    """

    def __init__(self, console: Console, recorder: Recorder) -> None:
        self.console = console
        self.recorder = recorder
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),
            TextColumn("{task.fields[errors]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._last_update = 0.0
        self._last_line = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Draw the bar where there is a terminal."""
        if self.console.is_terminal:
            self.progress.start()
        self._task = self.progress.add_task("training", total=None, left="?", errors="")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move it."""
        now = time.monotonic()
        if now - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self._update(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Print a line where there is no bar."""
        self._update(pl_module)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            task = self.progress.tasks[0]
            self.console.print(
                f"{task.description}  {task.percentage:.0f}%  left {task.fields['left']}  {task.fields['errors']}",
                markup=False,
                highlight=False,
            )

    def on_train_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Take it away."""
        self._remove()

    def on_exception(
        self, trainer: Trainer, pl_module: TrainingModule, exception: BaseException
    ) -> None:
        """Take it away."""
        self._remove()

    def _remove(self) -> None:
        if self.progress.live.is_started:  # else it would print an empty line
            self.progress.stop()

    def _update(self, module: TrainingModule) -> None:
        if self._task is None:
            return
        position, last = module.position, module.last_step
        left = (last - position.step) * position.elapsed / max(position.step, 1)
        epochs = -(-last // module.batches_per_epoch)
        self.progress.update(
            self._task,
            description=f"epoch {min(position.epoch + 1, epochs)}/{epochs}",
            completed=position.step,
            total=last,
            left=clock(left),
            errors=_errors(self.recorder),
        )


def clock(seconds: float) -> str:
    """Return a time as H:MM:SS."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _errors(recorder: Recorder) -> str:
    if not recorder.row:
        return ""
    row, best = recorder.row, recorder.best
    return (
        f"loss {row['train_loss']:.3g}  F MAE {row['valid_forces_mae_mev_per_angstrom']:.1f} meV/Å "
        f"(best epoch {best.epoch}: {best.results['forces_mae_mev_per_angstrom']:.1f})"
    )
