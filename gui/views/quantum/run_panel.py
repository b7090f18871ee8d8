"""A path-integral run: head, ring polymers, kinetic energies, curves, averages, logs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QSplitter, QTabWidget, QVBoxLayout, QWidget

from gui.core.pimd_advice import Offer
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.quantum import QuantumModel
from gui.views.common.buttons import button
from gui.views.common.clock import clock
from gui.views.common.scrolling import Scrolling
from gui.views.molecule.player import MoleculePlayer
from gui.views.quantum.averages_table import AveragesTable
from gui.views.quantum.curves_panel import CurvesPanel
from gui.views.quantum.kinetic_panel import KineticPanel
from gui.views.quantum.log_tabs import LogTabs
from gui.views.quantum.run_header import RunHeader

__all__ = ["RunPanel"]

PLAYER_WIDTH = 36 * UNIT  # at least


class RunPanel(QWidget):
    """Everything during a run and after.

    Signals
    -------
    left, series_wanted
        Back to the settings; to the bead-convergence helper.
    """

    left = Signal()
    series_wanted = Signal()

    def __init__(
        self, session: Session, model: QuantumModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._model = model
        self.header = RunHeader(model)
        self.player = MoleculePlayer("")
        self.kinetic = KineticPanel()
        self.averages = AveragesTable()
        self.curves = CurvesPanel()
        self.logs = LogTabs()
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the run")
        self._build()
        self._connect()
        clock().register(self)
        self._take_run()

    def refresh(self) -> None:
        """Read what the run has written; the clock calls this."""
        self._model.refresh()

    def take(self, offer: Offer) -> None:
        """Do what the banner offers."""
        _WAYS[offer](self)

    # --- ways on -------------------------------------------------------------------------------------------------------

    def _use_settings(self, **changes: object) -> None:
        """Go back to the settings of the run; whoever shows model and structure hears of them."""
        model, session = self._model, self._session
        model.use_settings_of_run(**changes)
        if model.model is not None and model.structure is not None:
            session.model_chosen.emit(model.model)
            session.structure_chosen.emit(model.structure)

    def _run_longer(self) -> None:
        run = self._model.run
        if run is not None:
            self._model.resume(steps=2 * int(run.spec.get("steps") or run.step))

    def _half_timestep(self) -> None:
        run = self._model.run
        if run is not None:
            self._use_settings(timestep=run.spec.get("timestep", 0.25) / 2)

    def _show_logs(self) -> None:
        self.tabs.setCurrentWidget(self.logs)
        run = self._model.run
        if run is not None:
            dead = [
                lamp.name
                for lamp in (run.lamps.server, *run.lamps.drivers)
                if lamp.can_be_restarted
            ]
            self.logs.show_log(dead[0] if dead else "i-PI")

    def _save_image(self) -> None:
        def save(path: Path) -> None:
            self.player.view.saveImage(path)

        self._session.dialogs.save_file(
            "Save image", save, name="ring-polymers.png", kinds="Images (*.png *.svg)"
        )

    def _export_plots(self) -> None:
        def save(path: Path) -> None:
            for name, plot in {"kinetic": self.kinetic.samples, **self.curves.plots()}.items():
                plot.export(path.with_name(f"{path.stem}-{name}{path.suffix}"))

        kinds = "Pictures and tables (*.png *.svg *.csv)"
        self._session.dialogs.save_file("Export plots", save, name="pimd.png", kinds=kinds)

    def _open_report(self, file: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(file)))

    # --- another run ---------------------------------------------------------------------------------------------------

    def _take_run(self) -> None:
        run = self._model.run
        for part in (self.kinetic, self.averages, self.curves):
            part.setRun(run)
        timestep = self._model.values.get("timestep")
        if run is not None:
            timestep = run.spec.get("timestep", timestep)
        self.player.setJob(None if run is None else run.job, timestep)
        self.logs.setFolder(None if run is None else run.job.folder)
        if run is not None:
            run.lamps_changed.connect(self.logs.setLamps)
            run.rows_read.connect(self.header.show_state)
            self.logs.setLamps(run.lamps)
            self.header.show_state()

    def _connect(self) -> None:
        self._model.run_changed.connect(self._take_run)
        self._model.reported.connect(self._open_report)
        self.header.offer_taken.connect(self.take)
        self.header.left.connect(self.left)
        self.player.toolbar.saveAsked.connect(self._save_image)

    # --- building ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self._overview(), "Overview")
        self.tabs.addTab(self._scrolled(self.curves), "Curves")
        self.tabs.addTab(self.logs, "Logs")
        export = button("Export plots…", self._export_plots, role="flat", icon_name="export")
        self.tabs.setCornerWidget(export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self.header)
        layout.addWidget(self.tabs, 1)

    def _overview(self) -> QWidget:
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addWidget(self.kinetic, 1)
        column.addWidget(self.averages)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(UNIT)
        splitter.setChildrenCollapsible(False)
        self.player.setMinimumWidth(PLAYER_WIDTH)
        splitter.addWidget(self.player)
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        holder = QWidget()
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(0, UNIT, 0, 0)
        layout.addWidget(splitter)
        return holder

    def _scrolled(self, widget: QWidget) -> Scrolling:
        area = Scrolling()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(widget)
        widget.setContentsMargins(0, UNIT, 0, 0)
        return area


_WAYS = {
    Offer.RESUME: lambda panel: panel._model.resume(),
    Offer.RUN_LONGER: RunPanel._run_longer,
    Offer.HALF_TIMESTEP: RunPanel._half_timestep,
    Offer.RESTART_DRIVER: lambda panel: panel._model.restart_driver(),
    Offer.STOP: lambda panel: panel._model.stop(),
    Offer.SETTINGS: lambda panel: panel._use_settings(),
    Offer.SHOW_LOGS: RunPanel._show_logs,
    Offer.REPORT: lambda panel: panel._model.report(),
    Offer.MORE_BEADS: lambda panel: panel.series_wanted.emit(),
}


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.path_integral import finished_run

    session = demo_session()
    model = QuantumModel(session.jobs, lambda: session.settings.runs_folder, parent=session)
    panel = RunPanel(session, model)
    panel.setObjectName("canvas")
    session.setParent(panel)
    model.follow(finished_run(panel).job)
    if model.run is not None:
        model.run.refresh_all()
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
