"""The quantum nuclei mode of the Simulate page: settings and their check, a run, what is offered when it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.core.pimd_advice import Advice, advice_for
from gui.jobs.job import Job
from gui.jobs.jobs import Jobs
from gui.jobs.states import JobState
from gui.jobs.tasks import Task
from gui.slots import weakly
from gui.viewmodels.bead_series import BeadSeries
from gui.viewmodels.quantum_run import QuantumRun
from nequip_openmm.errors import ConfigError, UserError

__all__ = ["MODES", "QuantumModel", "QuantumState"]

DEFAULTS: dict[str, Any] = {"mode": "pimd", "beads": 32, "temperature": 300.0, "steps": 20_000}
MODES = ("pimd", "piglet", "trpmd", "rpmd", "npt", "classical")
"""Those of the page; replica exchange and relaxation are for the command line."""
GLE_BEADS = 6  # what PIGLET usually needs for water at room temperature
QUICK_STEPS = 400


class QuantumState(Enum):
    """Where the page is; the value is what a person reads."""

    EMPTY = "Empty"
    CHECKING = "Checking"
    INVALID = "Not ready"
    READY = "Ready"
    STARTING = "Starting"
    WAITING = "Waiting for driver"
    RUNNING = "Running"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    STOPPED = "Stopped"
    FAILED = "Failed"
    LOST = "Lost"


_BY_JOB = {
    JobState.STARTING: QuantumState.STARTING,
    JobState.RUNNING: QuantumState.RUNNING,
    JobState.PAUSED: QuantumState.RUNNING,
    JobState.STOPPING: QuantumState.STOPPING,
    JobState.FINISHED: QuantumState.FINISHED,
    JobState.STOPPED: QuantumState.STOPPED,
    JobState.FAILED: QuantumState.FAILED,
    JobState.LOST: QuantumState.LOST,
}


class QuantumModel(QObject):
    """State and logic of the page; it knows no widget.

    Parameters
    ----------
    jobs
        Starts and finds runs.
    runs_folder
        Returns where new runs are made.

    Signals
    -------
    state_changed
        The new `QuantumState`; also when only what it says has changed.
    check_changed
        `found`, `problem` or the hint are new.
    run_changed
        `run` is another one, or None.
    previewed
        What the run would be, files included (see ``nequip-openmm pimd --dry-run``).
    exported
        The folder that was written.
    reported
        The file of the report.
    failed
        A sentence: something that was asked for could not be done.
    """

    state_changed = Signal(object)
    check_changed = Signal()
    run_changed = Signal()
    previewed = Signal(object)
    exported = Signal(object)
    reported = Signal(object)
    failed = Signal(str)

    def __init__(
        self, jobs: Jobs, runs_folder: Callable[[], Path], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._runs_folder = runs_folder
        self.model: Path | None = None
        self.structure: Path | None = None
        self.values: dict[str, Any] = dict(DEFAULTS)
        self.name = ""
        self.found: dict[str, Any] | None = None
        self.problem = ""
        self.run: QuantumRun | None = None
        self.series = BeadSeries(jobs, self)
        self._checked: dict[str, Any] | None = None
        self._check: Task | None = None
        self._tasks: list[Task] = []
        self.series.member_started.connect(self.follow)

    # --- what is to be run ---------------------------------------------------------------------------------------------

    def set_model(self, path: Path | None) -> None:
        """Take another model file."""
        if path != self.model:
            self.model = None if path is None else Path(path)
            self._forget_check()

    def set_structure(self, path: Path | None) -> None:
        """Take another starting structure."""
        if path != self.structure:
            self.structure = None if path is None else Path(path)
            self._forget_check()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Take other settings."""
        self.values = dict(values)
        if self.problem and self.invalid() == "":
            self.problem = ""  # what was wrong may be right now; a check will tell
        self.check_changed.emit()
        self._tell()

    def spec(self, **changes: Any) -> dict[str, Any]:
        """Return all settings of the run."""
        paths = {"model": str(self.model), "structure": str(self.structure)}
        return {**self.values, **paths, **changes}

    def invalid(self) -> str:
        """Return what is wrong with the settings by themselves; empty if nothing is."""
        from ipi_driver.inputs.spec import PimdSpec
        from nequip_openmm.settings import validate

        if self.model is None or self.structure is None:
            return ""
        try:
            validate(PimdSpec, self.spec(), "settings")
        except ConfigError as error:
            return str(error).removeprefix("settings: ")
        return ""

    @property
    def state(self) -> QuantumState:
        """Where the page is."""
        if self.run is not None:
            return self._state_of_run(self.run)
        if self.model is None or self.structure is None:
            return QuantumState.EMPTY
        if self.problem or self.invalid():
            return QuantumState.INVALID
        return QuantumState.CHECKING if self._check is not None else QuantumState.READY

    # --- hint and check ------------------------------------------------------------------------------------------------

    @property
    def wavenumber(self) -> float | None:
        """Of the fastest vibration, cm⁻¹; None before it has been found."""
        return (self.found or {}).get("beads", {}).get("wavenumber_cm1")

    @property
    def suggested_beads(self) -> int | None:
        """Beads that bring the fastest vibration within 3 % of its energy."""
        from ipi_driver.inputs.beads import suggested_beads

        mode, temperature = self.values.get("mode"), self.values.get("temperature")
        if mode == "classical":
            return 1
        if mode == "piglet":
            return GLE_BEADS
        if self.wavenumber is None or not temperature or temperature <= 0:
            return None
        return suggested_beads(self.wavenumber, temperature)

    @property
    def missing_energy(self) -> float | None:
        """By how much of its energy the fastest vibration falls short with the beads that were chosen."""
        from ipi_driver.inputs.beads import energy_deficit

        beads, temperature = self.values.get("beads"), self.values.get("temperature")
        if self.wavenumber is None or not beads or not temperature or temperature <= 0:
            return None
        return energy_deficit(self.wavenumber, temperature, int(beads))

    def check(self) -> None:
        """Look in a child process whether the run can start, and how fast its atoms vibrate."""
        if self.model is None or self.structure is None or self.invalid():
            self._tell()
            return
        self._drop_check()
        spec = self.spec()
        self._check = task = self._task(["pimd", *_overrides(spec), "--dry-run"])
        task.finished.connect(weakly(self._on_checked, spec))
        task.failed.connect(self._on_refused)
        self._tell()

    @property
    def is_checked(self) -> bool:
        """Whether the last check was of these very settings."""
        return self._checked is not None and self._checked == self.spec()

    def _on_checked(self, spec: dict[str, Any], found: dict[str, Any]) -> None:
        if any(spec[name] != self.spec()[name] for name in ("model", "structure")):
            return  # of what was chosen before
        self._check, self.found, self._checked, self.problem = None, found, spec, ""
        self.check_changed.emit()
        self._tell()

    def _on_refused(self, error: Mapping[str, Any]) -> None:
        self._check, self.problem = None, str(error.get("title") or "The check has failed.")
        self.check_changed.emit()
        self._tell()

    def _drop_check(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _forget_check(self) -> None:
        """What was found belongs to another model or structure."""
        self._drop_check()
        self.found, self._checked, self.problem = None, None, ""
        self.check_changed.emit()
        self._tell()

    # --- preview, export, report ---------------------------------------------------------------------------------------

    def preview(self) -> None:
        """Find out what i-PI would read; `previewed` tells."""
        if self.is_checked and self.found is not None:
            self.previewed.emit(self.found)
            return
        task = self._task(["pimd", *_overrides(self.spec()), "--dry-run"])
        spec = self.spec()
        task.finished.connect(weakly(self._on_checked, spec))
        task.finished.connect(self.previewed)
        task.failed.connect(self._on_refused)
        task.failed.connect(self._tell_failure)

    def export(self, folder: Path) -> None:
        """Write a folder that i-PI can be started in without us; `exported` tells."""
        task = self._task(["pimd", *_overrides(self.spec()), "--prepare", "--output", str(folder)])
        task.finished.connect(weakly(self._tell_exported, folder))
        task.failed.connect(self._tell_failure)

    def report(self) -> None:
        """Write the report of the run that is shown; `reported` tells."""
        if self.run is None:
            return
        target = self.run.job.folder / "report"
        task = self._task(["pimd-report", str(self.run.job.folder), "--output", str(target)])
        task.finished.connect(self._tell_report)
        task.failed.connect(self._tell_failure)

    def _task(self, arguments: list[str]) -> Task:
        task = Task.run(arguments, program=self._jobs.program, parent=self)
        self._tasks.append(task)
        for ended in (task.finished, task.failed, task.cancelled):
            ended.connect(weakly(self._forget_task, task))
        return task

    def _forget_task(self, task: Task, *_: object) -> None:
        if task in self._tasks:
            self._tasks.remove(task)

    def _tell_exported(self, folder: Path, _result: object) -> None:
        self.exported.emit(folder)

    def _tell_report(self, found: Mapping[str, Any]) -> None:
        self.reported.emit(Path(found["report"]))

    def _tell_failure(self, error: Mapping[str, Any]) -> None:
        self.failed.emit(str(error.get("title") or "That has failed."))

    # --- the run -------------------------------------------------------------------------------------------------------

    def start(self, **changes: Any) -> None:
        """Start a run with the settings; `failed` tells if it cannot be."""
        try:
            folder = self._jobs.free_folder(self._runs_folder(), "pimd", self.name)
            self.follow(self._jobs.start("pimd", self.spec(**changes), folder))
        except UserError as error:
            self.failed.emit(str(error))

    def start_series(self, beads: tuple[int, ...], steps: int) -> None:
        """Start the bead-convergence helper with the settings of the page."""
        try:
            spec = self.spec(steps=steps)
            self.series.start(spec, beads, self._runs_folder(), self.name or "beads")
        except UserError as error:
            self.failed.emit(str(error))

    def follow(self, job: Job) -> None:
        """Show a run."""
        self._let_go()
        self.run = run = QuantumRun(job, parent=self)
        job.state_changed.connect(self._tell)
        job.progressed.connect(self._tell)
        run.lamps_changed.connect(self._tell)
        self.run_changed.emit()
        self._tell()

    def leave(self) -> None:
        """Go back to the settings; the run goes on."""
        self._let_go()
        self.run = None
        self.run_changed.emit()
        self._tell()

    def use_settings_of_run(self, **changes: Any) -> None:
        """Go back to the settings, with those of the run that is shown."""
        if self.run is not None:
            spec = self.run.spec
            self.model, self.structure = Path(spec["model"]), Path(spec["structure"])
            keep = {key: value for key, value in spec.items() if key not in ("model", "structure")}
            self.values = {**keep, **changes}
        self.leave()
        self._forget_check()

    def stop(self) -> None:
        """End the run in order; i-PI saves the last whole step."""
        if self.run is not None:
            self.run.job.stop()

    def kill(self) -> None:
        """End the run at once."""
        if self.run is not None:
            self.run.job.kill()

    def checkpoint(self) -> None:
        """Have a checkpoint written now."""
        if self.run is not None:
            self.run.job.checkpoint()

    def resume(self, **changes: Any) -> None:
        """Go on with the run that is shown, such as with more ``steps``."""
        if self.run is None:
            return
        try:
            self._jobs.continue_(self.run.job.folder, **changes)
        except UserError as error:
            self.failed.emit(str(error))

    def restart_driver(self, number: int = 0) -> None:
        """Start a driver again, or all of them (0)."""
        if self.run is not None and not self.run.job.command("restart", driver=number):
            self.failed.emit(
                "This run was started elsewhere; its drivers can only be restarted there."
            )

    def refresh(self) -> bool:
        """Read what the run has written; return whether there was anything new."""
        return self.run is not None and self.run.refresh()

    @property
    def advice(self) -> Advice | None:
        """What to say over the plots."""
        run = self.run
        if run is None:
            return None
        total = run.job.progress.total or int(run.spec.get("steps") or 0)
        step = max(run.step, run.job.progress.done)
        state = self.state.name.lower()
        return advice_for(state, step, total, run.job.error, _what_is_waited_for(run))

    def _state_of_run(self, run: QuantumRun) -> QuantumState:
        state = _BY_JOB[run.job.state]
        if state in (QuantumState.STARTING, QuantumState.RUNNING) and run.lamps.is_waiting:
            return QuantumState.WAITING
        return state

    def _let_go(self) -> None:
        if self.run is not None:
            self.run.job.state_changed.disconnect(self._tell)
            self.run.job.progressed.disconnect(self._tell)
            self.run.deleteLater()

    def _tell(self, *_: object) -> None:
        self.state_changed.emit(self.state)


def _what_is_waited_for(run: QuantumRun) -> str:
    """Return a sentence about drivers that have died; empty while they only need their time."""
    dead = [lamp for lamp in run.lamps.drivers if lamp.can_be_restarted]
    if not dead or run.lamps.n_working:
        return ""
    if len(dead) > 1:
        return f"{len(dead)} drivers died"
    return dead[0].detail or f"{dead[0].name} {dead[0].state.value}"


def _overrides(spec: Mapping[str, Any]) -> list[str]:
    """Return settings as arguments; JSON is YAML, whatever is in a path."""
    return [f"{key}={json.dumps(value)}" for key, value in spec.items() if value is not None]
