"""The quantum nuclei mode: settings, a run, or the bead-convergence helper."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from gui.jobs.job import Job
from gui.jobs.states import Action
from gui.session import Session
from gui.viewmodels.quantum import QuantumModel
from gui.views.quantum.convergence_panel import ConvergencePanel
from gui.views.quantum.run_panel import RunPanel
from gui.views.quantum.setup_panel import SetupPanel

__all__ = ["QuantumPage"]

NAME = "quantum"  # under which the settings are remembered


class QuantumPage(QWidget):
    """What the Simulate page shows in its quantum mode; model and structure are chosen above it.

    Attributes
    ----------
    model
        State and logic; `QuantumModel.set_model`, `set_structure` and `follow` are for whoever holds the page.

    Signals
    -------
    face_changed
        The new `face`.
    """

    face_changed = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.session = session
        self.model = QuantumModel(session.jobs, lambda: session.settings.runs_folder, self)
        self.setup = SetupPanel(session, self.model)
        self.run = RunPanel(session, self.model)
        self.convergence = ConvergencePanel(self.model)
        self._stack = QStackedWidget()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for face in (self.setup, self.run, self.convergence):
            self._stack.addWidget(face)
        layout.addWidget(self._stack)
        self._connect()
        self._restore()

    def face(self) -> str:
        """Return what is shown: ``setup``, ``run`` or ``series``."""
        faces = {"setup": self.setup, "run": self.run, "series": self.convergence}
        return next(name for name, face in faces.items() if face is self._stack.currentWidget())

    def can(self, action: Action) -> bool:
        """Return whether the run in front can be stopped, saved, ..."""
        run = self.model.run
        return self.face() == "run" and run is not None and run.job.can(action)

    def show_job(self, job: Job) -> None:
        """Show a run that is there already."""
        self.model.follow(job)

    def _connect(self) -> None:
        model, show = self.model, self._stack.setCurrentWidget
        self._stack.currentChanged.connect(lambda _: self.face_changed.emit(self.face()))
        model.run_changed.connect(self._on_run)
        model.failed.connect(self.session.notifications.error)
        model.exported.connect(self._tell_export)
        self.setup.series_wanted.connect(lambda: show(self.convergence))
        self.run.series_wanted.connect(self._go_to_series)
        self.run.left.connect(model.leave)
        self.convergence.left.connect(lambda: show(self.setup))
        self.convergence.member_wanted.connect(lambda: show(self.run))

    def _restore(self) -> None:
        """Begin with the settings of the last run."""
        remembered = self.session.settings.page(NAME).get("values")
        if isinstance(remembered, dict):
            self.model.set_values({**self.model.values, **remembered})

    def _remember(self) -> None:
        values = {k: v for k, v in self.model.values.items() if k not in ("model", "structure")}
        self.session.settings.set_page(NAME, {"values": values})

    def _on_run(self) -> None:
        if self.model.run is not None:
            self._remember()
        is_of_series = self.model.run is not None and self.model.run.job is self.model.series.job
        if is_of_series and self._stack.currentWidget() is self.convergence:
            return  # a series runs on its own; whoever wants to see a member asks for it
        busy = self.model.series.is_busy and self.model.run is None
        face = self.run if self.model.run is not None else self.convergence if busy else self.setup
        self._stack.setCurrentWidget(face)

    def _go_to_series(self) -> None:
        self.model.use_settings_of_run()
        self._stack.setCurrentWidget(self.convergence)

    def _tell_export(self, folder: Path) -> None:
        self.session.notifications.info(f"Written: {folder} (start it there with i-pi input.xml)")


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.path_integral import finished_run

    page = QuantumPage(demo_session())
    job = finished_run(page).job
    page.model.follow(job)
    if page.model.run is not None:
        page.model.run.refresh_all()
    return page


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 600)
