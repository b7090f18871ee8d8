"""A simulation as it goes: state and orders above, atoms and knobs at the left, curves at the right."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.core.run_export import SCRIPT, export_script, export_trajectory
from gui.core.simulation_record import SimulationRecord
from gui.jobs import Action, Job
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.page_state import PageState
from gui.viewmodels.simulation import SimulationModel
from gui.views.common.banner import Banner
from gui.views.common.clock import clock
from gui.views.molecule.player import MoleculePlayer
from gui.views.simulate.analysis_plot import AnalysisPlot
from gui.views.simulate.run_strip import RunStrip
from gui.views.simulate.steering import Steering
from gui.views.simulate.ticks import Ticks
from gui.views.simulate.time_plots import TimePlots
from gui.views.simulate.trouble_banner import TroubleBanner
from nequip_openmm.errors import UserError

__all__ = ["RunPanel"]

_PICTURES = "PNG (*.png);;SVG (*.svg)"
_S = PageState
_SAYS = {
    _S.STOPPED: ("info", "Stopped. It can go on from its last checkpoint."),
    _S.FINISHED: ("ok", "Finished."),
    _S.STOPPING: ("info", "Saving a checkpoint, then it ends."),
}


class RunPanel(QWidget):
    """Shows the run of a `SimulationModel`."""

    def __init__(
        self, session: Session, model: SimulationModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._model = session, model
        self._shown: tuple[Job, SimulationRecord] | None = None
        self._n_warnings = 0
        self.strip = RunStrip()
        self.trouble = TroubleBanner()
        self.banner = Banner()
        self.warningBanner = Banner(closable=True)
        self.ticks = Ticks()
        self.player = MoleculePlayer("")
        self.steering = Steering()
        self.timePlots = TimePlots()
        self.rdf, self.msd = AnalysisPlot("rdf"), AnalysisPlot("msd")
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the run")
        self._faces = QStackedWidget()
        self._build()
        self._connect()
        clock().register(self)

    def refresh(self) -> None:
        """Keep up with the run; the clock calls this."""
        record, job = self._model.record, self._model.job
        if record is None or job is None:
            return
        if self.ticks.steps() != record.steps:
            self.ticks.setSteps(record.steps)
        is_new = self._model.state is _S.STARTING and not record.has_samples
        self._faces.setCurrentIndex(0 if is_new else 1)
        self.steering.setValues(record.knobs)
        self.steering.setVisible(bool(record.knobs) and job.is_alive)
        self.steering.setActive(job.can(Action.SET))
        self._show_warnings(job)

    def show_run(self) -> None:
        """Show the run that the model watches now."""
        job, record = self._model.job, self._model.record
        if job is None or record is None:
            return
        self.strip.setRun(job, record)
        if (job, record) != self._shown:
            self._shown = job, record
            self._n_warnings = 0
            self.steering.reset()
            self.warningBanner.hide()
            self._show_start()
            self.player.setJob(job, record.timestep_fs)
            self.timePlots.setRecord(record)
            self.rdf.setRecord(record)
            self.msd.setRecord(record)
        self.refresh()
        self.show_state(self._model.state)

    def show_state(self, state: PageState) -> None:
        """Say what happened and what can be done."""
        trouble = self._model.trouble()
        if not self._model.shows_run:
            return
        self.trouble.setTrouble(trouble)
        if trouble is not None:
            self.banner.hide()
            self.warningBanner.hide()
            self.timePlots.setTrouble(trouble.time_ps, "ended here")
            self.player.trajectory.go_live()  # the last good frame
        elif state in _SAYS:
            tone, text = _SAYS[state]
            self.banner.show_(tone, self._told(state, text), "", self._ways_on(state))
        else:
            self.banner.hide()
            self.timePlots.setTrouble(None)
        self.strip.refresh()

    # --- export ---------------------------------------------------------------------------------------------------

    def save_plots(self) -> None:
        """Ask where, and write what the tab in front shows as a picture."""
        self._save("Save plots", f"{self._name}.png", _PICTURES, self._write_plots)

    def save_samples(self) -> None:
        """Ask where, and write all samples (``thermo.csv``)."""
        self._save("Save samples", f"{self._name}-thermo.csv", "CSV (*.csv)", self._write_samples)

    def save_averages(self) -> None:
        """Ask where, and write RDF and MSD as tables."""
        self._save("Save RDF and MSD", f"{self._name}.csv", "CSV (*.csv)", self._write_averages)

    def save_trajectory(self) -> None:
        """Ask where, and copy the trajectory with its topology."""
        self._save("Save trajectory", f"{self._name}.dcd", "", self._write_trajectory)

    def save_script(self) -> None:
        """Ask for a folder, and copy ``simulate.py`` with what it needs into one of its own there."""
        if self._model.job is not None:
            self._session.dialogs.open_folder(
                "Folder for the script and what it needs", self._write_script
            )

    def save_image(self) -> None:
        """Ask where, and write the 3D view."""
        self._save("Save image", f"{self._name}-atoms.png", _PICTURES, self.player.view.saveImage)

    @property
    def _name(self) -> str:
        return self._model.job.name if self._model.job is not None else "simulation"

    def _save(self, title: str, name: str, kinds: str, write) -> None:  # type: ignore[no-untyped-def]
        def then(path: Path) -> None:
            try:
                written = write(path) or path
            except (OSError, UserError) as error:
                self._session.notifications.error(str(error))
            else:
                self._session.notifications.ok(f"Saved {written.name}")

        if self._model.job is not None:
            self._session.dialogs.save_file(title, then, name=name, kinds=kinds)

    def _write_plots(self, path: Path) -> None:
        front = self.tabs.currentWidget()
        if isinstance(front, AnalysisPlot):
            front.save(path)
        else:
            self.timePlots.savePicture(path)

    def _write_samples(self, path: Path) -> None:
        shutil.copyfile(self._folder / "thermo.csv", path)

    def _write_averages(self, path: Path) -> None:
        for plot, name in ((self.rdf, "rdf"), (self.msd, "msd")):
            plot.save(path.with_stem(f"{path.stem}-{name}").with_suffix(".csv"))

    def _write_trajectory(self, path: Path) -> Path:
        return export_trajectory(self._folder, path)

    def _write_script(self, folder: Path) -> None:
        try:
            script = export_script(self._folder, folder / self._name)
        except UserError as error:
            self._session.notifications.error(str(error))
        else:
            self._session.notifications.ok(f"Run it with: python {script}")

    @property
    def _folder(self) -> Path:
        return self._model.job.folder if self._model.job is not None else Path()

    # --- keeping up -----------------------------------------------------------------------------------------------

    def _told(self, state: PageState, text: str) -> str:
        record = self._model.record
        if state is _S.FINISHED and record is not None:
            return f"Finished: {record.last_time_ps:.4g} ps in {record.last_step:,} steps."
        return text

    def _ways_on(self, state: PageState) -> dict:
        record = self._model.record
        if state is _S.STOPPED:
            return {"Continue": self._model.continue_}
        if state is _S.FINISHED and record is not None and record.total_steps:
            more = record.time_ps(record.total_steps)
            return {
                f"Run {more:.4g} ps more": lambda: self._model.continue_(more),
                "Show in Runs": lambda: self._session.page_wanted.emit("runs"),
            }
        return {}

    def _show_start(self) -> None:
        """Show the structure until the first frame comes."""
        structure, job = self._model.structure, self._model.job
        if structure is None or job is None or not job.is_ours:
            self.player.view.clear("No frames yet")
            return
        self.player.view.setAtoms(structure.numbers, structure.cell is not None)
        self.player.view.setFrame(structure.positions, structure.cell)

    def _show_warnings(self, job: Job) -> None:
        if len(job.warnings) == self._n_warnings:
            return
        self._n_warnings = len(job.warnings)
        if job.warnings[-1].get("code") == "bad-command":  # an order was refused
            self.steering.reset()
        if self._model.trouble() is not None:
            return
        text = str(job.warnings[-1].get("msg", ""))
        more = f"{self._n_warnings - 1} more in the log" if self._n_warnings > 1 else ""
        self.warningBanner.show_("warn", text[:1].upper() + text[1:], more)

    def go_on(self) -> None:
        """Continue; a run that had come to its end runs as long again."""
        record = self._model.record
        is_over = self._model.state is _S.FINISHED and record is not None
        self._model.continue_(record.time_ps(record.total_steps) if is_over and record else None)

    # --- building -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._model.run_changed.connect(self.show_run)
        self._model.state_changed.connect(self.show_state)
        self.steering.turned.connect(self._model.set_knob)
        self.strip.settings_asked.connect(self._model.set_up)
        self.strip.continue_asked.connect(self.go_on)
        self.trouble.remedy_chosen.connect(self._model.apply)
        self.player.toolbar.saveAsked.connect(self.save_image)

    def _build(self) -> None:
        for text, callback in {
            "Plots as PNG or SVG…": self.save_plots,
            "Samples as CSV…": self.save_samples,
            "RDF and MSD as CSV…": self.save_averages,
            "3D image…": self.save_image,
            "Trajectory…": self.save_trajectory,
            f"Script ({SCRIPT})…": self.save_script,
        }.items():
            self.strip.addExport(text, callback)
        for tab, title in ((self.timePlots, "Over time"), (self.rdf, "RDF"), (self.msd, "MSD")):
            self.tabs.addTab(tab, title)
        self._faces.addWidget(self._starting_face())
        self._faces.addWidget(self._running_face())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT + UNIT // 2)
        for widget in (self.strip, self.trouble, self.banner, self.warningBanner):
            column.addWidget(widget)
        column.addWidget(self._faces, 1)

    def _starting_face(self) -> QWidget:
        face = QWidget()
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.ticks)
        middle.addStretch(1)
        column = QVBoxLayout(face)
        column.addStretch(2)
        column.addLayout(middle)
        column.addStretch(3)
        return face

    def _running_face(self) -> QWidget:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT + UNIT // 2)
        column.addWidget(self.player, 1)
        column.addWidget(self.steering)
        left.setMinimumWidth(280)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(2 * UNIT)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(self.tabs)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 3)
        split.setSizes([360, 560])
        return split


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.simulation import demo_job

    session = demo_session()
    model = SimulationModel(session.jobs, lambda: session.settings.runs_folder, parent=session)
    panel = RunPanel(session, model)
    panel.setObjectName("canvas")
    session.setParent(panel)
    model.follow(demo_job(session))
    panel.show_run()
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
