"""The Train page: from a data set to a potential."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gui import actions
from gui.core.kinds import FileKind, kind_of_file
from gui.core.verdict import explanation
from gui.jobs import Action, Job
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.training import TrainingModel
from gui.views.common.buttons import button
from gui.views.common.empty_state import EmptyState
from gui.views.common.labels import label
from gui.views.common.page import Page, PageState
from gui.views.common.segmented import SegmentedControl
from gui.views.train.run_view import RunView
from gui.views.train.setup_view import SetupView
from nequip_openmm.examples import METHANOL

__all__ = ["TrainPage"]

YAML = "Settings (*.yaml *.yml)"
EMPTY, SETUP, RUN = range(3)


class TrainPage(Page):
    """Shows a `TrainingModel`: nothing yet, the settings, or a run."""

    name = "train"
    title = "Train"
    icon = "train"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.model = TrainingModel(session, self)
        self.switch = SegmentedControl({"setup": "Set up", "run": "Run"}, "View")
        self.empty = self._empty()
        self.setup = SetupView(self.model.setup)
        self.run = RunView()
        self._stack = QStackedWidget()
        self._build()
        self._connect()
        self._show_view()
        self._show_state(self.model.state)

    def open_file(self, path: Path) -> bool:
        """Take a data set or settings."""
        kind = kind_of_file(path)
        if kind is FileKind.TRAINING_SETTINGS:
            self.model.load_settings(path)
            return True
        if kind is FileKind.DATASET:
            self.session.page_wanted.emit("data")
            self.session.dataset_opened.emit(path)
            return True
        return False

    def show_job(self, job: Job) -> None:
        """Show a training, whoever started it."""
        self.model.show_job(job)

    def actions_(self) -> list[actions.Action]:
        """Return what can be done with trainings."""
        model, make = self.model, actions.Action
        return [
            make(
                "train.start",
                "Start training",
                self.setup.start_button.click,
                is_enabled=self._can_start,
            ),
            make(
                "train.check",
                "Check the settings",
                model.setup.start_check,
                is_enabled=self._can_start,
            ),
            make(
                "train.export",
                "Export settings as YAML…",
                self.ask_where_to_export,
                is_enabled=self._can_start,
            ),
            make("train.open", "Open settings…", self.ask_for_settings),
            make(
                "train.pause",
                "Pause or resume the training",
                self._pause_or_resume,
                is_enabled=self._can_pause,
            ),
            make(
                "train.stop",
                "Stop the training",
                lambda: self._obey(Action.STOP),
                is_enabled=lambda: model.can(Action.STOP),
            ),
            make(
                "train.continue",
                "Continue the training",
                lambda: self._obey(Action.CONTINUE),
                is_enabled=lambda: model.can(Action.CONTINUE),
            ),
            make(
                "train.use",
                "Use the model in a simulation",
                model.use_in_simulation,
                is_enabled=self._has_model,
            ),
        ]

    def ask_where_to_export(self) -> None:
        """Let a person choose a file for the settings."""
        self.session.dialogs.save_file(
            "Export settings", self.model.export, name="training.yaml", kinds=YAML
        )

    def ask_for_settings(self) -> None:
        """Let a person choose a file with settings."""
        self.session.dialogs.open_files(
            "Open settings", lambda paths: self.model.load_settings(paths[0]), kinds=YAML
        )

    # --- state

    def _connect(self) -> None:
        model, header = self.model, self.run.header
        self.switch.chosen.connect(
            lambda key: model.show_run() if key == "run" else model.show_setup()
        )
        self.setup.start_asked.connect(model.start)
        self.setup.export_asked.connect(self.ask_where_to_export)
        self.setup.data_asked.connect(lambda: self.session.page_wanted.emit("data"))
        header.asked.connect(self._obey)
        header.simulation_asked.connect(model.use_in_simulation)
        header.new_asked.connect(model.show_setup)
        self.run.suggestion_followed.connect(model.follow)
        self.run.settings_asked.connect(model.edit_settings_of_run)
        self.run.longer_asked.connect(model.train_longer)
        self.run.meaning_asked.connect(self._explain)
        self.run.parity.frame_shown.connect(model.show_frame)
        model.run_changed.connect(self._show_run)
        model.view_changed.connect(self._show_view)
        model.state_changed.connect(self._show_state)

    def _show_run(self) -> None:
        if self.model.run is not None and self.model.parity is not None:
            self.run.bind(self.model.run, self.model.parity)

    def _show_view(self) -> None:
        model = self.model
        self.switch.setVisible(model.run is not None)
        self.switch.setValue("run" if model.shows_run else "setup")
        face = RUN if model.shows_run else SETUP if model.setup.has_data else EMPTY
        self._stack.setCurrentIndex(face)

    def _show_state(self, state: str) -> None:
        self._show_view()
        self.state = PageState(state)

    def _obey(self, action: Action) -> None:
        run = self.model.run
        if run is None:
            return
        orders: dict[Action, Callable[[], object]] = {
            Action.PAUSE: run.job.pause,
            Action.RESUME: run.job.resume,
            Action.CHECKPOINT: run.job.checkpoint,
            Action.STOP: run.job.stop,
            Action.KILL: run.job.kill,
            Action.CONTINUE: self.model.continue_run,
        }
        orders[action]()

    def _explain(self) -> None:
        self.session.dialogs.tell("How good is the model?", explanation())

    def _pause_or_resume(self) -> None:
        self._obey(Action.RESUME if self.model.can(Action.RESUME) else Action.PAUSE)

    def _can_pause(self) -> bool:
        return self.model.can(Action.PAUSE) or self.model.can(Action.RESUME)

    def _can_start(self) -> bool:
        return not self.model.shows_run and self.model.setup.is_valid

    def _has_model(self) -> bool:
        return self.model.run is not None and self.model.run.model is not None

    # --- building

    def _empty(self) -> EmptyState:
        choose = button(
            "Open a data set…",
            lambda: self.session.page_wanted.emit("data"),
            role="primary",
            icon_name="open",
        )
        example = button("Use the methanol example", self._use_example)
        return EmptyState(
            "train",
            "Train a potential",
            "It learns energies and forces from structures that were computed with an ab initio method. "
            "Drop a data set here, or open one on the Data page.",
            [choose, example],
            is_drop_area=True,
        )

    def _use_example(self) -> None:
        self.session.page_wanted.emit("data")
        self.session.dataset_opened.emit(METHANOL)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 0)
        head.addWidget(label(self.title, "title"))
        head.addStretch(1)
        head.addWidget(self.switch)
        framed = QWidget()
        around = QVBoxLayout(framed)
        around.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 3 * UNIT)
        around.addWidget(self.empty)
        for face in (framed, self.setup, self.run):
            self._stack.addWidget(face)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)


def _demo() -> QWidget:
    from gui.demo import demo_session

    session = demo_session()
    made = TrainPage(session)
    session.setParent(made)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 700)
