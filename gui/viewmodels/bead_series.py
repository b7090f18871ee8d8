"""The helper that finds out how many beads are enough: the same run again and again with more beads, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.core.bead_convergence import Point, Verdict, judge
from gui.jobs.job import Job
from gui.jobs.jobs import Jobs
from gui.jobs.states import ENDED, JobState
from gui.viewmodels.quantum_run import ALL, MEV, averages_of, read_means
from nequip_openmm.analysis.statistics import Mean
from nequip_openmm.errors import UserError

__all__ = ["DEFAULT_BEADS", "BeadSeries", "SeriesState", "parse_beads"]

DEFAULT_BEADS = (4, 8, 16, 32)
MOST_BEADS = 4096


class SeriesState(Enum):
    """Where a series is."""

    EMPTY = "Not started"
    RUNNING = "Running"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    STOPPED = "Stopped"
    FAILED = "Failed"


class BeadSeries(QObject):
    """Runs a series, each an ordinary run in its own folder, and gathers their kinetic energies.

    Signals
    -------
    changed
        State, member or points are new.
    member_started
        The `Job` of the next number of beads.
    """

    changed = Signal()
    member_started = Signal(object)

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._clear()

    def _clear(self) -> None:
        self.state = SeriesState.EMPTY
        self.beads: tuple[int, ...] = ()
        self.points: dict[int, Point] = {}
        self.folders: dict[int, Path] = {}
        self.temperature: float | None = None
        self.problem = ""
        self.job: Job | None = None
        self._spec: dict[str, Any] = {}
        self._root = Path()
        self._name = ""

    @property
    def is_busy(self) -> bool:
        """Whether a member runs."""
        return self.state in (SeriesState.RUNNING, SeriesState.STOPPING)

    @property
    def current(self) -> int | None:
        """Beads of the member that runs, or that ended the series."""
        return next((n for n in self.beads if n not in self.points), None)

    @property
    def verdict(self) -> Verdict:
        """What the runs so far say."""
        return judge(list(self.points.values()))

    def start(
        self, spec: Mapping[str, Any], beads: Sequence[int], root: Path, name: str = ""
    ) -> None:
        """Start the first member.

        Parameters
        ----------
        spec
            Settings of every member; its number of beads is replaced.
        root, name
            Where the folders ``NAME-BEADSbeads`` are made.

        Raises
        ------
        UserError
            If the first run cannot be started.
        """
        if self.is_busy:
            return
        self._clear()
        self.beads = tuple(sorted(set(beads)))
        self._spec = {key: value for key, value in spec.items() if key != "beads"}
        self.temperature = float(spec.get("temperature", 300.0))
        self._root, self._name = root, name.strip() or "beads"
        self._go(SeriesState.RUNNING)
        try:
            self._next()
        except UserError:
            self._go(SeriesState.FAILED)
            raise

    def stop(self) -> None:
        """Stop the member that runs; the points so far stay."""
        if self.state is SeriesState.RUNNING and self.job is not None:
            self._go(SeriesState.STOPPING)
            self.job.stop()

    def resume(self) -> None:
        """Go on with the member that did not finish."""
        if self.is_busy or self.current is None:
            return
        self.problem = ""
        self._go(SeriesState.RUNNING)
        folder = self.folders.get(self.current)
        if folder is not None and (folder / "spec.yaml").is_file():
            self._follow(self._jobs.continue_(folder))
        else:
            self._next()

    def gather(self, folders: Sequence[Path]) -> None:
        """Take points from runs that are there already, such as those of an earlier series."""
        for folder in folders:
            self._add_point(folder)
        self.beads = tuple(sorted(self.points))
        self._go(SeriesState.FINISHED if self.points else SeriesState.EMPTY)

    # --- one after the other -------------------------------------------------------------------------------------------

    def _next(self) -> None:
        beads = self.current
        if beads is None:
            self.job = None
            self._go(SeriesState.FINISHED)
            return
        folder = self._jobs.free_folder(self._root, "pimd", f"{self._name}-{beads}beads")
        self.folders[beads] = folder
        spec = {**self._spec, "beads": beads}
        self._follow(self._jobs.start("pimd", spec, folder))

    def _follow(self, job: Job) -> None:
        self.job = job
        job.state_changed.connect(self._on_state)
        self.member_started.emit(job)
        self.changed.emit()

    def _on_state(self, state: JobState) -> None:
        job = self.job
        if job is None or state not in ENDED or self.sender() not in (None, job):
            return
        job.state_changed.disconnect(self._on_state)
        if state is JobState.FINISHED:
            self._add_point(job.folder)
            self._continue()
        elif state is JobState.STOPPED:
            self._go(SeriesState.STOPPED)
        else:
            self.problem = str((job.error or {}).get("title") or "The run has failed.")
            self._go(SeriesState.FAILED)

    def _continue(self) -> None:
        if self.state is SeriesState.STOPPING and self.current is not None:
            self._go(SeriesState.STOPPED)
            return
        try:
            self._next()
        except UserError as error:
            self.problem = str(error)
            self._go(SeriesState.FAILED)

    def _add_point(self, folder: Path) -> None:
        means, elements = read_means(folder)
        beads = _beads_of(folder)
        temperature = self.temperature
        found = averages_of(means, elements, beads, temperature)
        kinetic = {
            one.element: Mean(one.virial.value / MEV, one.virial.error / MEV, one.virial.block)
            for one in found
            if one.element != ALL and one.virial.value == one.virial.value
        }
        self.points[beads] = Point(beads, kinetic)

    def _go(self, state: SeriesState) -> None:
        self.state = state
        self.changed.emit()


def parse_beads(text: str) -> tuple[int, ...]:
    """Return numbers of beads such as ``4, 8, 16``, ascending.

    Raises
    ------
    UserError
        For anything else, and for fewer than two.
    """
    words = text.replace(",", " ").split()
    if not all(word.isdigit() and 1 <= int(word) <= MOST_BEADS for word in words):
        raise UserError(f"Give numbers of beads from 1 to {MOST_BEADS}, such as 4, 8, 16, 32.")
    beads = tuple(sorted({int(word) for word in words}))
    if len(beads) < 2:
        raise UserError("Give two numbers of beads or more, such as 4, 8, 16, 32.")
    return beads


def _beads_of(folder: Path) -> int:
    """Return the number of beads of a run, from its settings."""
    import yaml

    spec = yaml.safe_load((folder / "spec.yaml").read_text("utf-8"))
    found = spec.get("beads")
    return int(found) if found else (1 if spec.get("mode") in ("classical", "minimise") else 32)
