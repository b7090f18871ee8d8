"""The head of a run: state, progress, what can be asked of it, lamps, and a banner with ways on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from gui.core.pimd_advice import Advice
from gui.core.wording import duration
from gui.jobs.states import Action
from gui.theme import UNIT, theme
from gui.viewmodels.quantum import QuantumModel, QuantumState
from gui.views.common.banner import Banner
from gui.views.common.buttons import button
from gui.views.common.clock import clock
from gui.views.common.icons import pixmap
from gui.views.common.labels import Elided, label
from gui.views.quantum.lamp_row import LampRow

__all__ = ["LOOKS", "RunHeader", "describe"]

LOOKS = {
    QuantumState.STARTING: ("starting", "accent"),
    QuantumState.WAITING: ("clock", "warn"),
    QuantumState.RUNNING: ("play", "accent"),
    QuantumState.STOPPING: ("stop", "warn"),
    QuantumState.FINISHED: ("ok", "ok"),
    QuantumState.STOPPED: ("stop", "muted"),
    QuantumState.FAILED: ("error", "error"),
    QuantumState.LOST: ("lost", "error"),
}
"""Icon and token of each state of a run."""
_ENDED = (QuantumState.FINISHED, QuantumState.STOPPED, QuantumState.FAILED, QuantumState.LOST)


class RunHeader(QWidget):
    """Shows how a run is and takes orders.

    Signals
    -------
    offer_taken
        The `Offer` that a person chose.
    left
        Back to the settings.
    """

    offer_taken = Signal(object)
    left = Signal()

    def __init__(self, model: QuantumModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._advice: Advice | None = None
        self._icon = QLabel()
        self._word = label("", "subheading")
        self._name = Elided("", "muted")
        self._progress = Elided("", "muted")
        self._bar = QProgressBar()
        self.lamps = LampRow()
        self.banner = Banner()
        self.leaveButton = button("Back", self.left.emit, role="flat", icon_name="left")
        self.checkpointButton = button("Checkpoint", model.checkpoint, icon_name="checkpoint")
        self.stopButton = button("Stop cleanly", model.stop, icon_name="stop")
        self.killButton = button("Force stop", model.kill, role="danger", icon_name="kill")
        self._build()
        self.lamps.restart_asked.connect(model.restart_driver)
        model.state_changed.connect(lambda _: self.show_state())
        theme().changed.connect(self._draw_state)
        clock().register(self)

    def refresh(self) -> None:
        """Count the seconds of waiting; the clock calls this."""
        if self._model.run is not None and self._model.state is QuantumState.WAITING:
            self._word.setText(describe(self._model))

    def show_state(self) -> None:
        """Show how the run is now."""
        run = self._model.run
        if run is None:
            return
        job, state = run.job, self._model.state
        self._draw_state()
        self._name.setText(job.name)
        self._bar.setValue(round(1000 * job.progress.fraction))
        self._progress.setText(_progress(self._model))
        self.lamps.setLamps(run.lamps)
        for widget in (self.lamps, self._bar):  # nothing more to tell of a run that ended well
            widget.setVisible(state not in (QuantumState.FINISHED, QuantumState.STOPPED))
        self.checkpointButton.setVisible(job.can(Action.CHECKPOINT))
        self.stopButton.setVisible(job.can(Action.STOP))
        self.killButton.setVisible(state is QuantumState.STOPPING and job.can(Action.KILL))
        self._show_advice(self._model.advice)

    def _draw_state(self) -> None:
        name, token = LOOKS.get(self._model.state, ("minus", "muted"))
        self._icon.setPixmap(pixmap(name, token, 20))
        self._word.setText(describe(self._model))
        self._word.setStyleSheet(f"color: {theme().token(token)};")

    def _show_advice(self, advice: Advice | None) -> None:
        if advice == self._advice:
            return
        self._advice = advice
        if advice is None:
            self.banner.hide()
            return
        buttons: dict[str, Callable[[], object]] = {
            offer.value: partial(self.offer_taken.emit, offer) for offer in advice.offers
        }
        self.banner.show_(advice.tone, advice.title, advice.text, buttons)

    def _build(self) -> None:
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the run")
        self._progress.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addWidget(self.leaveButton)
        top.addWidget(self._icon)
        top.addWidget(self._word)
        top.addWidget(self._name, 1)
        top.addWidget(self._progress, 2)
        for widget in (self.checkpointButton, self.stopButton, self.killButton):
            top.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(top)
        layout.addWidget(self._bar)
        layout.addWidget(self.lamps)
        layout.addWidget(self.banner)


def describe(model: QuantumModel) -> str:
    """Return the state in words, with the seconds where something is waited for."""
    state, run = model.state, model.run
    if state is QuantumState.WAITING and run is not None:
        n = len(run.lamps.drivers)
        return f"Waiting for {'driver' if n == 1 else 'drivers'} ({run.waiting_s:.0f} s)"
    return state.value


def _progress(model: QuantumModel) -> str:
    run = model.run
    if run is None:
        return ""
    progress = run.job.progress
    step, total = max(run.step, progress.done), progress.total or int(run.spec.get("steps") or 0)
    parts = [f"step {step:,} of {total:,}"] if total else []
    if model.state not in _ENDED:
        parts += [progress.speed] if progress.speed else []
        parts += [f"{duration(progress.eta_s)} left"] if progress.eta_s else []
    return "  ·  ".join(parts)


def _demo() -> QWidget:
    from gui.demo import column, demo_session
    from gui.demo.path_integral import finished_run

    session = demo_session()
    model = QuantumModel(session.jobs, lambda: session.settings.runs_folder, parent=session)
    header = RunHeader(model)
    session.setParent(header)
    model.follow(finished_run(header).job)
    if model.run is not None:
        model.run.refresh_all()
    header.show_state()
    return column(header)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 800, 200)
