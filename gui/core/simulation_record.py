"""What a simulation has told so far: curves, averages, stages; filled from its events, drawn by the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gui.core.series import Series
from nequip_openmm.analysis.statistics import read_thermo

__all__ = ["COLUMNS", "Curves", "Mark", "SimulationRecord", "Step", "blow_up_step"]

Event = Mapping[str, Any]

COLUMNS = (
    "epot",
    "ekin",
    "etot",
    "conserved",
    "temp",
    "temp_target",
    "pressure",
    "volume",
    "density",
    "max_force",
    "rms_force",
)
"""What is drawn over time, named as in ``sample`` events; energies from that of the first structure on."""

_FROM_THE_START = ("epot", "etot", "conserved")

_IN_FILE = {
    "epot": "potential_eV",
    "ekin": "kinetic_eV",
    "etot": "total_eV",
    "conserved": "conserved_eV",
    "temp": "temperature_K",
    "pressure": "pressure_bar",
    "volume": "volume_A3",
    "density": "density_g_per_cm3",
    "max_force": "max_force_eV_per_A",
    "rms_force": "rms_force_eV_per_A",
}

_LARGEST_TABLE = (
    4_000_000  # bytes that are read at once; of a longer run the events' overview is shown
)
_ENOUGH = 10  # samples for a slope
_FEWER_THAN = 2  # samples: there is nothing to see in one point
_STEP_IN_TEXT = re.compile(r"at step (\d+)")

_TITLES = {
    "loading": "Loading PyTorch and the model",
    "checking": "Checking the structure",
    "building": "Building the simulation",
    "minimising": "Relaxing the structure",
    "running": "Running",
}


class Mark(NamedTuple):
    """Something that happened at a time in ps, such as a changed temperature or a new stage."""

    time_ps: float
    text: str


@dataclass
class Step:
    """One thing that is done on the way to the first time step.

    Attributes
    ----------
    name, title
        As the worker calls it, and for people.
    seconds
        How long it took; None while it is being done, or before.
    state
        ``waiting``, ``working`` or ``done``.
    """

    name: str
    title: str
    seconds: float | None = None
    state: str = "waiting"
    begun: float = 0.0


@dataclass
class Curves:
    """Curves that come whole: x, and y by name.

    Attributes
    ----------
    frames
        Structures that they are averages over.
    """

    x: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    y: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    frames: int = 0


class SimulationRecord:
    """The story of one run.

    Parameters
    ----------
    folder
        Its folder.
    timestep_fs
        Time step, fs; that of ``hello`` replaces it.
    is_minimised
        Whether a relaxation is due before the first step.
    """

    def __init__(self, folder: Path, timestep_fs: float = 0.5, is_minimised: bool = False) -> None:
        self.folder = folder
        self.n_atoms = 0
        self.timestep_fs = timestep_fs
        self.total_steps = 0
        self.spec: dict[str, Any] = {}
        self.series = Series(COLUMNS)
        self.zero_ev: float | None = None
        self.rdf, self.msd = Curves(), Curves()
        self.marks: list[Mark] = []
        self.steps: list[Step] = []
        self.stage_name = ""
        self.knobs: dict[str, float] = {}
        self.has_volume = self.has_conserved = False
        self.is_running = False
        self.checkpoint_step: int | None = None
        self.last_step = 0
        self.version = 0
        self._plan(is_minimised)

    # --- what is known --------------------------------------------------------------------------------------------

    def time_ps(self, step: float) -> float:
        """Return the time at a step, ps."""
        return step * self.timestep_fs / 1000.0

    @property
    def last_time_ps(self) -> float:
        """Time up to which something is known, ps."""
        return self.time_ps(self.last_step)

    def drift(self) -> float | None:
        """Return how fast the conserved quantity drifts, meV per ps and atom; None where nothing is conserved."""
        time_ps, energy = self.series.arrays("conserved")
        if len(time_ps) < _ENOUGH or not self.n_atoms or time_ps[-1] <= time_ps[0]:
            return None
        slope = np.polyfit(time_ps - time_ps[0], energy, 1)[0]
        return float(1000.0 * slope / self.n_atoms)

    @property
    def has_samples(self) -> bool:
        """Whether there is something to draw."""
        return len(self.series) >= _FEWER_THAN

    # --- events ---------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Take in an event; kinds that do not matter here are left alone."""
        handler = _HANDLERS.get(str(event.get("ev")))
        if handler is not None:
            handler(self, event)
            self.version += 1

    def read_history(self) -> None:
        """Draw what ``thermo.csv`` holds: all rows, where events kept an overview; find the checkpoint."""
        self.checkpoint_step = self.checkpoint_step or _checkpoint_step(self.folder)
        path = self.folder / "thermo.csv"
        try:
            if path.stat().st_size > _LARGEST_TABLE:
                return
            thermo = read_thermo(path)
        except (OSError, ValueError, KeyError):
            return
        x = thermo.get("time_ps")
        if x is None or len(x) < _FEWER_THAN:
            return
        newest = self.series.last.get("x", -np.inf)
        columns = {name: thermo[key] for name, key in _IN_FILE.items() if key in thermo}
        if len(x) <= len(self.series) or x[-1] < newest:
            return
        if "epot" in columns:
            self.zero_ev = float(columns["epot"][0])
            for name in set(_FROM_THE_START) & set(columns):
                columns[name] = columns[name] - self.zero_ev
        targets = self.series.arrays("temp_target")
        if len(targets[0]):  # a staircase: the newest target before each row
            at = np.clip(np.searchsorted(targets[0], x, side="right") - 1, 0, None)
            columns["temp_target"] = targets[1][at]
        self.series.clear()
        self.series.extend(x.tolist(), {name: y.tolist() for name, y in columns.items()})
        self.last_step = max(self.last_step, round(float(x[-1]) * 1000.0 / self.timestep_fs))
        self.version += 1

    def _take_hello(self, event: Event) -> None:
        self.spec = dict(event.get("spec") or {})
        self.n_atoms = int(event.get("n_atoms") or self.n_atoms)
        self.timestep_fs = float(self.spec.get("timestep") or self.timestep_fs)
        self.total_steps = int(self.spec.get("steps") or 0)
        self.is_running = False
        self.knobs = _first_knobs(self.spec)
        self._plan(bool(self.spec.get("minimise")))
        self._reach("minimising" if self.spec.get("minimise") else "running", event)

    def _take_status(self, event: Event) -> None:
        state = str(event.get("state"))
        if state == "resumed":
            self._cut(int(event.get("step") or 0))
            self.steps = [step for step in self.steps if step.name != "minimising"]
        if state in ("paused", "resumed", "stopping"):
            return
        self._reach(state, event)
        if state == "running":
            self.is_running = True
            self._finish(event)

    def _take_sample(self, event: Event) -> None:
        step = int(event["step"])
        time_ps = event.get("t_ps")
        if self.zero_ev is None:
            self.zero_ev = event.get("epot")
        self.series.append(
            self.time_ps(step) if time_ps is None else float(time_ps), self._shifted(event)
        )
        self.last_step = max(self.last_step, step)
        self.has_volume = self.has_volume or event.get("volume") is not None
        self.has_conserved = self.has_conserved or event.get("conserved") is not None
        self.is_running = True

    def _shifted(self, event: Event) -> dict[str, Any]:
        """Return the sample with energies counted from the first potential energy, whose changes are what matters."""
        values = {name: event.get(name) for name in COLUMNS}
        for name in _FROM_THE_START:
            value = values[name]
            values[name] = None if value is None else value - (self.zero_ev or 0.0)
        return values

    def _take_frame(self, event: Event) -> None:
        self.last_step = max(self.last_step, int(event["step"]))

    def _take_rdf(self, event: Event) -> None:
        self.rdf = _curves(event, "r_A", "pairs")

    def _take_msd(self, event: Event) -> None:
        self.msd = _curves(event, "lag_ps", "elements_A2")

    def _take_stage(self, event: Event) -> None:
        self.stage_name = str(event.get("name") or "")
        self.marks.append(Mark(self.time_ps(event.get("step") or 0), self.stage_name))

    def _take_set(self, event: Event) -> None:
        values = {k: event[k] for k in ("temperature", "friction", "pressure") if k in event}
        self.knobs |= values
        units = {"temperature": "K", "friction": "/ps", "pressure": "bar"}
        text = ", ".join(f"{name} {value:g} {units[name]}" for name, value in values.items())
        self.marks.append(Mark(self.time_ps(event.get("step") or 0), text))

    def _take_progress(self, event: Event) -> None:
        if event.get("phase") is None:
            self.last_step = max(self.last_step, int(event.get("done") or 0))
            self.total_steps = int(event.get("total") or self.total_steps)

    def _take_checkpoint(self, event: Event) -> None:
        if event.get("step") is not None:
            self.checkpoint_step = int(event["step"])

    def _cut(self, step: int) -> None:
        """Go back to a checkpoint: what came after it will be told again."""
        self.series.cut(self.time_ps(step) * (1 + 1e-12) + 1e-12)
        self.marks = [mark for mark in self.marks if mark.time_ps <= self.time_ps(step)]
        self.last_step = step

    # --- ticks ----------------------------------------------------------------------------------------------------

    def _plan(self, is_minimised: bool) -> None:
        names = ["loading", *(["minimising"] if is_minimised else []), "running"]
        told = {step.name: step for step in self.steps}
        self.steps = [told.get(name) or Step(name, _TITLES[name]) for name in names]
        if self.steps[0].state == "waiting":
            self.steps[0].state = "working"

    def begin(self, now: float) -> None:
        """Note that the worker was just started, ``now`` in seconds since the epoch."""
        self.steps[0].begun = now

    def begin_again(self, now: float) -> None:
        """Note that the run is continued by a new worker; what is known of it stays."""
        self.steps, self.is_running = [], False
        self._plan(is_minimised=False)
        self.begin(now)

    def _reach(self, name: str, event: Event) -> None:
        """Tick what comes before a step, and begin it; steps that were not planned are put in their place."""
        now = float(event.get("t") or 0.0)
        names = [step.name for step in self.steps]
        if name not in names:
            title = _TITLES.get(name) or name.replace("_", " ").capitalize()
            self.steps.insert(max(0, len(self.steps) - 1), Step(name, title))
            names = [step.name for step in self.steps]
        position = names.index(name)
        for step in self.steps[:position]:
            _tick(step, now)
        if self.steps[position].state == "waiting":
            self.steps[position].state, self.steps[position].begun = "working", now

    def _finish(self, event: Event) -> None:
        _tick(self.steps[-1], float(event.get("t") or 0.0))


def blow_up_step(error: Mapping[str, Any]) -> int | None:
    """Return the step at which a run blew up, from its error."""
    if error.get("step") is not None:
        return int(error["step"])
    found = _STEP_IN_TEXT.search(str(error.get("title", "")))
    return int(found.group(1)) if found else None


def _checkpoint_step(folder: Path) -> int | None:
    """Return the step of the checkpoint in a run folder; None if there is none that can be read."""
    try:
        return int(json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tick(step: Step, now: float) -> None:
    if step.state != "done":
        step.state = "done"
        if step.begun and now >= step.begun:
            step.seconds = now - step.begun


def _first_knobs(spec: Mapping[str, Any]) -> dict[str, float]:
    """Return temperature, friction and pressure at the first step, of those that the ensemble has."""
    stage = (spec.get("stages") or [{}])[0]
    ensemble = stage.get("ensemble") or spec.get("ensemble") or "nvt"
    names = {"nve": (), "nvt": ("temperature", "friction")}.get(
        ensemble, ("temperature", "friction", "pressure")
    )
    values = {
        name: stage.get(name) if stage.get(name) is not None else spec.get(name) for name in names
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def _curves(event: Event, x: str, y: str) -> Curves:
    curves = {name: np.array(_gaps(values)) for name, values in (event.get(y) or {}).items()}
    return Curves(np.array(_gaps(event.get(x) or [])), curves, int(event.get("frames") or 0))


def _gaps(values: list[float | None]) -> list[float]:
    return [np.nan if value is None else float(value) for value in values]


_HANDLERS = {
    "hello": SimulationRecord._take_hello,
    "status": SimulationRecord._take_status,
    "sample": SimulationRecord._take_sample,
    "frame": SimulationRecord._take_frame,
    "rdf": SimulationRecord._take_rdf,
    "msd": SimulationRecord._take_msd,
    "stage": SimulationRecord._take_stage,
    "set": SimulationRecord._take_set,
    "progress": SimulationRecord._take_progress,
    "checkpoint": SimulationRecord._take_checkpoint,
}
