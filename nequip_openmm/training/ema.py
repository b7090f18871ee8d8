"""Exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
    """θ̄ ← d θ̄ + (1 - d) θ after every step, with d = min(decay, (1 + n) / (10 + n)) at step n = 1, 2, ...

    The average forgets the random start quickly, then smooths over about 1 / (1 - decay) steps. It is what is validated and
    saved. With a decay of 0 the average is the last weights.

    Parameters
    ----------
    parameters
        The weights to follow, in a fixed order.
    decay
        Largest decay per step.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self.parameters = list(parameters)
        self.average = [p.detach().clone() for p in self.parameters]
        self.decay = decay
        self.n_updates = 0
        self.is_swapped = False

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average."""
        self.n_updates += 1
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        weights = [p.detach() for p in self.parameters]
        torch._foreach_lerp_(self.average, weights, 1.0 - decay)

    def swap(self) -> None:
        """Exchange the average and the parameters' values, without copying; twice is as if never."""
        for k, parameter in enumerate(self.parameters):
            parameter.data, self.average[k] = self.average[k], parameter.data
        self.is_swapped = not self.is_swapped

    def to(self, device: torch.device) -> None:
        """Move the average to another device."""
        self.average = [a.to(device) for a in self.average]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs."""
        return {"n_updates": self.n_updates, "average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved average."""
        self.n_updates = int(state["n_updates"])
        for mine, saved in zip(self.average, state["average"], strict=True):
            mine.copy_(saved)
