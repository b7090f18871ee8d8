"""Who may stop a training, and when it saves: signals, commands, the clock."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from typing import Any

from lightning.pytorch import Callback, Trainer

from nequip_openmm.runs import Commands
from nequip_openmm.runs.signals import StopSignals
from nequip_openmm.training.module import TrainingModule
from nequip_openmm.training.recorder import Best, RunFiles, memory_fields

__all__ = ["Control", "Interrupted"]

log = logging.getLogger(__name__)

STEPS_BETWEEN_PLANS = 5
SECONDS_BETWEEN_PROGRESS = 0.5
PART_TO_WATCH = 0.1  # of the time limit, before a pace is believed: first steps are slow


class Interrupted(Exception):
    """Leaves Lightning's loop after a complete step; everything is saved."""


class Control(Callback):
    """Looks after every step: has a signal or a command come, is time over, is a checkpoint due?

    Parameters
    ----------
    files
        Writes checkpoints; None on processes that only compute.
    best
        The best model so far.
    signals
        What the operating system asked for.
    commands
        What a window asked for.
    """

    def __init__(
        self, files: RunFiles | None, best: Best, signals: StopSignals, commands: Commands | None
    ) -> None:
        self.files = files
        self.best = best
        self.signals = signals
        self.commands = commands
        self.is_stopped_by_command = False
        self._start = 0.0  # on the monotonic clock, pauses and earlier sittings taken into account
        self._last_save = 0.0
        self._last_progress = 0.0
        self._is_save_wanted = False
        self._pace: deque[tuple[int, float]] = deque(maxlen=20)  # (step, elapsed)

    def why_stopped(self) -> str:
        """Return in a few words who stopped the run."""
        if self.signals.received is not None:
            return f"stopped by {signal.Signals(self.signals.received).name}"
        return "stopped by command"

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Start the clock; take the signals over from Lightning, which would drop the step under way."""
        module = pl_module
        self._start = time.monotonic() - module.position.elapsed
        self._last_save = time.monotonic()
        self.signals.install()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Obey, plan, save, report."""
        module = pl_module
        self._obey(module)
        module.position.elapsed = time.monotonic() - self._start
        self._plan(trainer, module)
        self._report(module)
        if module.position.batch >= module.batches_per_epoch:
            return  # the end of the epoch saves
        if module.agreed_stop == "interrupt":
            self._save(module)
            raise Interrupted
        if module.agreed_stop == "finish" or module.position.step >= module.last_step:
            trainer.should_stop = True  # validates and ends the epoch here
        elif self._is_save_wanted or self._is_save_due(module):
            self._save(module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        """Leave if that was asked for during the last step; the epoch has just been saved."""
        module = pl_module
        self._last_save = time.monotonic()
        self._is_save_wanted = False
        if module.agreed_stop == "interrupt" and not trainer.should_stop:
            raise Interrupted

    def _obey(self, module: TrainingModule) -> None:
        while self.commands is not None and (command := self.commands.poll()) is not None:
            if command.name == "stop":
                module.stop_request, self.is_stopped_by_command = "interrupt", True
            elif command.name == "checkpoint":
                self._is_save_wanted = True
            elif command.name == "pause":
                self._pause(module)
            elif command.name == "set":
                self._warn(
                    "unknown-command", "a training has nothing that can be set while it runs"
                )
        while self.commands is not None and (line := self.commands.poll_unknown()) is not None:
            self._warn("unknown-command", f"not a command: {line[:200]}")
        if self.signals.received is not None:
            module.stop_request = "interrupt"

    def _pause(self, module: TrainingModule) -> None:
        """Wait until told to go on; the clock stands still meanwhile."""
        began = time.monotonic()
        self._status("paused")
        while self.signals.received is None and self.commands is not None:
            command = self.commands.poll()
            if command is not None and command.name in ("resume", "stop"):
                self.is_stopped_by_command = command.name == "stop"
                break
            time.sleep(0.05)
        if self.signals.received is not None or self.is_stopped_by_command:
            module.stop_request = "interrupt"
        self._start += time.monotonic() - began
        self._status("training")

    def _plan(self, trainer: Trainer, module: TrainingModule) -> None:
        """Let the run end in time: by a shorter schedule where one falls over the run, by a stop where none does."""
        limit, position = module.settings.max_time, module.position
        if limit is None:
            return
        if position.elapsed >= limit:
            module.stop_request = module.stop_request or "finish"
        if position.step % STEPS_BETWEEN_PLANS == 0 and module.schedule.falls_over_the_run:
            plan = (self._planned_steps(module, limit), position.elapsed / limit)
            if trainer.world_size > 1:
                plan = trainer.strategy.broadcast(plan)  # clocks differ
            last_step, least_progress = plan
            if last_step != module.last_step:
                module.schedule.replan(position.step, last_step, least_progress)

    def _planned_steps(self, module: TrainingModule, limit: float) -> int:
        position = module.position
        self._pace.append((position.step, position.elapsed))
        first_step, first_time = self._pace[0]
        if position.step == first_step or position.elapsed < PART_TO_WATCH * limit:
            return module.last_step
        pace = (position.elapsed - first_time) / (position.step - first_step)
        return module.schedule.steps_within(
            position.step, module.steps_in_all, limit - position.elapsed, pace
        )

    def _report(self, module: TrainingModule) -> None:
        now = time.monotonic()
        if self.files is None or now - self._last_progress < SECONDS_BETWEEN_PROGRESS:
            return
        self._last_progress = now
        step, last = module.position.step, module.last_step
        eta = (last - step) * module.position.elapsed / step
        if module.settings.max_time is not None:
            eta = min(eta, max(0.0, module.settings.max_time - module.position.elapsed))
        self.files.events.progress(
            step,
            last,
            round(eta, 1),
            epoch=module.position.epoch + 1,
            epochs=-(-last // module.batches_per_epoch),
            **memory_fields(),
        )

    def _is_save_due(self, module: TrainingModule) -> bool:
        return time.monotonic() - self._last_save >= module.settings.checkpoint_interval

    def _save(self, module: TrainingModule) -> None:
        if self.files is not None:
            self.files.checkpoint(module, self.best)
        self._last_save = time.monotonic()
        self._is_save_wanted = False

    def _status(self, state: str) -> None:
        if self.files is not None:
            self.files.events.status(state)

    def _warn(self, code: str, message: str) -> None:
        log.warning(message)
        if self.files is not None:
            self.files.events.warning(code, message)
