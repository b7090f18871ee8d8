"""Name, state, progress and orders of a training."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from gui.core.fields import format_duration
from gui.jobs import Action, Job, JobState
from gui.theme import UNIT
from gui.viewmodels.training_run import TrainingRun
from gui.views.common.badge import StatusBadge
from gui.views.common.buttons import button
from gui.views.common.labels import Elided, label

__all__ = ["RunHeader"]

PARTS = 1000
WORDS = {"testing": "Testing", "training": "Running"}


class RunHeader(QWidget):
    """What a training is doing, and buttons for what it can be told.

    Signals
    -------
    asked
        An `Action`.
    simulation_asked, new_asked
        Buttons.
    """

    asked = Signal(object)
    simulation_asked = Signal()
    new_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = Elided("", "heading")
        self.badge = StatusBadge()
        self.text = label("", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, PARTS)
        self.bar.setAccessibleName("Progress of the training")
        self.buttons: dict[Action, QPushButton] = {
            Action.PAUSE: button("Pause", self._ask(Action.PAUSE), icon_name="pause"),
            Action.RESUME: button("Resume", self._ask(Action.RESUME), icon_name="play"),
            Action.CHECKPOINT: button(
                "Save",
                self._ask(Action.CHECKPOINT),
                icon_name="checkpoint",
                tip="Write a checkpoint now",
            ),
            Action.STOP: button(
                "Stop",
                self._ask(Action.STOP),
                icon_name="stop",
                tip="Write a checkpoint and end; it can be continued",
            ),
            Action.KILL: button(
                "Force stop",
                self._ask(Action.KILL),
                role="danger",
                icon_name="kill",
                tip="End the program at once; the last checkpoint is kept",
            ),
            Action.CONTINUE: button(
                "Continue",
                self._ask(Action.CONTINUE),
                icon_name="restart",
                tip="Go on from the last checkpoint",
            ),
        }
        self.use = button(
            "Use in simulation", self.simulation_asked.emit, role="primary", icon_name="simulate"
        )
        self.new = button("New training", self.new_asked.emit)
        self._build()

    def show_(self, run: TrainingRun) -> None:
        """Show the state of now."""
        job = run.job
        self.name.setText(job.name)
        self.badge.setState(
            job.state, WORDS.get(job.stage, "") if job.state is JobState.RUNNING else ""
        )
        self.text.setText("   ·   ".join(part for part in (*_what(run), _silence(job)) if part))
        is_unknown = job.state is JobState.STARTING
        self.bar.setRange(0, 0 if is_unknown else PARTS)
        self.bar.setValue(
            PARTS if job.state is JobState.FINISHED else round(PARTS * job.progress.fraction)
        )
        for action, made in self.buttons.items():
            made.setVisible(self._is_offered(run, action))
        self.use.setVisible(run.model is not None)
        self.new.setVisible(not job.is_alive)

    def _is_offered(self, run: TrainingRun, action: Action) -> bool:
        job = run.job
        if not job.can(action):
            return False
        if action is Action.KILL:  # a second step, after a stop that takes long
            return job.state is JobState.STOPPING
        return action is not Action.CONTINUE or (
            run.can_continue and job.state is not JobState.FINISHED
        )

    def _ask(self, action: Action):  # type: ignore[no-untyped-def]
        return lambda: self.asked.emit(action)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(int(1.5 * UNIT))
        top.addWidget(self.name)
        top.addWidget(self.badge)
        top.addStretch(1)
        for made in (*self.buttons.values(), self.new, self.use):
            top.addWidget(made)
            made.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self.text)


def _what(run: TrainingRun) -> list[str]:
    state = run.job.state
    if state is JobState.STARTING:
        return ["Loading PyTorch, reading the data, compiling the network"]
    if state is JobState.STOPPING:
        return ["Writing a checkpoint", run.epoch_text]
    if state is JobState.PAUSED:
        return ["Waiting", run.epoch_text]
    if state is JobState.RUNNING:
        return [run.epoch_text, f"{100 * run.job.progress.fraction:.0f} %", run.eta_text]
    return [run.epoch_text, f"{run.elapsed_text} of training" if run.elapsed_text else ""]


def _silence(job: Job) -> str:
    return f"no news for {format_duration(round(job.silence_s))}" if job.is_silent else ""


def _demo() -> QWidget:
    from gui.demo.training import demo_run

    made = RunHeader()
    made.show_(demo_run())
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 860, 90)
