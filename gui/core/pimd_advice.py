"""What a person can do when a path-integral run has ended or waits: what happened, what is kept, which ways lead on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Advice", "Offer", "advice_for"]


class Offer(Enum):
    """A way on; the value is what its button says."""

    RESUME = "Resume"
    RUN_LONGER = "Run longer"
    HALF_TIMESTEP = "New run with half the time step"
    RESTART_DRIVER = "Restart driver"
    STOP = "Stop cleanly"
    SETTINGS = "Change settings"
    SHOW_LOGS = "Show logs"
    REPORT = "Make report"
    MORE_BEADS = "Check number of beads"


@dataclass(frozen=True)
class Advice:
    """A message over the plots.

    Attributes
    ----------
    tone
        ``"ok"``, ``"info"``, ``"warn"`` or ``"error"``.
    title, text
        What happened; what is kept and what may help.
    offers
        Ways on, the best first.
    """

    tone: str
    title: str
    text: str = ""
    offers: tuple[Offer, ...] = ()


_KEPT = "Everything up to step {step:,} is kept and shown."


def advice_for(
    state: str,
    step: int,
    total: int,
    error: Mapping[str, Any] | None = None,
    waiting: str = "",
) -> Advice | None:
    """Return what to say about a run, or None while there is nothing to say.

    Parameters
    ----------
    state
        ``"waiting"``, ``"finished"``, ``"stopped"``, ``"failed"`` or ``"lost"``; others need no word.
    step, total
        The last row of properties; the steps that were asked for.
    error
        As the run told it: code, title, detail, hint.
    waiting
        What i-PI waits for, where it does because drivers have died.
    """
    kept = _KEPT.format(step=step)
    if state == "waiting" and waiting:
        offers = (Offer.RESTART_DRIVER, Offer.STOP, Offer.SHOW_LOGS)
        return Advice("warn", _capital(waiting), f"i-PI is waiting. {kept}", offers)
    if state == "waiting":
        text = "i-PI goes on when it is ready. Loading a model takes some seconds, the first time more."
        return Advice("info", "The driver is loading the model", text)
    if state == "finished":
        text = f"{total:,} steps are done."
        offers = (Offer.REPORT, Offer.MORE_BEADS, Offer.RUN_LONGER)
        return Advice("ok", "Finished", text, offers)
    if state == "stopped":
        text = f"Stopped at step {step:,} of {total:,}; the last whole step is saved."
        return Advice("info", "Stopped", text, (Offer.RESUME, Offer.REPORT, Offer.SETTINGS))
    if state == "lost":
        text = f"The program that ran it is gone without a word. {kept}"
        return Advice("error", "Lost", text, (Offer.RESUME, Offer.SHOW_LOGS))
    if state == "failed":
        return _failure(dict(error or {}), kept, step)
    return None


def _failure(error: dict[str, Any], kept: str, step: int) -> Advice:
    code = str(error.get("code") or "")
    title = str(error.get("title") or "The run has failed.")
    hint = " ".join(filter(None, (_spoken(error), kept if step else "")))
    return Advice("error", _capital(title), hint, _OFFERS.get(code, _ANY if step else _NEW))


def _spoken(error: dict[str, Any]) -> str:
    """Return the hint without what is for the command line: a button says that better."""
    sentences = str(error.get("hint") or "").rstrip(".").replace("; ", ". ").split(". ")
    kept = [sentence for sentence in sentences if sentence and "--" not in sentence]
    return "".join(f"{_capital(sentence)}. " for sentence in kept).strip()


_ANY = (Offer.RESUME, Offer.SHOW_LOGS, Offer.SETTINGS)
_NEW = (Offer.SETTINGS, Offer.SHOW_LOGS)
_OFFERS = {
    "blow-up": (Offer.HALF_TIMESTEP, Offer.RESUME, Offer.SETTINGS),
    "user-error": (Offer.SETTINGS, Offer.SHOW_LOGS),
    "disk-full": (Offer.RESUME, Offer.SHOW_LOGS),
}


def _capital(text: str) -> str:
    return text if text.startswith("i-PI") else text[:1].upper() + text[1:]
