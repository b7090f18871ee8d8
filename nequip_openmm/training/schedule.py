"""The learning rate over a run."""

from __future__ import annotations

import math
from typing import Any

from nequip_openmm.training.config import TrainingSettings

__all__ = ["Schedule"]

PLAN = ("total_steps", "planned_steps", "anchor_step", "anchor_progress")
PLATEAU = ("plateau_scale", "best", "n_stalled")
TIME_IN_STEPS = 0.97  # the rest of the time is for the last validation


class Schedule:
    """Learning rate as a function of steps, and of the validation loss for the plateau schedule.

    Falling schedules (cosine, exponential) follow the run's progress p, from 0 at the first step to 1 at the last. It grows
    evenly with steps, so that the same steps see the same rates. Where a time limit would end the run before its last
    epoch, `replan` shortens what is left: p goes on from its present value, only faster. That may happen every few steps,
    as the clock says, but never on a machine that is fast enough, where a run can thus be repeated bit by bit.

    Parameters
    ----------
    settings
        Kind and parameters.
    total_steps
        Steps in all epochs.
    """

    def __init__(self, settings: TrainingSettings, total_steps: int) -> None:
        self.settings = settings
        self.total_steps = total_steps
        self.planned_steps = total_steps  # where p reaches 1
        self.anchor_step = 0  # where the present plan began, ...
        self.anchor_progress = 0.0  # ... and the progress there
        self.plateau_scale = 1.0
        self.best = math.inf
        self.n_stalled = 0

    @property
    def falls_over_the_run(self) -> bool:
        """Whether the rate depends on when the run will end."""
        return self.settings.scheduler in ("cosine", "exponential")

    def progress(self, step: int) -> float:
        """Return p at a step, between 0 and 1."""
        left = self.planned_steps - self.anchor_step
        if left <= 0:
            return 1.0
        advanced = (step - self.anchor_step) / left
        return min(1.0, self.anchor_progress + (1.0 - self.anchor_progress) * advanced)

    def rate(self, step: int) -> float:
        """Return the learning rate of the step with this number, counted from 0."""
        s = self.settings
        warmup = min(1.0, (step + 1) / (s.warmup_steps + 1))
        p = self.progress(step)
        if s.scheduler == "cosine":
            rate = s.lr_final + (s.lr - s.lr_final) * 0.5 * (1.0 + math.cos(math.pi * p))
        elif s.scheduler == "exponential":
            rate = s.lr * (s.lr_final / s.lr) ** p
        else:
            rate = s.lr * self.plateau_scale
        return rate * warmup

    def observe(self, loss: float) -> None:
        """Tell the plateau schedule a validation loss; others ignore it."""
        if self.settings.scheduler != "plateau":
            return
        if loss < self.best:
            self.best, self.n_stalled = loss, 0
            return
        self.n_stalled += 1
        if self.n_stalled > self.settings.plateau_patience:
            self.plateau_scale *= self.settings.plateau_factor
            self.n_stalled = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the plateau schedule has brought the rate below its end."""
        s = self.settings
        return s.scheduler == "plateau" and s.lr * self.plateau_scale < s.lr_final

    def steps_within(self, step: int, steps_in_all: int, seconds: float, pace: float) -> int:
        """Return the step to plan for, given the time that is left and the seconds a step takes.

        The present plan stays unless it does not fit, or another is longer by a twentieth.
        """
        possible = step + int(TIME_IN_STEPS * seconds / pace)
        wanted = min(steps_in_all, possible)
        is_better = wanted < self.planned_steps or wanted > 1.05 * self.planned_steps
        if wanted == steps_in_all or is_better:
            return wanted
        return self.planned_steps

    def replan(self, step: int, last_step: int, at_least: float = 0.0) -> None:
        """Let p reach 1 at ``last_step`` instead, from its value at ``step`` on, or from ``at_least`` if that is more."""
        self.anchor_progress = min(1.0, max(self.progress(step), at_least))
        self.anchor_step = step
        self.planned_steps = max(last_step, step)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs."""
        return {name: getattr(self, name) for name in (*PLAN, *PLATEAU)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a saved schedule was; where the number of epochs has changed since, with a new plan."""
        is_same_length = state["total_steps"] == self.total_steps
        for name in (*PLAN, *PLATEAU) if is_same_length else PLATEAU:
            setattr(self, name, state[name])
