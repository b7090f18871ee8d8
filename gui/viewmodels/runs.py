"""The Runs page without its widgets: which runs there are, which are compared, what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QFile, QObject, QTimer, Signal

from gui.core.curves import RunCurves, read_curves
from gui.core.run_summary import RunSummary, changed_at, summarise
from gui.core.settings_difference import Row, compare_settings, read_settings
from gui.jobs import Job, JobState
from gui.jobs.follower import is_running
from gui.session import Session
from nequip_openmm.errors import UserError

__all__ = ["Runs"]

_AT_ONCE = 5  # folders that are read before the window gets its turn
_LOOK_EVERY_MS = 3000
PAGE_OF = {"train": "train", "md": "simulate", "pimd": "simulate"}


class Runs(QObject):
    """All runs.

    Signals
    -------
    changed
        `summaries`, or a part of them, are others.
    loading_changed
        Whether folders are still being read.
    chosen_changed
        Other runs are looked at.
    curves_changed
        A run that is looked at has grown.
    failed
        Why the runs cannot be listed; "" when they can again.
    """

    changed = Signal()
    loading_changed = Signal(bool)
    chosen_changed = Signal()
    curves_changed = Signal()
    failed = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._summaries: dict[Path, RunSummary] = {}
        self._seen: dict[Path, float] = {}
        self._waiting: list[Path] = []
        self._current: Path | None = None
        self._ticked: list[Path] = []
        self._curves: dict[Path, tuple[float, RunCurves | None]] = {}
        self._problem = ""
        self.is_loading = False
        self._reader = QTimer(self, interval=0)
        self._reader.timeout.connect(self._read_some)
        self._watch = QTimer(self, interval=_LOOK_EVERY_MS)
        self._watch.timeout.connect(self.look)
        session.jobs.added.connect(self._note_job)
        session.jobs.changed.connect(self._note_job)

    # what there is

    @property
    def root(self) -> Path:
        """The folder of runs."""
        return Path(self._session.settings.runs_folder)

    @property
    def problem(self) -> str:
        """Why the runs cannot be listed, or ""."""
        return self._problem

    def summaries(self) -> list[RunSummary]:
        """Return all runs, the last one started first."""
        return sorted(self._summaries.values(), key=lambda run: run.started, reverse=True)

    def summary(self, folder: Path | None) -> RunSummary | None:
        """Return what is known of a run."""
        return None if folder is None else self._summaries.get(folder)

    def watch(self, is_wanted: bool) -> None:
        """Look for changes every few seconds, or no longer."""
        if is_wanted:
            self.look()
            self._watch.start()
        else:
            self._watch.stop()

    def look(self) -> None:
        """Find new runs, runs that have gone, and runs that have written something."""
        try:
            folders = _folders(self.root)
        except OSError as error:
            self._fail(f"{self.root} cannot be read: {error.strerror}")
            return
        self._fail("")
        known = {job.folder for job in self._session.jobs if job.folder.is_dir()}
        folders = list(dict.fromkeys([*folders, *known]))
        gone = self._summaries.keys() - set(folders)
        for folder in gone:
            self._forget(folder)
        fresh = [f for f in folders if self._is_stale(f)]
        self._waiting = sorted(fresh, key=changed_at, reverse=True)
        if self._waiting and not self._reader.isActive():
            self._set_loading(True)
            self._reader.start()
        elif gone:
            self.changed.emit()

    # what is looked at

    @property
    def chosen(self) -> list[Path]:
        """The runs that are compared: those that are ticked, or else the current one."""
        if self._ticked:
            return list(self._ticked)
        return [] if self._current is None else [self._current]

    def set_current(self, folder: Path | None) -> None:
        """Look at one run."""
        if folder != self._current:
            self._current = folder
            if not self._ticked:
                self.chosen_changed.emit()

    def tick(self, folder: Path, on: bool) -> None:
        """Compare a run with others, or no longer."""
        if on == (folder in self._ticked):
            return
        if on:
            self._ticked.append(folder)
        else:
            self._ticked.remove(folder)
        self.changed.emit()
        self.chosen_changed.emit()

    def untick_all(self) -> None:
        """Compare nothing."""
        if self._ticked:
            self._ticked.clear()
            self.changed.emit()
            self.chosen_changed.emit()

    def is_ticked(self, folder: Path) -> bool:
        """Return whether a run is compared."""
        return folder in self._ticked

    def curves(self, folder: Path) -> RunCurves | None:
        """Return the curves of a run, read anew if it has written something."""
        run = self._summaries.get(folder)
        if run is None:
            return None
        time = changed_at(folder)
        if folder not in self._curves or self._curves[folder][0] != time:
            self._curves[folder] = time, read_curves(folder, run.kind)
        return self._curves[folder][1]

    def settings(self) -> list[Row]:
        """Return the settings of the runs that are looked at."""
        return compare_settings([read_settings(folder) for folder in self.chosen])

    # what can be done

    def can_open(self, folder: Path | None) -> bool:
        """Return whether a run can be shown on its page."""
        run = self.summary(folder)
        return run is not None and run.kind in PAGE_OF

    def can_trash(self, folder: Path | None) -> bool:
        """Return whether a run can be thrown away: one at work cannot."""
        run = self.summary(folder)
        return run is not None and not run.is_alive

    def can_continue(self, folder: Path | None) -> bool:
        """Return whether a run that ended early can go on."""
        run = self.summary(folder)
        return run is not None and run.state in ("STOPPED", "FAILED", "LOST")

    def can_use(self, folder: Path | None) -> bool:
        """Return whether a run has a model to simulate with."""
        run = self.summary(folder)
        return run is not None and run.kind == "train" and run.model is not None

    def open(self, folder: Path) -> None:
        """Show a run on the page of its kind; one that is at work is watched from then on."""
        run = self.summary(folder)
        if run is not None and self.can_open(folder):
            self._session.page_wanted.emit(PAGE_OF[run.kind])
            self._session.show_run(folder)

    def use_model(self, folder: Path) -> None:
        """Take the model of a training to the Simulate page."""
        run = self.summary(folder)
        if run is not None and run.model is not None:
            self._session.page_wanted.emit("simulate")
            self._session.model_chosen.emit(run.model)

    def continue_(self, folder: Path) -> None:
        """Let a run go on from its last checkpoint."""
        try:
            job = self._session.jobs.continue_(folder)
        except UserError as error:
            self._session.notifications.error(str(error))
            return
        self._session.page_wanted.emit(PAGE_OF.get(job.kind, "runs"))
        self._session.job_shown.emit(job)

    def ask_to_trash(self, folders: Iterable[Path]) -> None:
        """Ask, then move folders of runs to the system's trash."""
        chosen = [folder for folder in folders if self.can_trash(folder)]
        if not chosen:
            return
        what = f"“{chosen[0].name}”" if len(chosen) == 1 else f"{len(chosen)} runs"
        text = f"Move {what} to the trash? Models and trajectories in there go with it."
        self._session.dialogs.ask(
            "Move to trash", text, ["Move to trash"], lambda _answer: self._trash(chosen)
        )

    def _trash(self, folders: list[Path]) -> None:
        for folder in folders:
            if not self.can_trash(folder):  # it was continued while the question was open
                continue
            if _move_to_trash(folder):
                job = self._session.jobs.get(folder)
                if job is not None:
                    self._session.jobs.forget(job)
                self._forget(folder)
            else:
                self._session.notifications.error(
                    f"{folder} could not be moved to the trash; delete it with your file manager."
                )
        self.changed.emit()

    # inside

    def _read_some(self) -> None:
        now, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        for folder in now:
            self._read(folder)
        if not self._waiting:
            self._reader.stop()
            self._set_loading(False)
        self.changed.emit()
        if set(now) & set(self.chosen):
            self.curves_changed.emit()

    def _read(self, folder: Path) -> None:
        self._seen[folder] = changed_at(folder)
        summary = summarise(folder, is_running)
        if summary is None:
            self._forget(folder)
            return
        job = self._session.jobs.get(folder)
        if job is None and summary.is_alive and summary.pid is not None:
            job = self._session.jobs.attach(folder)
            job.is_live = True
        self._summaries[folder] = _with_state_of(summary, job)

    def _is_stale(self, folder: Path) -> bool:
        run = self._summaries.get(folder)
        if run is None or self._seen.get(folder) != changed_at(folder):
            return True
        return run.is_alive and run.pid is not None and not is_running(run.pid, run.started)

    def _note_job(self, job: Job) -> None:
        run = self._summaries.get(job.folder)
        if run is None:
            if job.folder.is_dir() and (job.folder / "spec.yaml").exists():
                self._read(job.folder)
                self.changed.emit()
            return
        new = _with_state_of(run, job)
        if new.state != run.state:
            self._read(job.folder)
            self.changed.emit()
        elif (new.done, new.total) != (run.done, run.total):
            self._summaries[job.folder] = new
            self.changed.emit()

    def _forget(self, folder: Path) -> None:
        for table in (self._summaries, self._seen, self._curves):
            table.pop(folder, None)
        was_chosen = folder in self.chosen
        if folder in self._ticked:
            self._ticked.remove(folder)
        if folder == self._current:
            self._current = None
        if was_chosen:
            self.chosen_changed.emit()

    def _set_loading(self, is_loading: bool) -> None:
        if is_loading != self.is_loading:
            self.is_loading = is_loading
            self.loading_changed.emit(is_loading)

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self.failed.emit(problem)


def _folders(root: Path) -> list[Path]:
    """Return the run folders in a folder, and in the folders of series in it."""
    if not root.exists():
        return []
    next(root.iterdir(), None)  # raises where it may not be read
    found = [*root.glob("*/spec.yaml"), *root.glob("*/*/spec.yaml")]
    return [spec.parent.resolve() for spec in found]


def _with_state_of(run: RunSummary, job: Job | None) -> RunSummary:
    """Return the summary with what the job knows, which is newer than the file."""
    if job is None or (job.state is JobState.STARTING and not run.is_alive and not job.is_ours):
        return run
    done, total = job.progress.done or run.done, job.progress.total or run.total
    return replace(run, state=job.state.name, done=done, total=total)


def _move_to_trash(folder: Path) -> bool:
    result = QFile.moveToTrash(str(folder))
    return bool(result[0] if isinstance(result, tuple) else result)
