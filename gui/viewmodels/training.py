"""The Train page without its widgets: what is set up, what runs, and which of the two is looked at."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gui.core.fields import get_value, set_value
from gui.core.kinds import FileKind, kind_of_file
from gui.core.restarts import Suggestion
from gui.jobs import Action, Job, JobState
from gui.viewmodels.parity import Parity
from gui.viewmodels.training_run import TrainingRun
from gui.viewmodels.training_setup import Check, TrainingSetup
from nequip_openmm.errors import UserError

if TYPE_CHECKING:
    from gui.session import Session

__all__ = ["TrainingModel"]

RUN_STATES = {
    JobState.STARTING: "starting",
    JobState.RUNNING: "running",
    JobState.PAUSED: "paused",
    JobState.STOPPING: "stopping",
    JobState.FINISHED: "finished",
    JobState.STOPPED: "stopped",
    JobState.FAILED: "failed",
    JobState.LOST: "lost",
}


class TrainingModel(QObject):
    """What the page shows.

    Parameters
    ----------
    session
        The window's.

    Signals
    -------
    run_changed
        `run` is another training, or none.
    view_changed
        `shows_run`.
    state_changed
        `state`.
    """

    run_changed = Signal()
    view_changed = Signal()
    state_changed = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setup = TrainingSetup(session, self)
        self.run: TrainingRun | None = None
        self.parity: Parity | None = None
        self.shows_run = False
        self._state = ""
        self.setup.changed.connect(self._update)
        self.setup.check_changed.connect(self._update)
        session.settings_chosen.connect(self.load_settings)
        session.job_shown.connect(self.show_job)
        self._update()

    # --- state

    @property
    def state(self) -> str:
        """One of empty, loading, ready, invalid, starting, running, paused, stopping, finished, stopped, failed, lost."""
        if self.shows_run and self.run is not None:
            return RUN_STATES[self.run.job.state]
        if not self.setup.has_data:
            return "empty"
        if self.setup.check is Check.RUNNING:
            return "loading"
        return "ready" if self.setup.is_valid else "invalid"

    def _update(self) -> None:
        state = self.state
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)

    # --- setup

    def load_settings(self, path: Path) -> None:
        """Take the settings of a YAML file; those of simulations are for another page."""
        if kind_of_file(Path(path)) is FileKind.SIMULATION_SETTINGS:
            return
        try:
            self.setup.load(Path(path))
        except UserError as error:
            self.session.notifications.error(str(error))
            return
        self.show_setup()

    def edit_settings_of_run(self) -> None:
        """Take the settings of the run that is shown, to begin another."""
        if self.run is not None and self.run.settings:
            self.setup.take(self.run.settings)
        self.show_setup()

    def export(self, path: Path) -> None:
        """Write the settings as YAML."""
        try:
            self.setup.export(path)
        except UserError as error:
            self.session.notifications.error(str(error))
        else:
            self.session.notifications.ok(f"Settings written to {path}")

    # --- runs

    def start(self) -> Job | None:
        """Start a training with the settings of the form."""
        self.setup.cancel_check()
        job = self.session.start_job("train", self.setup.spec, self.setup.name)
        if job is not None:
            force_rms = self.setup.force_rms
            self._show(job)
            if self.run is not None and force_rms:
                self.run.force_rms = force_rms
        return job

    def show_job(self, job: Job) -> None:
        """Show a training that runs or ran; other jobs are not for this page."""
        if job.kind == "train":
            self._show(job)

    def _show(self, job: Job) -> None:
        if self.run is None or self.run.job is not job:
            self._release()
            self.run = TrainingRun(job, self)
            self.parity = Parity(self.session, self.run, self)
            self.run.changed.connect(self._update)
            self.run_changed.emit()
        self.show_run()

    def _release(self) -> None:
        if self.parity is not None:
            self.parity.release()
            self.parity.deleteLater()
        if self.run is not None:
            self.run.release()
            self.run.deleteLater()

    def show_run(self) -> None:
        """Look at the run."""
        self._look(True)

    def show_setup(self) -> None:
        """Look at the settings of the next one."""
        self._look(False)

    def _look(self, at_run: bool) -> None:
        self.shows_run = at_run and self.run is not None
        self.view_changed.emit()
        self._update()

    def can(self, action: Action) -> bool:
        """Return whether the run that is shown allows an action."""
        if self.run is None or not self.run.job.can(action):
            return False
        return action is not Action.CONTINUE or self.run.can_continue

    def continue_run(self, **changes: Any) -> None:
        """Go on from the last checkpoint, with changed settings such as ``{"training.max_epochs": 400}``."""
        if self.run is None:
            return
        folder = self.run.job.folder
        try:
            self.session.jobs.continue_(folder, **changes)
        except UserError as error:
            self.session.notifications.error(str(error))

    def train_longer(self) -> None:
        """Continue a finished run for as many epochs, and as much time, again."""
        if self.run is None:
            return
        settings = self.run.settings
        changes = {"training.max_epochs": 2 * int(get_value(settings, "training.max_epochs", 1000))}
        limit = get_value(settings, "training.max_time")
        if limit is not None:
            changes["training.max_time"] = 2 * limit
        self.continue_run(**changes)

    def follow(self, suggestion: Suggestion) -> None:
        """Do what was suggested after a failure."""
        if suggestion.continues:
            self.continue_run()
            return
        if self.run is None:
            return
        settings = copy.deepcopy(dict(self.run.settings))
        for path, value in suggestion.changes.items():
            set_value(settings, path, value)
        self.setup.take(settings)
        self.setup.name = self.run.job.name
        self.start()

    def use_in_simulation(self) -> None:
        """Bring the best model to the Simulate page."""
        if self.run is not None and self.run.model is not None:
            self.session.page_wanted.emit("simulate")  # first: the page may be made only now
            self.session.model_chosen.emit(self.run.model)

    def show_frame(self, frame: dict[str, Any]) -> None:
        """Show a frame in the inspector."""
        self.session.frame_shown.emit(frame)
