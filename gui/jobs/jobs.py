"""All runs that the window knows: starts, continues, finds and watches them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from PySide6.QtCore import QObject, Signal

from gui.jobs.commands import KINDS, PROGRAM, continue_arguments, start_arguments
from gui.jobs.follower import Follower, is_at_work
from gui.jobs.job import OUTPUT, Job, beside
from gui.jobs.process import Process
from gui.slots import weakly
from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder

__all__ = ["Jobs"]

FAREWELL_S = 5.0


class Jobs(QObject):
    """The list of jobs.

    Parameters
    ----------
    program
        Command line of nequip-openmm; tests put a fake one here.

    Signals
    -------
    added
        A new `Job`.
    changed
        A `Job` whose state or progress has changed.
    """

    added = Signal(object)
    changed = Signal(object)

    def __init__(self, program: Sequence[str] = PROGRAM, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.program = list(program)
        self._jobs: dict[Path, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def get(self, folder: Path | str) -> Job | None:
        """Return the job of a folder that is known already."""
        return self._jobs.get(Path(folder).resolve())

    def running(self) -> list[Job]:
        """Return the jobs that are not over."""
        return [job for job in self if job.is_alive]

    def start(self, kind: str, spec: dict[str, Any], folder: Path | str) -> Job:
        """Start a run in a new folder.

        Raises
        ------
        UserError
            If the folder is taken or cannot be made.
        """
        folder = Path(folder).resolve()
        RunFolder.require_free(folder)
        job = Job(kind, folder, is_ours=True, parent=self)
        with _told(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            given = beside(folder, "settings.yaml")
            given.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), "utf-8")
            self._launch(job, start_arguments(kind, given, folder), beside(folder, OUTPUT))
        self._add(job)
        return job

    def continue_(self, folder: Path | str, **changes: Any) -> Job:
        """Continue a run from its last checkpoint, with changed settings where that is allowed.

        Raises
        ------
        UserError
            If it is no run folder, or its program has said its last word and does not end.
        """
        job = self.attach(folder)
        job.read_history()
        if job.is_alive and is_at_work(job.folder):
            return job
        if not job.wait(FAREWELL_S):  # between "stopped" and the end of the process
            raise UserError(f"{job.name} is still ending; try again in a moment")
        job.restarted()
        with _told(job.folder):
            arguments = continue_arguments(job.kind, job.folder, changes)
            self._launch(job, arguments, job.folder / OUTPUT)
        return job

    def attach(self, folder: Path | str) -> Job:
        """Watch the run in a folder, whoever started it; the same job for the same folder.

        Raises
        ------
        UserError
            If it is no run folder.
        """
        folder = Path(folder).resolve()
        known = self._jobs.get(folder)
        if known is not None:
            return known
        kind = _kind_of(folder)
        job = Job(kind, folder, is_ours=False, parent=self)
        self._add(job)
        job.follow(Follower(RunFolder(folder).events, job))
        return job

    def forget(self, job: Job) -> None:
        """Take a job off the list; its folder stays."""
        job.release()
        self._jobs.pop(job.folder, None)

    def find_runs(self, root: Path | str) -> list[Path]:
        """Return the run folders in a folder, newest first."""
        found = [spec.parent for spec in Path(root).glob("*/spec.yaml")]
        return sorted(
            found, key=lambda folder: (folder / "spec.yaml").stat().st_mtime, reverse=True
        )

    def free_folder(self, root: Path | str, kind: str, name: str = "") -> Path:
        """Return a folder that is not there yet: ``name``, or the kind with date and time."""
        first = Path(root) / (name.strip() or f"{kind}-{datetime.now():%Y%m%d-%H%M%S}")
        folder, number = first, 2
        while folder.exists() or folder.resolve() in self._jobs:
            folder, number = first.with_name(f"{first.name}-{number}"), number + 1
        return folder

    def close(self, patience_s: float = 10.0) -> None:
        """End the jobs of this window, after a checkpoint, except those that were asked to keep running."""
        ours = [job for job in self if job.is_ours and job.is_alive and not job.keeps_running]
        for job in ours:
            job.stop()
        for job in ours:
            if not job.wait(patience_s):
                job.kill()
        for job in self:
            job.release()

    def _launch(self, job: Job, arguments: list[str], output: Path) -> None:
        process = Process(job)
        with output.open("ab") as printed:
            process.start([*self.program, *arguments], printed)
        job.take(process)
        _Belongings(job, output)

    def _add(self, job: Job) -> None:
        self._jobs[job.folder] = job
        job.state_changed.connect(weakly(self._tell, job))
        job.progressed.connect(weakly(self._tell, job))
        self.added.emit(job)

    def _tell(self, job: Job, _state: object = None) -> None:
        self.changed.emit(job)


class _Belongings(QObject):
    """Moves what lay beside a run's folder into it as soon as the worker has made it."""

    def __init__(self, job: Job, output: Path) -> None:
        super().__init__(job)
        self._job = job
        self._output = output
        if output.parent != job.folder:
            job.state_changed.connect(self._move)
            job.event_received.connect(self._move)

    def _move(self, _news: object) -> None:
        settings = beside(self._job.folder, "settings.yaml")
        if not self._job.folder.is_dir():
            return
        with contextlib.suppress(OSError):
            self._output.rename(self._job.folder / OUTPUT)
        settings.unlink(missing_ok=True)
        self._job.event_received.disconnect(self._move)
        self._job.state_changed.disconnect(self._move)


def _kind_of(folder: Path) -> str:
    if not (folder / "spec.yaml").is_file():
        raise UserError(f"{folder} is not the folder of a run (it has no spec.yaml)")
    kind = RunFolder(folder).read_spec().get("kind")
    if kind not in KINDS:
        raise UserError(
            f"{folder} is the folder of a {kind!r} run, which this window does not know"
        )
    return str(kind)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{folder}: cannot start the run there: {error.strerror or error}"
        ) from error
