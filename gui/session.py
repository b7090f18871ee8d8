"""What the pages share: settings, jobs, dialogs, and who wants to see what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.core.kinds import FileKind, kind_of_file
from gui.dialogs import Answers, Dialogs
from gui.jobs import Job, Jobs, Task
from gui.jobs.commands import PROGRAM
from gui.jobs.follower import is_at_work
from gui.notifications import Notifications
from gui.settings import SettingsStore
from gui.theme import theme
from nequip_openmm.errors import UserError

__all__ = ["Session"]

PAGE_OF_KIND = {
    FileKind.DATASET: "data",
    FileKind.MODEL: "simulate",
    FileKind.STRUCTURE: "simulate",
    FileKind.RUN: "runs",
    FileKind.TRAINING_SETTINGS: "train",
    FileKind.SIMULATION_SETTINGS: "simulate",
}


N_LOOKED_AT = 50  # newest runs that may still be at work


class Session(QObject):
    """The window's state without its widgets.

    Parameters
    ----------
    settings, dialogs
        Those of tests, or None for the user's own and for dialogs that nobody answers (the window sets real ones).
    program
        Command line of nequip-openmm.

    Signals
    -------
    dataset_opened, model_chosen, structure_chosen, settings_chosen
        A `Path`.
    dataset_changed
        `dataset` is another.
    frame_shown
        A frame for the inspector: a dict of what `MoleculeView.setFrame` and ``setAtoms`` take, with a ``title``.
    page_wanted
        Name of a page: ``home``, ``data``, ``train``, ``simulate``, ``runs``.
    job_shown
        The `Job` that a person wants to see.
    """

    dataset_opened = Signal(object)
    dataset_changed = Signal()
    model_chosen = Signal(object)
    structure_chosen = Signal(object)
    settings_chosen = Signal(object)
    frame_shown = Signal(object)
    page_wanted = Signal(str)
    job_shown = Signal(object)

    def __init__(
        self,
        settings: SettingsStore | None = None,
        dialogs: Dialogs | None = None,
        program: Sequence[str] = PROGRAM,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings = settings or SettingsStore(parent=self)
        self.has_dialogs = dialogs is not None
        self.dialogs: Dialogs = dialogs or Answers()
        self.program = list(program)
        self.jobs = Jobs(self.program, parent=self)
        self.notifications = Notifications(self)
        self.theme = theme()
        self._dataset: Any = None

    @property
    def dataset(self) -> Any:
        """The data set that is open (`gui.core.datasets.OpenDataset`), or None."""
        return self._dataset

    @dataset.setter
    def dataset(self, dataset: Any) -> None:
        self._dataset = dataset
        self.dataset_changed.emit()

    def task(
        self, arguments: Sequence[str], *, events: bool = True, parent: QObject | None = None
    ) -> Task:
        """Start a short sub-command of nequip-openmm in a child process."""
        return Task.run(arguments, program=self.program, events=events, parent=parent or self)

    def start_job(self, kind: str, spec: dict[str, Any], name: str = "") -> Job | None:
        """Start a run in a new folder of the runs' folder; None, and a notification, if it cannot be."""
        try:
            folder = self.jobs.free_folder(self.settings.runs_folder, kind, name)
            return self.jobs.start(kind, spec, folder)
        except UserError as error:
            self.notifications.error(str(error))
            return None

    def open_files(self, paths: Iterable[Path | str]) -> None:
        """Bring each file to the page that it is for."""
        for path in map(Path, paths):
            self.open_file(path)

    def open_file(self, path: Path) -> None:
        """Decide by content what a file is, and show it."""
        kind = kind_of_file(path)
        if kind is FileKind.MISSING:
            self.notifications.error(f"{path} does not exist.")
            return
        if kind is FileKind.UNKNOWN:
            self.notifications.warn(
                f"{path.name}: not a data set, structure, model, settings or run folder."
            )
            return
        self.settings.add_recent(path)
        self.page_wanted.emit(PAGE_OF_KIND[kind])
        if kind is FileKind.RUN:
            self.show_run(path)
        else:
            signal = {
                FileKind.DATASET: self.dataset_opened,
                FileKind.MODEL: self.model_chosen,
                FileKind.STRUCTURE: self.structure_chosen,
            }.get(kind, self.settings_chosen)
            signal.emit(path)

    def attach_running(self) -> None:
        """Find the runs that were left running, or were started elsewhere, in the folder of runs."""
        for folder in self.jobs.find_runs(self.settings.runs_folder)[:N_LOOKED_AT]:
            if is_at_work(folder):
                job = self.jobs.attach(folder)
                job.is_live = True

    def show_run(self, folder: Path) -> Job | None:
        """Attach to the run in a folder and show it; None, and a notification, if there is none."""
        try:
            job = self.jobs.attach(folder)
        except UserError as error:
            self.notifications.error(str(error))
            return None
        self.job_shown.emit(job)
        return job
