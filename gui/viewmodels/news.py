"""Tells a person how jobs ended, wherever they look at that moment."""

from __future__ import annotations

from PySide6.QtCore import QObject

from gui.jobs import Job, Jobs, JobState
from gui.notifications import Notifications
from gui.slots import weakly

__all__ = ["JobNews"]


class JobNews(QObject):
    """Turns ends of jobs that this window has seen alive into notifications; history that is read in is no news."""

    def __init__(
        self, jobs: Jobs, notifications: Notifications, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._notifications = notifications
        jobs.added.connect(self._watch)

    def _watch(self, job: Job) -> None:
        job.state_changed.connect(weakly(self._tell, job))

    def _tell(self, job: Job, state: JobState) -> None:
        if not job.is_live:
            return
        error = job.error or {}
        if state is JobState.FINISHED:
            self._notifications.ok(f"{job.name} has finished.")
        elif state is JobState.FAILED:
            text = f"{job.name}: {error.get('title') or 'failed'}"
            self._notifications.error(
                text, "\n".join(filter(None, (error.get("hint"), error.get("detail"))))
            )
        elif state is JobState.LOST:
            self._notifications.warn(f"{job.name}: {error.get('title', '')}", error.get("hint", ""))
