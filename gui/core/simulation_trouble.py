"""What went wrong with a simulation, in words, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gui.core.simulation_record import SimulationRecord, blow_up_step

__all__ = ["Remedy", "Trouble", "describe_trouble", "shorter_timestep"]

_REASON = re.compile(r"blew up at step \d+ \([^)]*\): (.*?)(?:; all frames before.*)?$")


@dataclass(frozen=True)
class Remedy:
    """One way on.

    Attributes
    ----------
    key
        For the view model.
    title
        What the button says.
    tip
        What happens, and why it may help.
    """

    key: str
    title: str
    tip: str = ""


@dataclass(frozen=True)
class Trouble:
    """What a banner says.

    Attributes
    ----------
    title, text
        What happened, and what is left.
    remedies
        Likely to help; the first is the best.
    time_ps
        When it happened, for a mark in the plots; None where that is not known.
    causes
        What may have led to it.
    """

    title: str
    text: str
    remedies: list[Remedy] = field(default_factory=list)
    time_ps: float | None = None
    causes: str = ""


def describe_trouble(
    error: Mapping[str, Any], record: SimulationRecord, values: Mapping[str, Any]
) -> Trouble:
    """Return what to say about an error.

    Parameters
    ----------
    error
        ``{code, title, detail, hint}``.
    values
        Settings of the run, as the form has them.
    """
    code = error.get("code")
    if code == "blow-up":
        return _blow_up(error, record, values)
    if code == "user-error":
        return Trouble(
            "This cannot be simulated", _sentence(_without_path(str(error["title"]))), [_SETTINGS]
        )
    title = str(error.get("title") or "The simulation ended unexpectedly.")
    text = " ".join(filter(None, (_safe(record), _hint(error))))
    return Trouble(
        _sentence(title).rstrip("."), text, _ways_on(record), record.last_time_ps or None
    )


_SETTINGS = Remedy("settings", "Change settings")
_SAFE_FS = 0.5  # with hydrogen: its vibrations take 9 fs


def shorter_timestep(timestep_fs: float) -> float:
    """Return half a time step, or what is safe with hydrogen if that is less: one blow-up is enough."""
    return min(timestep_fs / 2, _SAFE_FS)


def _blow_up(
    error: Mapping[str, Any], record: SimulationRecord, values: Mapping[str, Any]
) -> Trouble:
    step = blow_up_step(error)
    time_ps = None if step is None else record.time_ps(step)
    where = "" if step is None else f" at {time_ps:.4g} ps (step {step:,})"
    found = _REASON.search(str(error.get("title", "")))
    reason = _sentence(found.group(1) if found else str(error.get("title", "")))
    text = f"{reason} All frames before it are kept; the last good one is shown."
    timestep = float(values.get("timestep") or record.timestep_fs)
    shorter = shorter_timestep(timestep)
    word = "Halve" if shorter == timestep / 2 else "Shorten"
    remedies = [
        Remedy(
            "shorter-timestep",
            f"{word} the time step ({timestep:g} → {shorter:g} fs)",
            "Starts again with a shorter time step; the length in ps stays",
        )
    ]
    if not values.get("minimise"):
        tip = "Starts again after relaxing the structure: atoms that are too close fly apart"
        remedies.append(Remedy("minimise", "Minimise first", tip))
    if record.checkpoint_step:
        remedies.append(_continue(record))
    causes = str(error.get("hint") or "").replace(" (try --minimise)", "")
    return Trouble(f"The simulation blew up{where}", text, [*remedies, _SETTINGS], time_ps, causes)


def _ways_on(record: SimulationRecord) -> list[Remedy]:
    if record.checkpoint_step is None:
        tip = "There is no checkpoint yet: begins anew in a new folder"
        return [Remedy("restart", "Start again", tip), _SETTINGS]
    return [_continue(record), _SETTINGS]


def _continue(record: SimulationRecord) -> Remedy:
    time_ps = record.time_ps(record.checkpoint_step or 0)
    return Remedy("continue", f"Resume from checkpoint at {time_ps:.4g} ps")


def _safe(record: SimulationRecord) -> str:
    if not record.last_step:
        return ""
    return f"Your data up to {record.last_time_ps:.4g} ps are safe."


def _hint(error: Mapping[str, Any]) -> str:
    """Return the hint without what the banner says itself, better."""
    hint = str(error.get("hint") or "")
    for said in (
        "What it had written is kept.",
        "Continue from its last checkpoint.",
        "Everything up to its last checkpoint is kept: continue from there.",
    ):
        hint = hint.replace(said, "")
    return hint.strip()


def _sentence(text: str) -> str:
    text = text.strip()
    return (text[:1].upper() + text[1:]).rstrip(".") + "." if text else ""


def _without_path(text: str) -> str:
    """Leave out the hidden file that the settings were handed over in."""
    return re.sub(r"^\S*settings\.yaml: ", "", text)
