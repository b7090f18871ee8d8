"""The line above a run: state, how far, how fast, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QProgressBar, QVBoxLayout, QWidget

from gui.core.simulation_record import SimulationRecord
from gui.core.wording import duration
from gui.jobs import Action, Job, JobState
from gui.theme import UNIT
from gui.views.common.badge import StatusBadge
from gui.views.common.buttons import IconButton, button
from gui.views.common.clock import clock
from gui.views.common.icons import icon
from gui.views.common.labels import Elided

__all__ = ["RunStrip"]

_NO_NEWS_S = 30.0


class RunStrip(QFrame):
    """State, progress and orders of one simulation.

    Signals
    -------
    settings_asked
        Back to the settings, for another run.
    continue_asked
        Go on after the end or a stop.
    """

    settings_asked = Signal()
    continue_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._job: Job | None = None
        self._record: SimulationRecord | None = None
        self.badge = StatusBadge()
        self.nameLabel = Elided("", "subheading", Qt.TextElideMode.ElideMiddle)
        self.factsLabel = Elided("", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress")
        self.pauseButton = button("Pause", self._toggle_pause, icon_name="pause", tip="Space")
        self.checkpointButton = IconButton("checkpoint", "Save a checkpoint now", self._checkpoint)
        self.stopButton = button(
            "Stop", self._stop, icon_name="stop", tip="Save a checkpoint and end (Ctrl+.)"
        )
        self.continueButton = button("Continue", self.continue_asked.emit, icon_name="play")
        self.exportButton = button("Export", icon_name="export")
        self.exportMenu = QMenu(self.exportButton)
        self.exportButton.setMenu(self.exportMenu)
        self.settingsButton = button(
            "New run",
            self.settings_asked.emit,
            icon_name="plus",
            tip="Back to the settings; the run goes on",
        )
        self._build()
        clock().register(self)

    def addExport(self, text: str, callback: Callable[[], object]) -> None:
        """Add something that can be exported."""
        self.exportMenu.addAction(text).triggered.connect(lambda _checked=False: callback())

    def setRun(self, job: Job | None, record: SimulationRecord | None) -> None:
        """Show another run."""
        self._job, self._record = job, record
        self.nameLabel.setText(job.name if job is not None else "")
        self.refresh()

    def refresh(self) -> None:
        """Show how it is; the clock calls this."""
        job, record = self._job, self._record
        if job is None or record is None:
            return
        self.badge.setState(*_look(job, record))
        self.bar.setValue(round(1000 * _fraction(record)))
        self.factsLabel.setText(_facts(job, record))
        self._show_orders(job)

    # --- orders ---------------------------------------------------------------------------------------------------

    def togglePause(self) -> None:
        """Pause, or go on."""
        self._toggle_pause()

    def _show_orders(self, job: Job) -> None:
        is_paused = job.state is JobState.PAUSED
        self.pauseButton.setText("Resume" if is_paused else "Pause")
        self.pauseButton.setIcon(icon("play" if is_paused else "pause"))
        self.pauseButton.setEnabled(job.can(Action.PAUSE) or job.can(Action.RESUME))
        self.checkpointButton.setEnabled(job.can(Action.CHECKPOINT))
        is_stopping = job.state is JobState.STOPPING
        self.stopButton.setText("Force stop" if is_stopping else "Stop")
        self.stopButton.setEnabled(job.can(Action.STOP) or (is_stopping and job.can(Action.KILL)))
        for widget in (self.pauseButton, self.checkpointButton):
            widget.setVisible(job.is_alive and job.is_ours)
        self.stopButton.setVisible(job.is_alive)
        is_over = job.state in (
            JobState.STOPPED,
            JobState.FINISHED,
        )  # after trouble the banner offers it
        self.continueButton.setVisible(is_over and job.can(Action.CONTINUE))

    def _toggle_pause(self) -> None:
        if self._job is not None:
            (self._job.resume if self._job.state is JobState.PAUSED else self._job.pause)()

    def _checkpoint(self) -> None:
        if self._job is not None:
            self._job.checkpoint()

    def _stop(self) -> None:
        if self._job is not None:
            (self._job.kill if self._job.state is JobState.STOPPING else self._job.stop)()

    def _build(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(UNIT)
        first.addWidget(self.badge)
        first.addSpacing(UNIT // 2)
        first.addWidget(self.nameLabel, 1)
        for widget in (
            self.pauseButton,
            self.checkpointButton,
            self.stopButton,
            self.continueButton,
            self.exportButton,
            self.settingsButton,
        ):
            first.addWidget(widget)
        second = QHBoxLayout()
        second.setSpacing(2 * UNIT)
        second.addWidget(self.bar, 2)
        second.addWidget(self.factsLabel, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * UNIT, UNIT + UNIT // 2, UNIT + UNIT // 2, UNIT + UNIT // 2)
        column.setSpacing(UNIT)
        column.addLayout(first)
        column.addLayout(second)


def _look(job: Job, record: SimulationRecord) -> tuple[JobState, str]:
    """Return state and word of the badge."""
    if job.state is JobState.RUNNING and not record.is_running:
        return JobState.STARTING, "Relaxing" if job.stage == "minimising" else ""
    if job.state is JobState.RUNNING and record.stage_name:
        return job.state, f"Running: {record.stage_name}"
    return job.state, ""


def _fraction(record: SimulationRecord) -> float:
    return min(1.0, record.last_step / record.total_steps) if record.total_steps else 0.0


def _facts(job: Job, record: SimulationRecord) -> str:
    total = record.time_ps(record.total_steps)
    parts = [f"{record.last_time_ps:.4g} of {total:.4g} ps"] if total else []
    parts.append(f"step {record.last_step:,}")
    if job.is_alive:
        if job.progress.speed:
            parts.append(job.progress.speed)
        if job.progress.eta_s is not None and job.state is JobState.RUNNING and record.is_running:
            parts.append(f"{duration(job.progress.eta_s)} left")
        if job.silence_s > _NO_NEWS_S:
            parts.insert(0, f"No news for {job.silence_s:.0f} s")
        if not job.is_ours:
            parts.append("started elsewhere")
    elif job.result.get("ns_per_day"):
        parts.append(f"{job.result['ns_per_day']:.3g} ns/day")
    if record.checkpoint_step is not None:
        parts.append(f"checkpoint at {record.time_ps(record.checkpoint_step):.4g} ps")
    return "  ·  ".join(parts)


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.simulation import demo_job, demo_record

    session = demo_session()
    strip = RunStrip()
    session.setParent(strip)
    strip.setRun(demo_job(session), demo_record())
    return strip


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 90)
