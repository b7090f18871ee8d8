"""A training that runs or ran: its curves, its best model, what it means and what can be done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers
from PySide6.QtCore import QObject, Signal

from gui.core.fields import format_duration, get_value
from gui.core.model_header import read_model_header
from gui.core.restarts import Suggestion, suggest
from gui.core.series import Series
from gui.core.verdict import Verdict, judge, target_error
from gui.jobs import Job, JobState
from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder

__all__ = ["COLUMNS", "TrainingRun", "clock"]

FORCES, ENERGY = "forces_mae_mev_per_angstrom", "energy_mae_mev_per_atom"
COLUMNS = (
    "train_loss",
    "valid_loss",
    f"train_{FORCES}",
    f"valid_{FORCES}",
    f"train_{ENERGY}",
    f"valid_{ENERGY}",
    "learning_rate",
    "epoch_s",
    "memory_gib",
)
GIB = 2**30
MOST_BEST = 200
LATE = 0.97  # a best epoch after this part of a run says that it could have gone on


def clock(seconds: float | None) -> str:
    """Return a time that is left as ``1:02:03`` or ``5:10``; empty where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class TrainingRun(QObject):
    """Reads the events of a job.

    Parameters
    ----------
    job
        Of kind ``train``.

    Signals
    -------
    epoch_ended
        A row of metrics.
    best_found
        The same, if its model is the best so far.
    changed
        State, progress or anything else of the job.
    """

    epoch_ended = Signal(dict)
    best_found = Signal(dict)
    changed = Signal()

    def __init__(self, job: Job, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self.series = Series(COLUMNS, capacity=4000)
        self.row: dict[str, Any] = {}
        self.best: dict[str, Any] = {}
        self.improvements: list[dict[str, Any]] = []
        self.epochs = 0
        self.memory: float | None = None
        self.gpu_memory: float | None = None
        self.has_checkpoint = False
        self.n_atoms: float | None = None  # of a frame on average, where that is known
        self._known_rms: float | None = None
        self._settings: dict[str, Any] | None = None
        for event in job.events():
            self._note(event)
        job.event_received.connect(self._on_event)
        job.state_changed.connect(self._on_change)
        job.progressed.connect(self._on_change)

    def release(self) -> None:
        """Stop listening."""
        self.job.event_received.disconnect(self._on_event)
        self.job.state_changed.disconnect(self._on_change)
        self.job.progressed.disconnect(self._on_change)

    # --- what a person reads

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the run was asked to do; empty before it has begun."""
        if self._settings is None:
            try:
                self._settings = RunFolder(self.job.folder).read_spec()
            except UserError:
                return {}
        return self._settings

    @property
    def epoch_text(self) -> str:
        """Such as ``epoch 37 of 220``."""
        epochs = self.epochs or get_value(self.settings, "training.max_epochs", 0)
        of = f" of {epochs:,}" if epochs else ""
        return f"epoch {self.row['epoch']:,}{of}" if self.row else ""

    @property
    def eta_text(self) -> str:
        """Time that is left."""
        left = clock(self.job.progress.eta_s)
        return f"{left} left" if left and self.job.state is JobState.RUNNING else ""

    @property
    def epoch_s(self) -> float | None:
        """Seconds of the last epoch."""
        value = self.series.last.get("epoch_s")
        return value if value is not None and math.isfinite(value) else None

    @property
    def elapsed_text(self) -> str:
        """How long it has trained."""
        elapsed = self.row.get("elapsed_s")
        return format_duration(round(elapsed)) if elapsed else ""

    @property
    def model(self) -> Path | None:
        """File of the best model, if there is one."""
        path = self.job.folder / "model.safetensors"
        return path if path.is_file() else None

    def elements(self) -> list[tuple[str, float | None, float | None]]:
        """Return symbol, training and validation force error (meV/Å) of the last epoch by element."""
        prefix = f"valid_{FORCES}_"
        symbols = [name.removeprefix(prefix) for name in self.row if name.startswith(prefix)]
        symbols.sort(key=lambda symbol: atomic_numbers.get(symbol, 0))
        return [
            (s, self.row.get(f"train_{FORCES}_{s}"), self.row.get(f"{prefix}{s}")) for s in symbols
        ]

    # --- what it means

    @property
    def force_rms(self) -> float | None:
        """Typical force of the data, eV/Å: what errors are judged against."""
        if self._known_rms is None and self.model is not None:
            self._known_rms = _scale_of(self.model)
        return self._known_rms

    @force_rms.setter
    def force_rms(self, value: float | None) -> None:
        if value is not None and math.isfinite(value) and value > 0.0:
            self._known_rms = value
            self.changed.emit()

    @property
    def target(self) -> float | None:
        """Force error from which on the model is good, meV/Å."""
        return None if self.force_rms is None else target_error(self.force_rms)

    @property
    def verdict(self) -> Verdict:
        """Judgement of the best model."""
        frames = self.job.hello.get("frames") or {}
        return judge(
            self.best.get(f"valid_{FORCES}"),
            self.force_rms,
            energy_mae=self.best.get(f"valid_{ENERGY}"),
            n_atoms=self.n_atoms,
            n_frames=frames.get("valid"),
            train_forces_mae=self.best.get(f"train_{FORCES}"),
            still_falls=self._still_falls,
        )

    @property
    def _still_falls(self) -> bool:
        """Whether a run that is over had its best epoch at the very end, at a learning rate that was still high."""
        if self.job.state is not JobState.FINISHED or not self.best:
            return False
        rate = self.row.get("learning_rate") or 0.0
        highest = get_value(self.settings, "training.lr", 0.01)
        return self.best["epoch"] >= LATE * self.row["epoch"] and rate > 0.1 * highest

    @property
    def suggestions(self) -> list[Suggestion]:
        """Ways on after a failure."""
        if self.job.state not in (JobState.FAILED, JobState.LOST):
            return []
        return suggest(self.job.error or {}, self.settings, has_checkpoint=self.can_continue)

    @property
    def can_continue(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.job.folder / "checkpoints" / "last.ckpt").is_file() or self.has_checkpoint

    # --- events

    def _on_event(self, event: dict[str, Any]) -> None:
        kind = event["ev"]
        was_best = self.best
        self._note(event)
        if kind == "epoch":
            self.epoch_ended.emit(event)
            if self.best is not was_best:
                self.best_found.emit(event)

    def _note(self, event: dict[str, Any]) -> None:
        kind = event["ev"]
        if kind == "epoch":
            self._note_epoch(event)
        elif kind == "progress":
            self.epochs = int(event.get("epochs") or self.epochs)
            self._note_memory(event)
        elif kind == "checkpoint":
            self.has_checkpoint = True
        elif kind == "hello":
            self._settings = None

    def _note_epoch(self, event: dict[str, Any]) -> None:
        epoch = int(event["epoch"])
        if self.row and epoch <= self.row["epoch"]:  # resumed from before
            self.series.cut(epoch)
            self.improvements = [row for row in self.improvements if row["epoch"] < epoch]
            self.row = {}
        elapsed, before = event.get("elapsed_s"), self.row.get("elapsed_s", 0.0)
        is_next = epoch == self.row.get("epoch", 0) + 1
        self._note_memory(event)
        self.row = event
        more = {
            "epoch_s": elapsed - before if elapsed is not None and is_next else None,
            "memory_gib": self.memory,
        }
        self.series.append(epoch, {**event, **more})
        if event.get("is_best"):
            self.best = event
            self.improvements.append(event)
            del self.improvements[:-MOST_BEST]

    def _note_memory(self, event: dict[str, Any]) -> None:
        for name in ("memory", "gpu_memory"):
            value = event.get(f"{name}_bytes")
            if value is not None:
                setattr(self, name, value / GIB)

    def _on_change(self, _state: object = None) -> None:
        self.changed.emit()


def _scale_of(model: Path) -> float | None:
    """Return the root mean square force that the training measured and wrote into its model, eV/Å."""
    try:
        scale = read_model_header(model).model.get("per_type_energy_scales")
    except UserError:
        return None
    return scale if isinstance(scale, float) else None
