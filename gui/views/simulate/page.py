"""The Simulate page: classical dynamics, or quantum nuclei by path integrals, of a model and a structure."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gui.actions import Action as MenuAction
from gui.core.kinds import FileKind, kind_of_file
from gui.jobs import Action, Job
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.simulation import PREVIEW, SimulationModel
from gui.views.common.buttons import button
from gui.views.common.empty_state import EmptyState
from gui.views.common.labels import label
from gui.views.common.page import Page, PageState
from gui.views.common.segmented import SegmentedControl
from gui.views.simulate.input_card import InputCard
from gui.views.simulate.setup_panel import SetupPanel
from nequip_openmm.errors import ConfigError
from nequip_openmm.examples import METHANOL
from nequip_openmm.settings import load_yaml

if TYPE_CHECKING:
    from gui.views.simulate.run_panel import RunPanel

__all__ = ["SimulatePage"]

MODES = {"classical": "Classical", "quantum": "Quantum nuclei"}
_MODELS = "Models (*.safetensors)"
_STRUCTURES = "Structures (*.xyz *.extxyz *.pdb *.cif *.mmcif *.vasp *.traj *.gro POSCAR* CONTCAR*);;All files (*)"


class SimulatePage(Page):
    """Two inputs that both modes share; below them settings, or the run."""

    name, title, icon = "simulate", "Simulate", "simulate"

    def __init__(
        self, session: Session, parent: QWidget | None = None, *, preview: tuple[str, ...] = PREVIEW
    ) -> None:
        super().__init__(session, parent)
        self.model = SimulationModel(
            session.jobs, lambda: session.settings.runs_folder, preview, parent=self
        )
        self.quantum: QWidget | None = None
        self.modes = SegmentedControl(MODES, "Mode")
        self.runButton = button("Show the run", self.model.show_run, role="flat", icon_name="chart")
        self.modelCard = InputCard("Model", "star", "Drop a trained model here", "Train one")
        self.structureCard = InputCard("Structure", "molecule", "Drop a structure here", "Example")
        self.setup = SetupPanel(session, self.model)
        self._run: RunPanel | None = None
        self._stack = QStackedWidget()
        self._build()
        self._connect()
        self._restore()
        self._refresh()
        self._show_state()

    @property
    def run(self) -> RunPanel:
        """What shows a run; made when the first one is to be shown, for it loads the plots."""
        if self._run is None:
            from gui.views.simulate.run_panel import RunPanel

            self._run = RunPanel(self.session, self.model)
            self._stack.addWidget(self._run)
            self._run.show_run()
        return self._run

    # --- what the window asks -------------------------------------------------------------------------------------

    def open_file(self, path: Path) -> bool:
        """Take a model, a structure, or settings of a run."""
        kind = kind_of_file(path)
        if kind is FileKind.MODEL:
            self.choose_model(path)
        elif kind in (FileKind.STRUCTURE, FileKind.DATASET):
            self.choose_structure(path)
        elif kind is FileKind.SIMULATION_SETTINGS:
            self.choose_settings(path)
        else:
            return False
        return True

    def show_mode(self, mode: str) -> None:
        """Show ``classical`` or ``quantum``."""
        if mode in MODES:
            self.modes.setValue(mode)
            self._show_mode()

    def actions_(self) -> list[MenuAction]:
        """Return what can be done here."""
        model = self.model
        return [
            MenuAction("run.start", "Start simulation", self._start, "Ctrl+R", self._can_start),
            MenuAction("run.check", "Check the settings", model.verify, "", lambda: model.can_start and not model.shows_run),
            MenuAction("run.continue", "Continue simulation", lambda: self.run.go_on(), "", lambda: self._can(Action.CONTINUE)),
            MenuAction("run.settings", "New simulation", model.set_up, "", lambda: model.shows_run),
            MenuAction("file.export", "Export plots…", lambda: self.run.save_plots(), "Ctrl+E", lambda: model.shows_run),
            MenuAction("file.export-samples", "Export samples…", lambda: self.run.save_samples(), "", lambda: model.shows_run),
            MenuAction("file.export-script", "Export simulate.py…", lambda: self.run.save_script(), "", lambda: model.job is not None),
            MenuAction("file.export-trajectory", "Export trajectory…", lambda: self.run.save_trajectory(), "", lambda: model.job is not None),
        ]  # fmt: skip

    # --- inputs ---------------------------------------------------------------------------------------------------

    def choose_model(self, path: Path) -> None:
        """Take a model."""
        self.model.set_model(Path(path))
        dataset = self.session.dataset
        if self.model.structure_path is None and dataset is not None:
            self.model.set_structure(
                dataset.path
            )  # its first frame: a start near the training data
        self._back_to_settings()
        self._remember()

    def choose_structure(self, path: Path) -> None:
        """Take a structure."""
        self.model.set_structure(Path(path))
        self._back_to_settings()
        self._remember()

    def choose_settings(self, path: Path) -> None:
        """Take the settings of a file for ``nequip-openmm md``; paths in it are relative to the working directory there."""
        try:
            spec = load_yaml(path)
        except ConfigError as error:
            self.session.notifications.error(str(error))
            return
        for name in ("model", "structure"):
            if spec.get(name) is not None:
                spec[name] = str(_beside(path, Path(str(spec[name]))))
        self.model.take_spec(spec)
        self._back_to_settings()

    def show_job(self, job: Job) -> None:
        """Show a simulation, whoever started it."""
        if job.kind == "md":
            self.model.follow(job)
            self.show_mode("classical")
        elif job.kind == "pimd":
            self.show_mode("quantum")
            if self.quantum is not None and hasattr(self.quantum, "model"):
                self.quantum.model.follow(job)

    def _browse_model(self) -> None:
        self.session.dialogs.open_files(
            "Choose a model", lambda paths: self.choose_model(paths[0]), kinds=_MODELS
        )

    def _browse_structure(self) -> None:
        self.session.dialogs.open_files(
            "Choose a structure", lambda paths: self.choose_structure(paths[0]), kinds=_STRUCTURES
        )

    def _drop(self, path: Path) -> None:
        """Take a file that was dropped on either card, for what it is."""
        if not self.open_file(path):
            self.session.notifications.warn(f"{path.name} is neither a model nor a structure.")

    # --- keeping up -----------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        model = self.model
        findings = model.findings()
        facts = model.model.facts if model.model is not None else ""
        self.modelCard.setFile(model.model_path, facts)
        self.modelCard.setFindings([f for f in findings if f.field == "model"])
        facts = model.structure.facts if model.structure is not None else ""
        self.structureCard.setFile(model.structure_path, "Reading…" if model.is_reading else facts)
        self.structureCard.setFindings([f for f in findings if f.field == "structure"])
        if self.quantum is not None:
            self._tell_quantum()

    def _tell_quantum(self) -> None:
        """Give the other mode the files, where they are others."""
        other = getattr(self.quantum, "model", None)
        if other is None:
            return
        if other.model != self.model.model_path:
            other.set_model(self.model.model_path)
        if other.structure != self.model.structure_path:
            other.set_structure(self.model.structure_path)

    def _show_state(self, *_news: object) -> None:
        is_classical = self.modes.value() == "classical"
        if is_classical:
            self.state = self.model.state
            self._stack.setCurrentWidget(self.run if self.model.shows_run else self.setup)
            is_set_up = not self.model.shows_run
        else:
            self.state = _state_of(self.quantum)
            is_set_up = getattr(self.quantum, "face", lambda: "setup")() == "setup"
        for card in (self.modelCard, self.structureCard):
            card.setVisible(is_set_up)
        has_run = self.model.job is not None and not self.model.shows_run
        self.runButton.setVisible(is_classical and has_run)

    def _show_mode(self, _mode: str = "") -> None:
        if self.modes.value() == "quantum":
            if self.quantum is None:
                self.quantum = self._make_quantum()
                self._stack.addWidget(self.quantum)
                self._refresh()
            self._stack.setCurrentWidget(self.quantum)
        self._show_state()

    @property
    def _is_quantum(self) -> bool:
        return self.modes.value() == "quantum" and hasattr(self.quantum, "model")

    def _start(self) -> None:
        (self.quantum.setup if self._is_quantum else self.setup).start()  # type: ignore[union-attr]

    def _can_start(self) -> bool:
        if self._is_quantum:
            return self.quantum.face() == "setup"  # type: ignore[union-attr]
        return self.model.can_start and not self.model.shows_run

    def _make_quantum(self) -> QWidget:
        try:
            from gui.views.quantum.page import QuantumPage

            page = QuantumPage(self.session)
            page.face_changed.connect(self._show_state)
            page.model.state_changed.connect(self._show_state)
            return page
        except Exception:  # noqa: BLE001 one mode that cannot be loaded leaves the other
            logging.getLogger(__name__).error(traceback.format_exc())
            return EmptyState(
                "quantum", "Quantum nuclei", "This mode could not be loaded; the log says why."
            )

    def _back_to_settings(self) -> None:
        if self.model.shows_run:
            self.model.set_up()

    def _can(self, *actions: Action) -> bool:
        job = self.model.job
        return (
            job is not None and self.model.shows_run and any(job.can(action) for action in actions)
        )

    # --- memory ---------------------------------------------------------------------------------------------------

    def _remember(self) -> None:
        paths = {"model": self.model.model_path, "structure": self.model.structure_path}
        self.session.settings.set_page(
            self.name, {k: str(v) for k, v in paths.items() if v is not None}
        )

    def _restore(self) -> None:
        kept = {k: Path(str(v)) for k, v in self.session.settings.page(self.name).items()}
        if "model" in kept and kept["model"].is_file():
            self.model.set_model(kept["model"])
        if "structure" in kept and kept["structure"].is_file():
            self.model.set_structure(kept["structure"])

    # --- building -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.model.inputs_changed.connect(self._refresh)
        self.model.state_changed.connect(self._show_state)
        self.model.run_changed.connect(self._show_state)
        self.model.failed.connect(self.session.notifications.error)
        self.modes.chosen.connect(self._show_mode)
        for card, browse in (
            (self.modelCard, self._browse_model),
            (self.structureCard, self._browse_structure),
        ):
            card.file_dropped.connect(self._drop)
            card.browse_requested.connect(browse)
        self.modelCard.help_asked.connect(lambda: self.session.page_wanted.emit("train"))
        self.structureCard.help_asked.connect(lambda: self.choose_structure(METHANOL))
        self.session.model_chosen.connect(self.choose_model)
        self.session.structure_chosen.connect(self.choose_structure)
        self.session.settings_chosen.connect(self._take_settings)
        self.session.job_shown.connect(self.show_job)

    def _take_settings(self, path: Path) -> None:
        if kind_of_file(Path(path)) is FileKind.SIMULATION_SETTINGS:
            self.choose_settings(Path(path))

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        head.addWidget(label("Simulate", "title"))
        head.addStretch(1)
        head.addWidget(self.runButton)
        head.addWidget(self.modes)
        inputs = QHBoxLayout()
        inputs.setSpacing(2 * UNIT)
        inputs.addWidget(self.modelCard, 1)
        inputs.addWidget(self.structureCard, 1)
        self._stack.addWidget(self.setup)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        column.setSpacing(2 * UNIT)
        column.addLayout(head)
        column.addLayout(inputs)
        column.addWidget(self._stack, 1)


def _state_of(quantum: QWidget | None) -> PageState:
    """Return the state of the page in its quantum mode."""
    name = getattr(getattr(getattr(quantum, "model", None), "state", None), "name", "")
    name = {"CHECKING": "LOADING", "WAITING": "STARTING"}.get(name, name)
    return PageState[name] if name in PageState.__members__ else PageState.READY


def _beside(settings: Path, path: Path) -> Path:
    """Return a path of a settings file: as it is where that exists, else beside the file."""
    return path if path.is_absolute() or path.exists() else settings.parent / path


def _demo() -> SimulatePage:
    from gui.demo import demo_session

    return SimulatePage(demo_session())


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
