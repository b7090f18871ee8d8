"""One job in the job bar: state, name, how far it is, what can be done."""

from __future__ import annotations

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QMenu, QProgressBar, QSizePolicy, QWidget

from gui.core.wording import count, duration
from gui.jobs import Action, Job, JobState
from gui.theme import UNIT
from gui.views.common.badge import StatusBadge
from gui.views.common.buttons import IconButton, button
from gui.views.common.clock import clock
from gui.views.common.labels import Elided

__all__ = ["JobRow", "news_of"]


class JobRow(QWidget):
    """Shows a `Job` and asks it for what its buttons say.

    Signals
    -------
    wanted
        A person wants to see the job.
    dismissed
        A person has seen that it is over.
    """

    wanted = Signal(object)
    dismissed = Signal(object)

    def __init__(self, job: Job, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self._is_stale = True
        self._badge = StatusBadge()
        self._badge.setMinimumWidth(12 * UNIT)
        self._name = button(
            job.name, lambda: self.wanted.emit(job), role="name", tip="Show this run"
        )
        self._name.setMinimumWidth(20 * UNIT)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(12 * UNIT)
        self._bar.setMaximum(1000)
        self._text = Elided("", "muted")
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._pause = IconButton("pause", "Pause", self._toggle)
        self._stop = IconButton("stop", "Stop", job.stop)
        self._more = IconButton("more", "More")
        self._more.setPopupMode(IconButton.ToolButtonPopupMode.InstantPopup)
        self._more.setMenu(self._menu())
        self._close = IconButton(
            "close", "Take off the bar", lambda: self.dismissed.emit(job), size=14
        )
        for gone in (self._bar, self._pause):  # rows stay aligned
            policy = gone.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            gone.setSizePolicy(policy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        for widget in (self._badge, self._name, self._bar):
            layout.addWidget(widget)
        layout.addWidget(self._text, 1)
        for tool in (self._pause, self._stop, self._close, self._more):
            tool.setFixedSize(4 * UNIT, 3 * UNIT + 4)
            layout.addWidget(tool)
        job.state_changed.connect(self._mark)
        job.progressed.connect(self._mark)
        clock().register(self)
        self.refresh()

    def refresh(self) -> None:
        """Show what the job is doing now; the clock calls this."""
        if not self._is_stale:
            return
        self._is_stale = False
        job = self.job
        self._badge.setState(job.state, _word(job))
        self._bar.setValue(round(1000 * job.progress.fraction))
        self._bar.setVisible(job.is_alive and job.progress.total > 0)
        self._bar.setAccessibleName(f"{100 * job.progress.fraction:.0f} percent")
        self._text.setText(news_of(job))
        is_paused = job.state is JobState.PAUSED
        self._pause.show_as(*(("play", "Resume") if is_paused else ("pause", "Pause")))
        self._pause.setVisible(job.can(Action.PAUSE) or job.can(Action.RESUME))
        self._stop.setVisible(job.can(Action.STOP))
        self._close.setVisible(not job.is_alive)

    def _mark(self, _news: object = None) -> None:
        self._is_stale = True

    def _toggle(self) -> None:
        if not self.job.pause():
            self.job.resume()

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Show", lambda: self.wanted.emit(self.job))
        menu.addAction("Open folder", self._open_folder)
        menu.addSeparator()
        save = menu.addAction("Save a checkpoint now", self.job.checkpoint)
        keep = menu.addAction("Keep running when the window closes")
        keep.setCheckable(True)
        keep.toggled.connect(self._keep)
        menu.addSeparator()
        kill = menu.addAction("Force stop", self.job.kill)

        def look() -> None:
            save.setEnabled(self.job.can(Action.CHECKPOINT))
            keep.setEnabled(self.job.is_alive and self.job.is_ours)
            keep.setChecked(self.job.keeps_running)
            kill.setEnabled(self.job.can(Action.KILL))

        menu.aboutToShow.connect(look)
        return menu

    def _keep(self, keeps: bool) -> None:
        if self.job.is_ours:
            self.job.keeps_running = keeps

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.job.folder)))


def news_of(job: Job) -> str:
    """Return one line about how far a job is, or how it ended."""
    if not job.is_alive:
        return str((job.error or {}).get("title", "")) or _sum(job)
    if job.is_silent:
        return f"no news for {duration(job.silence_s)}"
    if job.state is JobState.STARTING:
        return "loading PyTorch; this can take a few seconds"
    parts = [_sum(job), job.progress.speed]
    if job.progress.eta_s and job.state is JobState.RUNNING:
        parts.append(f"{duration(job.progress.eta_s)} left")
    if job.state is JobState.STOPPING:
        parts.append("saving")
    if not job.is_ours:
        parts.append("started elsewhere")
    return "  ·  ".join(part for part in parts if part)


def _word(job: Job) -> str:
    """Return a better word for a running job's state, if it told one."""
    is_known = job.stage in ("minimising", "testing", "training", "equilibrating", "relaxing")
    return job.stage.capitalize() if job.state is JobState.RUNNING and is_known else ""


def _sum(job: Job) -> str:
    done, total = job.progress.done, job.progress.total
    if not total:
        return ""
    return f"step {count(done)} of {count(total)}"


def _demo() -> QWidget:
    from gui.demo import column, demo_session
    from gui.demo.simulation import demo_job

    session = demo_session()
    row = JobRow(demo_job(session))
    session.setParent(row)
    row.refresh()
    return column(row)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 800, 90)
