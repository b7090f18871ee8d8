"""What a run came to, read from its folder without reading all of it: kind, state, best figures, dates."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["RunSummary", "changed_at", "summarise"]

Event = dict[str, Any]

_LOADER: type[Any] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # ten times as fast where it is there
EVENTS = "events.jsonl"
_PAUSED = "paused"
_FORCES, _ENERGY = "forces_mae_mev_per_angstrom", "energy_mae_mev_per_atom"


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Attributes
    ----------
    folder
        Where it is.
    kind
        ``train``, ``md`` or ``pimd``.
    state
        Name of a `gui.jobs.states.JobState`, in capitals.
    started, changed
        Seconds since the epoch: when it was started (for the last time), and when it last wrote something.
    done, total
        Progress in its own units.
    figures
        Its best, or most telling, figures in words.
    rank
        The most telling one as a number, to sort by: force error in meV/Å, or simulated time in ps; None if there is none yet.
    error
        Why it failed, or "".
    pid
        Process that ran it, or None.
    model
        Model that it made, or used; None if there is none.
    """

    folder: Path
    kind: str
    state: str
    started: float
    changed: float
    done: int
    total: int
    figures: str
    rank: float | None
    error: str
    pid: int | None
    model: Path | None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in ("STARTING", "RUNNING", "PAUSED", "STOPPING")


def changed_at(folder: Path) -> float:
    """Return when a run last wrote something, in seconds since the epoch; 0 where that cannot be seen."""
    for name in (EVENTS, "spec.yaml"):
        try:
            return (folder / name).stat().st_mtime
        except OSError:
            continue
    return 0.0


def summarise(folder: Path, is_running: Callable[[int, float | None], bool]) -> RunSummary | None:
    """Return what a run came to, None if it is no run folder.

    Parameters
    ----------
    is_running
        Tells whether the process of this number, begun before this time, still runs.
    """
    try:
        spec = yaml.load((folder / "spec.yaml").read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    if not isinstance(spec, dict) or "kind" not in spec:
        return None
    last = _last_events(folder / EVENTS)
    hello, done, progress = last.get("hello", {}), last.get("done", {}), last.get("progress", {})
    kind = str(spec["kind"])
    figures, rank = _FIGURES.get(kind, _no_figures)(spec, last)
    return RunSummary(
        folder,
        kind,
        _state(last, is_running),
        float(hello.get("t") or changed_at(folder)),
        changed_at(folder),
        int(progress.get("done") or done.get("step") or 0),
        int(progress.get("total") or 0),
        figures,
        rank,
        str(last.get("error", {}).get("title", "")),
        hello.get("pid"),
        _model(folder, spec),
    )


def _last_events(path: Path) -> dict[str, Event]:
    """Return the last event of each kind that tells something, of the last session of the run."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            begin = max(text.rfind(b'"ev": "hello"'), 0)
            found = {"best": _last(text, b'"is_best": true', 0)}
            for kind in ("hello", "done", "error", "status", "progress", "sample"):
                found[kind] = _last(text, b'"ev": "' + kind.encode() + b'"', begin)
    except (OSError, ValueError):  # not there, or empty
        return {}
    return {kind: event for kind, event in found.items() if event}


def _last(text: mmap.mmap, mark: bytes, begin: int) -> Event:
    """Return the last whole line with a mark, that is not before a byte."""
    place = text.rfind(mark, begin)
    if place < 0:
        return {}
    end = text.find(b"\n", place)
    if end < 0:  # half a line
        return {}
    try:
        event = json.loads(text[text.rfind(b"\n", 0, place) + 1 : end])
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _state(last: dict[str, Event], is_running: Callable[[int, float | None], bool]) -> str:
    reason = last.get("done", {}).get("reason")
    if reason is not None:
        return {"finished": "FINISHED", "stopped": "STOPPED"}.get(str(reason), "FAILED")
    hello = last.get("hello")
    if hello is None:
        return "STARTING" if not last else "LOST"
    if not is_running(int(hello.get("pid") or -1), hello.get("t")):
        return "FAILED" if "error" in last else "LOST"
    return "PAUSED" if last.get("status", {}).get("state") == _PAUSED else "RUNNING"


def _train_figures(spec: Event, last: dict[str, Event]) -> tuple[str, float | None]:
    """Return the errors on the validation frames of the best epoch."""
    values = last.get("done", {}).get("valid") or {}
    if not values:
        best = last.get("best", {})
        values = {name[6:]: value for name, value in best.items() if name.startswith("valid_")}
    forces, energy = values.get(_FORCES), values.get(_ENERGY)
    parts = [f"F {forces:.3g} meV/Å"] if forces is not None else []
    parts += [f"E {energy:.2g} meV/atom"] if energy is not None else []
    return " · ".join(parts), forces


def _simulation_figures(spec: Event, last: dict[str, Event]) -> tuple[str, float | None]:
    """Return what was simulated, for how long, and how fast."""
    steps = last.get("progress", {}).get("done") or last.get("done", {}).get("step")
    length = None if steps is None else float(steps) * float(spec.get("timestep") or 0) / 1000
    mode = str(spec.get("ensemble") or spec.get("mode") or "")
    parts = [mode.upper()] if mode else []
    if spec.get("kind") == "pimd" and spec.get("beads"):
        parts.append(f"{spec['beads']} beads")
    if spec.get("temperature") is not None:
        parts.append(f"{spec['temperature']:g} K")
    if length is not None:
        parts.append(f"{length:.3g} ps")
    speed = last.get("done", {}).get("ns_per_day") or last.get("progress", {}).get("ns_per_day")
    parts += [f"{speed:.3g} ns/day"] if speed else []
    return " · ".join(parts), length


def _no_figures(spec: Event, last: dict[str, Event]) -> tuple[str, float | None]:
    return "", None


_FIGURES: dict[str, Callable[[Event, dict[str, Event]], tuple[str, float | None]]] = {
    "train": _train_figures,
    "md": _simulation_figures,
    "pimd": _simulation_figures,
}


def _model(folder: Path, spec: Event) -> Path | None:
    """Return the model of a run: its own copy, or the one that its settings name."""
    copy = folder / "model.safetensors"
    if copy.is_file():
        return copy
    named = spec.get("model")
    return Path(named) if isinstance(named, str) and Path(named).is_file() else None
