"""The Simulate page without its widgets: what is to be run, what is wrong with it, the run that is watched."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from PySide6.QtCore import QObject, Signal

from gui.core.model_header import ModelHeader, read_model_header
from gui.core.run_settings import RunSettings, default_name, defaults, from_spec, to_spec
from gui.core.simulation_checks import Finding, StructurePreview, check
from gui.core.simulation_record import SimulationRecord
from gui.core.simulation_trouble import Trouble, describe_trouble, shorter_timestep
from gui.jobs import Action, Job, Jobs, JobState, Task
from gui.viewmodels.page_state import PageState
from nequip_openmm.errors import ModelFileError, UserError
from nequip_openmm.settings import find_problems

__all__ = ["PREVIEW", "SimulationModel"]

PREVIEW = (sys.executable, "-m", "nequip_openmm.cli.preview")
"""Reads a structure in a process of its own."""

_INPUTS = ("model", "structure")


class SimulationModel(QObject):
    """What is to be simulated, and the simulation that is watched.

    Parameters
    ----------
    jobs
        Starts runs.
    runs_folder
        Returns where they go.
    preview
        Command line of the reader of structures; tests put a fake one here.
    """

    state_changed = Signal(object)
    """The new `PageState`."""
    inputs_changed = Signal()
    """Model, structure or what was found about them."""
    values_changed = Signal()
    """The settings were replaced, not by the form."""
    verified = Signal()
    """The thorough check has an answer, or has begun."""
    run_changed = Signal()
    """`job` and `record` are others."""
    failed = Signal(str)
    """A sentence: what was asked for could not be done."""

    def __init__(
        self,
        jobs: Jobs,
        runs_folder: Callable[[], Path],
        preview: Sequence[str] = PREVIEW,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._runs_folder = runs_folder
        self._preview = list(preview)
        self.model_path: Path | None = None
        self.model: ModelHeader | None = None
        self.model_problem = ""
        self.structure_path: Path | None = None
        self.structure: StructurePreview | None = None
        self.structure_problem = ""
        self.values: dict[str, Any] = defaults()
        self.name = ""
        self.job: Job | None = None
        self.record: SimulationRecord | None = None
        self.shows_run = False
        self.verification: dict[str, Any] | None = None
        self.verification_problem = ""
        self._reading: Task | None = None
        self._verifying: Task | None = None
        self._was = PageState.EMPTY

    # --- what is to be run ----------------------------------------------------------------------------------------

    def set_model(self, path: Path | None) -> None:
        """Take another model file; only its header is read."""
        self.model_path, self.model, self.model_problem = path, None, ""
        if path is not None:
            try:
                self.model = read_model_header(path)
            except ModelFileError as error:
                self.model_problem = str(error)
        self._inputs_are_others()

    def set_structure(self, path: Path | None) -> None:
        """Take another starting structure; a child process reads it."""
        self.structure_path, self.structure, self.structure_problem = path, None, ""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if path is not None:
            frame = self.values.get("frame")
            arguments = [str(path), "--frame", str(frame if isinstance(frame, int) else 0)]
            self._reading = Task.run(arguments, program=self._preview, parent=self)
            self._reading.finished.connect(self._take_structure)
            self._reading.failed.connect(self._take_structure_problem)
        self._inputs_are_others()

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Take other settings, as the form has them."""
        before = self.values.get("frame")
        self.values = {k: v for k, v in values.items() if k not in _INPUTS}
        if self.values.get("frame") != before and self.structure_path is not None:
            self.set_structure(self.structure_path)
        self._inputs_are_others()

    def take_spec(self, spec: Mapping[str, Any]) -> None:
        """Fill everything in from the settings of a run or from a file for ``nequip-openmm md``."""
        values = from_spec(spec)
        model, structure = (values.pop(name, None) for name in _INPUTS)
        self.values = defaults() | values
        if model and Path(model) != self.model_path:
            self.set_model(Path(model))
        if structure and Path(structure) != self.structure_path:
            self.set_structure(Path(structure))
        self.values_changed.emit()
        self._inputs_are_others()

    def all_values(self) -> dict[str, Any]:
        """Return the settings with model and structure."""
        paths = {"model": self.model_path, "structure": self.structure_path}
        return {**self.values, **{k: str(v) for k, v in paths.items() if v is not None}}

    def spec(self, **changes: Any) -> dict[str, Any]:
        """Return what ``nequip-openmm md`` reads; raises `pydantic.ValidationError` for settings that are not sound."""
        return to_spec({**self.all_values(), **changes})

    def findings(self) -> list[Finding]:
        """Return what can be told before the start, errors first."""
        found = [
            Finding(name, "error", text)
            for name, text in (("model", self.model_problem), ("structure", self.structure_problem))
            if text
        ]
        return found + check(self.model, self.structure, self.values)

    def is_valid(self) -> bool:
        """Whether the settings are sound by themselves."""
        inputs = {"model": "model", "structure": "structure"}
        return not find_problems(RunSettings, {**self.values, **inputs})

    @property
    def can_start(self) -> bool:
        """Whether nothing stands in the way."""
        return self._setup_state() is PageState.READY

    @property
    def suggested_name(self) -> str:
        """What a run is called if nobody gives it a name."""
        return default_name(self.structure_path, str(self.values.get("ensemble") or "nvt"))

    # --- the thorough check -----------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Let ``nequip-openmm md --check`` look at everything; `verified` tells when there is news."""
        if not self.can_start or self.is_verifying:
            return
        with tempfile.NamedTemporaryFile(
            "w", suffix=".yaml", delete=False, encoding="utf-8"
        ) as file:
            yaml.safe_dump(self.spec(), file, allow_unicode=True)
        path = Path(file.name)
        arguments = ["md", file.name, "--check", "--json"]
        self._verifying = Task.run(arguments, program=self._jobs.program, events=False, parent=self)
        self._verifying.finished.connect(self._take_verification)
        self._verifying.failed.connect(self._take_verification_problem)
        for signal in (self._verifying.finished, self._verifying.failed, self._verifying.cancelled):
            signal.connect(lambda *_: path.unlink(missing_ok=True))
        self.verified.emit()

    @property
    def is_verifying(self) -> bool:
        """Whether an answer is still to come."""
        return self._verifying is not None and self._verifying.is_running

    # --- the run ----------------------------------------------------------------------------------------------------

    def start(self, **changes: Any) -> Job | None:
        """Start a run, with changed settings; None if it cannot be, and `failed` says why."""
        try:
            folder = self._jobs.free_folder(
                self._runs_folder(), "md", self.name or self.suggested_name
            )
            spec = self.spec(**changes)
            job = self._jobs.start("md", spec, folder)
        except UserError as error:
            self.failed.emit(str(error))
            return None
        except ValueError:  # pydantic's: the form shows it beside the field
            self.failed.emit("The settings are not sound; see the fields marked red")
            return None
        if changes:
            self.values |= changes
            self.values_changed.emit()
        self.follow(job)
        if self.record is not None:
            self.record.timestep_fs = float(spec.get("timestep", 0.5))
            self.record.total_steps = int(spec.get("steps", 0))
        return job

    def follow(self, job: Job) -> None:
        """Watch a run, whoever started it."""
        if job is self.job:
            self._show(True)
            return
        self._leave()
        self.job = job
        self.record = SimulationRecord(job.folder, is_minimised=bool(self.values.get("minimise")))
        self.record.begin(time.time())
        for event in job.events():
            self.record.take(event)
        if not job.is_alive:
            self.record.read_history()
        job.event_received.connect(self._take_event)
        job.state_changed.connect(self._take_job_state)
        self.shows_run = True
        self.run_changed.emit()
        self._tell()

    def set_up(self) -> None:
        """Go back to the settings; the run goes on."""
        self._show(False)

    def show_run(self) -> None:
        """Show the run again."""
        self._show(self.job is not None)

    def set_knob(self, name: str, value: float) -> bool:
        """Change temperature (K), friction (1/ps) or pressure (bar) of the running simulation."""
        return self.job is not None and self.job.set(**{name: value})

    def continue_(self, more_ps: float | None = None) -> None:
        """Go on from the last checkpoint, to the end asked for or for so many ps more."""
        if self.job is None or self.record is None or not self.job.can(Action.CONTINUE):
            return
        changes = {}
        if more_ps is not None:
            changes["steps"] = self.record.total_steps + max(
                1, round(more_ps * 1000 / self.record.timestep_fs)
            )
        self.record.begin_again(time.time())
        try:
            self._jobs.continue_(self.job.folder, **changes)
        except UserError as error:
            self.failed.emit(str(error))
        self.run_changed.emit()
        self._tell()

    def trouble(self) -> Trouble | None:
        """Return what went wrong with the run, if anything did."""
        if self.job is None or self.record is None:
            return None
        if self.job.state not in (JobState.FAILED, JobState.LOST) or not self.job.error:
            return None
        return describe_trouble(self.job.error, self.record, self.run_values())

    def run_values(self) -> dict[str, Any]:
        """Return the settings of the run that is watched, as the form has them."""
        spec = self.record.spec if self.record is not None else {}
        return from_spec(spec) if spec else self.values

    def apply(self, remedy: str) -> None:
        """Do what a remedy says."""
        if remedy == "settings":
            self._reuse()
            self.set_up()
        elif remedy == "continue":
            self.continue_()
        elif remedy in ("shorter-timestep", "minimise", "restart"):
            self._reuse()
            timestep = float(self.values.get("timestep") or 0.5)
            changes: dict[str, dict[str, Any]] = {
                "shorter-timestep": {"timestep": shorter_timestep(timestep)},
                "minimise": {"minimise": True},
                "restart": {},
            }
            self.start(**changes[remedy])

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> PageState:
        """What the page shows."""
        if not self.shows_run or self.job is None:
            return self._setup_state()
        if self.job.state is JobState.RUNNING and self.record and not self.record.is_running:
            return PageState.STARTING  # it relaxes
        return PageState[self.job.state.name]

    @property
    def is_reading(self) -> bool:
        """Whether the structure is still being read."""
        return self._reading is not None

    def _setup_state(self) -> PageState:
        if self.is_reading:
            return PageState.LOADING
        if any(finding.level == "error" for finding in self.findings()) or not self.is_valid():
            return PageState.INVALID
        if self.model_path is None or self.structure_path is None:
            return PageState.EMPTY
        return PageState.READY

    def _tell(self) -> None:
        state = self.state
        if state is not self._was:
            self._was = state
            self.state_changed.emit(state)

    def _show(self, shows_run: bool) -> None:
        self.shows_run = shows_run
        self._tell()
        self.run_changed.emit()

    # --- answers ----------------------------------------------------------------------------------------------------

    def _inputs_are_others(self) -> None:
        self.verification, self.verification_problem = None, ""
        if self._verifying is not None:
            self._verifying.cancel()
            self._verifying = None
        self.inputs_changed.emit()
        self._tell()

    def _take_structure(self, result: dict[str, Any]) -> None:
        if self.sender() is not self._reading or self.structure_path is None:
            return
        self._reading = None
        try:
            self.structure = StructurePreview.of(self.structure_path, result)
        except (KeyError, ValueError, TypeError):
            self.structure_problem = f"{self.structure_path.name} could not be read"
        self._inputs_are_others()

    def _take_structure_problem(self, error: dict[str, Any]) -> None:
        if self.sender() is not self._reading or self.structure_path is None:
            return
        self._reading = None
        text = str(error.get("title", "")).replace(
            str(self.structure_path), self.structure_path.name
        )
        self.structure_problem = text.removeprefix("structure ")
        self._inputs_are_others()

    def _take_verification(self, result: dict[str, Any]) -> None:
        if self.sender() is self._verifying:
            self._verifying, self.verification = None, result
            self.verified.emit()

    def _take_verification_problem(self, error: dict[str, Any]) -> None:
        if self.sender() is self._verifying:
            self._verifying, self.verification_problem = None, str(error.get("title", ""))
            self.verified.emit()

    def _take_event(self, event: dict[str, Any]) -> None:
        if self.record is not None:
            self.record.take(event)
            is_waited_for = self._was is PageState.STARTING  # the first sample says that it runs
            if self.shows_run and (is_waited_for or event["ev"] in ("status", "hello")):
                self._tell()

    def _take_job_state(self, state: JobState) -> None:
        if self.record is not None and state in (
            JobState.FINISHED,
            JobState.STOPPED,
            JobState.FAILED,
            JobState.LOST,
        ):
            self.record.read_history()
        self._tell()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        if self.job is not None:
            self.job.event_received.disconnect(self._take_event)
            self.job.state_changed.disconnect(self._take_job_state)
        self.job = self.record = None

    def _reuse(self) -> None:
        """Take the settings of the run that is watched into the form."""
        if self.record is not None and self.record.spec:
            self.take_spec(self.record.spec)
