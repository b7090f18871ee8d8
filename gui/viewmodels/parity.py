"""Predictions of a run's best model beside the labels, computed by a child process: one at a time, last in the queue."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.core.comparison import Comparison
from gui.core.fields import get_value
from gui.viewmodels.training_run import TrainingRun

if TYPE_CHECKING:
    from gui.jobs import Task
    from gui.session import Session

__all__ = ["SETS", "Parity"]

SETS = {"valid": "Validation", "test": "Test", "train": "Training"}
PAUSE_MS = 20_000  # between two evaluations while a training runs: they cost it time


class Parity(QObject):
    """Evaluates the best model of the moment when somebody looks.

    Parameters
    ----------
    session
        The window's.
    run
        The training.

    Signals
    -------
    changed
        `comparison`, `is_busy`, `failure` or `which`.
    """

    changed = Signal()

    def __init__(self, session: Session, run: TrainingRun, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.run = run
        self.which = "valid"
        self.comparison: Comparison | None = None
        self.epoch = 0
        self.failure: dict[str, Any] = {}
        self._is_watched = False
        self._is_wanted = False
        self._task: Task | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="nequip-openmm-parity-")
        self._folder = Path(self._scratch.name)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._go_on)
        run.best_found.connect(self._want)
        run.changed.connect(self._go_on)

    @property
    def is_busy(self) -> bool:
        """Whether a model is being evaluated."""
        return self._task is not None

    @property
    def is_outdated(self) -> bool:
        """Whether there is a better model than the one that is shown."""
        return bool(self.run.best) and self.run.best.get("epoch") != self.epoch

    def watch(self, is_watched: bool) -> None:
        """Say whether anybody looks."""
        self._is_watched = is_watched
        if is_watched and (self.comparison is None or self.is_outdated):
            self._is_wanted = True
        self._go_on()

    def choose(self, which: str) -> None:
        """Compare with the ``valid``, ``test`` or ``train`` frames."""
        if which == self.which:
            return
        self.which, self.comparison, self.epoch, self.failure = which, None, 0, {}
        self._stop_task()
        self._pause.stop()
        self._want()
        self.changed.emit()

    def refresh(self) -> None:
        """Evaluate now."""
        self._pause.stop()
        self.failure = {}
        self._is_wanted = True
        self._go_on()

    def release(self) -> None:
        """End the child; remove what it wrote."""
        self._stop_task()
        self._pause.stop()
        self._scratch.cleanup()

    def has_set(self, which: str) -> bool:
        """Return whether the run has frames of a set."""
        frames = self.run.job.hello.get("frames")
        return which == "valid" or (isinstance(frames, dict) and bool(frames.get(which)))

    # --- the child

    def _want(self, _row: object = None) -> None:
        self._is_wanted = True
        self._go_on()

    def _go_on(self) -> None:
        is_idle = self._task is None and not self._pause.isActive()
        if not (self._is_wanted and self._is_watched and is_idle) or self.run.model is None:
            return
        self._is_wanted = False
        self._start()

    def _start(self) -> None:
        self._target = self._folder / f"{self.which}-{self.run.best.get('epoch', 0)}"
        shutil.rmtree(self._target, ignore_errors=True)
        self._epoch_asked = int(self.run.best.get("epoch", 0))
        self._task = task = self.session.task(self._arguments(self._target), parent=self)
        task.finished.connect(self._on_finished)
        task.failed.connect(self._on_failed)
        self.changed.emit()

    def _arguments(self, target: Path) -> list[str]:
        """Return the command line that reads the data as the training did."""
        settings, folder = self.run.settings, self.run.job.folder
        arguments = ["evaluate", str(folder / "model.safetensors")]
        arguments += [str(get_value(settings, "data.path"))]
        options = {
            "--format": get_value(settings, "data.format"),
            "--units": get_value(settings, "data.units"),
            "--energy-key": get_value(settings, "data.keys.energy"),
            "--forces-key": get_value(settings, "data.keys.forces"),
            "--indices": f"{folder / 'split.json'}:{self.which}",
            "--save": str(target),
        }
        for name, value in options.items():
            arguments += [name, str(value)] if value else []
        return [*arguments, "--background"] if self.run.job.is_alive else arguments

    def _on_finished(self, _result: dict[str, Any]) -> None:
        self._task = None
        if self.run.job.is_alive:
            self._pause.start()
        try:
            self.comparison = Comparison.load(self._target)
        except (OSError, ValueError, KeyError) as error:
            self.failure = {"title": f"The comparison cannot be read: {error}"}
        else:
            self.epoch, self.failure = self._epoch_asked, {}
            self.run.n_atoms = float(self.comparison.n_atoms.mean())
            self.run.force_rms = self.comparison.force_rms
        shutil.rmtree(self._target, ignore_errors=True)
        self.changed.emit()
        self._go_on()

    def _on_failed(self, failure: dict[str, Any]) -> None:
        self._task = None
        self.failure = failure
        if self.run.job.is_alive:
            self._pause.start()
        self.changed.emit()

    def _stop_task(self) -> None:
        if self._task is not None:
            self._task.finished.disconnect()
            self._task.failed.disconnect()
            self._task.cancel()
            self._task = None
