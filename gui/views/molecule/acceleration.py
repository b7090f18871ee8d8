"""Whether 3D views are drawn by the graphics card: off until a person wants it and a trial in another process went well."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

if TYPE_CHECKING:
    from gui.views.molecule.opengl import OpenGLRenderer

__all__ = ["Acceleration", "OpenGLError", "acceleration"]

TRIAL = [sys.executable, "-m", "gui.views.molecule.opengl"]
_PATIENCE_MS = 20_000

log = logging.getLogger(__name__)


class OpenGLError(RuntimeError):
    """The graphics card, or its driver, cannot do it."""


class Acceleration(QObject):
    """The choice, for all views.

    Parameters
    ----------
    trial
        Command that ends with 0 where drawing works, and prints what is wrong where it does not.

    Attributes
    ----------
    is_on, is_trying
        Whether the graphics card draws, or is being tried.
    problem
        Why it cannot; "" if it can or was not tried.

    Signals
    -------
    changed
        Any of these has changed: draw anew.
    """

    changed = Signal()

    def __init__(self, trial: list[str] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._trial = trial or TRIAL
        self._process: QProcess | None = None
        self._renderer: OpenGLRenderer | None = None
        self.is_on = False
        self.problem = ""

    @property
    def is_trying(self) -> bool:
        """Whether the trial runs."""
        return self._process is not None

    def choose(self, on: bool) -> None:
        """Try to draw with the graphics card, or no longer do it."""
        if not on:
            self.is_on, self._renderer = False, None
            self.changed.emit()
        elif not self.is_on and not self.is_trying:
            self._try()

    def renderer(self) -> OpenGLRenderer | None:
        """Return what draws, None if the graphics card does not."""
        if not self.is_on:
            return None
        if self._renderer is None:
            from gui.views.molecule.opengl import OpenGLRenderer

            try:
                self._renderer = OpenGLRenderer()
            except OpenGLError as error:
                self.give_up(str(error))
        return self._renderer

    def give_up(self, problem: str) -> None:
        """Draw without the graphics card from now on."""
        log.warning("3D views are drawn without OpenGL: %s", problem)
        self.is_on, self._renderer, self.problem = False, None, problem
        QTimer.singleShot(0, self, self._tell)  # it may be in the middle of drawing

    def _tell(self) -> None:
        self.changed.emit()

    def _try(self) -> None:
        process = QProcess(self)
        self._process, self.problem = process, ""
        process.finished.connect(self._note_result)
        process.errorOccurred.connect(self._note_error)
        QTimer.singleShot(_PATIENCE_MS, process, process.kill)
        process.start(self._trial[0], self._trial[1:])
        self.changed.emit()

    def _note_result(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._process is None:
            return
        said = (
            bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace").strip()
        )
        self._process = None
        if status == QProcess.ExitStatus.CrashExit:
            self.give_up("its driver crashes")
        elif code != 0:
            self.give_up(said.splitlines()[-1] if said else "the trial failed")
        else:
            self.is_on = True
            self.changed.emit()

    def _note_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._process = None
            self.give_up("the trial could not be started")


_ACCELERATION: Acceleration | None = None


def acceleration() -> Acceleration:
    """Return the one choice of the application."""
    global _ACCELERATION
    if _ACCELERATION is None:
        _ACCELERATION = Acceleration()
    return _ACCELERATION
