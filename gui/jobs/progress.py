"""How far a job is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    done, total
        In the job's own units of work: time steps, or steps of the optimiser.
    eta_s
        Seconds that are left, or None.
    speed
        For people, such as ``"38 ns/day"``; empty before it is known.
    """

    done: int = 0
    total: int = 0
    eta_s: float | None = None
    speed: str = ""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Progress:
        """Return what an event ``progress`` says."""
        done, total = int(event.get("done") or 0), int(event.get("total") or 0)
        return cls(done, total, event.get("eta_s"), _speed(event))

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def _speed(event: Mapping[str, Any]) -> str:
    if event.get("ns_per_day") is not None:
        return f"{event['ns_per_day']:.3g} ns/day"
    return f"epoch {event['epoch']}" if event.get("epoch") is not None else ""
