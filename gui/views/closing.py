"""What happens to the jobs when the window closes."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from gui.jobs import Job
from gui.session import Session

__all__ = ["Closing"]

KEEP, STOP = "Keep running", "Save and stop"
PATIENCE_MS = 20_000


class Closing(QObject):
    """Asks once, waits until the jobs have saved, then closes the window for good.

    Parameters
    ----------
    window
        Its ``close`` is called when nothing is left to wait for.
    """

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._window = window
        self._session = session
        self._is_decided = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._offer_force)
        session.jobs.changed.connect(self._look)

    def may_close(self) -> bool:
        """Return whether the window can go now; if not, see to it that it will."""
        if not self._unsettled():
            return True
        if not self._is_decided:
            if self._session.settings.values.keep_running:
                self._keep()
                return True
            self._ask()
        return False

    def stop_all(self) -> None:
        """Let the jobs save and end, then close."""
        self._is_decided = True
        for job in self._unsettled():
            job.stop()
        self._patience.start()
        self._look()

    def _ask(self) -> None:
        jobs = self._unsettled()
        names = ", ".join(job.name for job in jobs)
        title = "A job is running" if len(jobs) == 1 else f"{len(jobs)} jobs are running"
        text = f"{names}\n\nA job that keeps running is found again by the next window."
        self._session.dialogs.ask(title, text, [KEEP, STOP], self._decide)

    def _decide(self, answer: str) -> None:
        if answer == KEEP:
            self._keep()
            self._close_soon()
        else:
            self.stop_all()

    def _keep(self) -> None:
        for job in self._unsettled():
            job.keeps_running = True

    def _unsettled(self) -> list[Job]:
        """Return the jobs of this window that would end with it."""
        return [job for job in self._session.jobs.running() if not job.keeps_running]

    def _look(self, _job: object = None) -> None:
        if self._is_decided and not self._unsettled():
            self._patience.stop()
            self._close_soon()

    def _close_soon(self) -> None:
        """Close when Qt is through with the close event that asked: it takes no second one within the first."""
        QTimer.singleShot(0, self._window, self._window.close)

    def _offer_force(self) -> None:
        names = ", ".join(job.name for job in self._unsettled())
        text = f"{names}: not ended after {PATIENCE_MS // 1000} s. What was written up to now stays in any case."
        self._session.dialogs.ask("Still saving", text, ["Wait", "Force stop"], self._force)

    def _force(self, answer: str) -> None:
        if answer == "Wait":
            self._patience.start()
            return
        for job in self._unsettled():
            job.kill()
