"""The strip at the bottom of the window, on every page: all jobs that run, and the log's warnings."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gui.jobs import Job, Jobs
from gui.slots import weakly
from gui.theme import UNIT
from gui.views.common.buttons import button
from gui.views.common.job_row import JobRow
from gui.views.common.labels import label

__all__ = ["JobBar"]

ROWS = 3


class JobBar(QFrame):
    """Rows of jobs, the newest at the top.

    Signals
    -------
    job_wanted
        A person wants to see a `Job`.
    log_wanted
        A person wants to see the log, or no longer.
    """

    job_wanted = Signal(object)
    log_wanted = Signal()

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._rows: dict[Job, JobRow] = {}
        self._empty = label("No jobs are running", "muted")
        self._further = label("", "caption")
        self._log = button(
            "Log",
            self.log_wanted.emit,
            role="chip",
            icon_name="log",
            tip="Show what happened  (Ctrl+L)",
        )
        self._column = QVBoxLayout()
        self._column.setSpacing(2)
        self._column.addWidget(self._empty)
        self._column.addWidget(self._further)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, UNIT - 2, 2 * UNIT, UNIT - 2)
        layout.setSpacing(2 * UNIT)
        layout.addLayout(self._column, 1)
        layout.addWidget(self._log, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setWarnings(0)
        jobs.added.connect(self._watch)
        for job in jobs:
            self._watch(job)
        self._arrange()

    def setWarnings(self, number: int) -> None:
        """Show how many warnings nobody has read."""
        words = {0: "Log", 1: "Log: 1 warning"}
        self._log.setText(words.get(number, f"Log: {number} warnings"))
        self._log.setProperty("role", "chip-warn" if number else "chip")
        self._log.style().unpolish(self._log)
        self._log.style().polish(self._log)

    def rows(self) -> list[JobRow]:
        """Return the rows, the newest first."""
        return list(reversed(self._rows.values()))

    def _watch(self, job: Job) -> None:
        job.state_changed.connect(weakly(self._consider, job))
        self._consider(job)

    def _consider(self, job: Job, _state: object = None) -> None:
        """Show a job from its first sign of life in this window until it is dismissed."""
        if job.is_alive and job not in self._rows and (job.is_live or job.is_ours):
            row = JobRow(job)
            row.wanted.connect(self.job_wanted)
            row.dismissed.connect(self._dismiss)
            self._rows[job] = row
            self._column.insertWidget(0, row)
            self._clear_ended()
            self._arrange()

    def show_job(self, job: Job) -> None:
        """Show a job that was started elsewhere."""
        job.is_live = True
        self._consider(job)

    def _clear_ended(self) -> None:
        """Make room: jobs that are over go first."""
        ended = [job for job in self._rows if not job.is_alive]
        while len(self._rows) > ROWS and ended:
            self._remove(ended.pop(0))

    def _dismiss(self, job: Job) -> None:
        self._remove(job)
        self._arrange()

    def _remove(self, job: Job) -> None:
        row = self._rows.pop(job)
        row.hide()
        row.deleteLater()

    def _arrange(self) -> None:
        rows = self.rows()
        for number, row in enumerate(rows):
            row.setVisible(number < ROWS)
        self._empty.setVisible(not rows)
        further = len(rows) - ROWS
        self._further.setText(f"and {further} more on the Runs page")
        self._further.setVisible(further > 0)


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.simulation import demo_job

    session = demo_session()
    bar = JobBar(session.jobs)
    session.setParent(bar)
    bar.show_job(demo_job(session))
    bar.setWarnings(2)
    for row in bar.rows():
        row.refresh()
    return bar


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 64)
