"""What to try after a training that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gui.core.fields import get_value

__all__ = ["Suggestion", "suggest"]

LEAST_RATE = 1e-6
CLIP = 1.0


@dataclass(frozen=True)
class Suggestion:
    """One way on.

    Attributes
    ----------
    button
        What is written on its button.
    reason
        Why it should help, one sentence.
    changes
        Settings by path that differ from those of the failed run.
    continues
        Whether the run goes on from its last checkpoint; otherwise a new one starts.
    """

    button: str
    reason: str
    changes: dict[str, Any] = field(default_factory=dict)
    continues: bool = False


def suggest(
    error: Mapping[str, Any], settings: Mapping[str, Any], *, has_checkpoint: bool
) -> list[Suggestion]:
    """Return ways on, the best first; none where only a person can tell.

    Parameters
    ----------
    error
        ``code``, ``title``, ``detail``, ``hint`` of the failure.
    settings
        Those of the run.
    has_checkpoint
        Whether there is anything to continue from.
    """
    code, title = str(error.get("code", "")), str(error.get("title", ""))
    on = [CONTINUE] if has_checkpoint else []
    if code == "out-of-memory" or "SIGKILL" in title:
        return [*_with_less_memory(settings), *on]
    if code == "nan-loss":
        return _slower(settings)
    if code in ("disk-full", "write-failed"):
        return [AFTER_FREEING] if has_checkpoint else []
    if code in ("user-error", "no-start"):
        return []
    return on


CONTINUE = Suggestion(
    "Continue", "What was computed up to the last checkpoint is kept.", continues=True
)
AFTER_FREEING = Suggestion(
    "Continue",
    "Free some space first; the run goes on from its last checkpoint.",
    continues=True,
)


def _with_less_memory(settings: Mapping[str, Any]) -> list[Suggestion]:
    batch = get_value(settings, "training.batch_size", 5)
    validation = get_value(settings, "training.validation_batch_size", 32)
    smaller = {"training.validation_batch_size": max(1, min(validation // 2, 8))}
    if batch > 1:
        half = max(1, batch // 2)
        button = f"Retry with batch size {half}"
        reason = f"Memory grows with the frames of a batch (now {batch}); the learning curve changes little."
        return [Suggestion(button, reason, {"training.batch_size": half, **smaller})]
    if validation > 1:
        reason = "One frame a step fits no smaller; validation can take fewer at once."
        return [Suggestion("Retry with smaller validation batches", reason, smaller)]
    return []


def _slower(settings: Mapping[str, Any]) -> list[Suggestion]:
    rate = get_value(settings, "training.lr", 0.01)
    clip = get_value(settings, "training.grad_clip")
    slower = max(LEAST_RATE, float(f"{rate / 3:.1g}"))
    changes: dict[str, Any] = {"training.lr": slower}
    if get_value(settings, "training.lr_final", 1e-5) > slower:
        changes["training.lr_final"] = slower
    if clip is None or clip > CLIP:
        changes["training.grad_clip"] = CLIP
    reason = "Steps were too long: the loss became infinite or undefined."
    return [Suggestion(f"Retry with learning rate {slower:g}", reason, changes)]
