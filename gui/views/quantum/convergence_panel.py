"""The bead-convergence helper: which beads, how long, how far it is, what it found."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gui.core.bead_convergence import Outcome
from gui.theme import UNIT
from gui.viewmodels.bead_series import DEFAULT_BEADS, SeriesState, parse_beads
from gui.viewmodels.quantum import QuantumModel
from gui.views.common.banner import Banner
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.empty_state import EmptyState
from gui.views.common.labels import label, restyle
from gui.views.common.numbers import SpinBox
from gui.views.quantum.bead_plot import BeadPlot
from nequip_openmm.errors import UserError

__all__ = ["ConvergencePanel"]

DEFAULT_STEPS = 8000
TONES = {
    Outcome.CONVERGED: "ok",
    Outcome.NOT_CONVERGED: "warn",
    Outcome.TOO_NOISY: "info",
    Outcome.TOO_FEW: "info",
}


class ConvergencePanel(QWidget):
    """Runs a series and shows what it says.

    Signals
    -------
    left
        A person wants to go back to the settings.
    member_wanted
        A person wants to see the run that is under way.
    """

    left = Signal()
    member_wanted = Signal()

    def __init__(self, model: QuantumModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._series = model.series
        self.beadsEdit = QLineEdit(", ".join(map(str, DEFAULT_BEADS)))
        self.stepsBox = SpinBox()
        self.note = label("", "muted", wraps=True)
        self.startButton = button("Start series", self.start, role="primary", icon_name="play")
        self.stopButton = button("Stop", self._series.stop, icon_name="stop")
        self.resumeButton = button("Resume", self._series.resume, icon_name="play")
        self.memberButton = button("Show this run", self.member_wanted.emit, role="flat")
        self.progress = label("", "")
        self.banner = Banner()
        self.plot = BeadPlot()
        self._empty = EmptyState(
            "quantum",
            "How many beads are enough?",
            "The same run is made with more and more beads, one after the other. When the kinetic energy no longer changes, "
            "there are enough. Each is an ordinary run that stays in the runs' folder.",
        )
        self._build()
        for changed in (self._series.changed, model.check_changed):
            changed.connect(self._show)
        model.state_changed.connect(lambda _: self._show())
        self.beadsEdit.textChanged.connect(lambda _: self._show())
        self.stepsBox.valueChanged.connect(lambda _: self._show())
        self._show()

    def beads(self) -> tuple[int, ...]:
        """Return the numbers of beads; empty where they cannot be read."""
        try:
            return parse_beads(self.beadsEdit.text())
        except UserError:
            return ()

    def start(self) -> None:
        """Start the series."""
        if self.beads():
            self._model.start_series(self.beads(), self.stepsBox.value())

    # --- what is shown -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        series, is_busy = self._series, self._series.is_busy
        beads = self.beads()
        restyle(self.beadsEdit, "invalid", not beads)
        is_ready = self._model.model is not None and self._model.structure is not None
        self.startButton.setVisible(not is_busy)
        self.startButton.setEnabled(bool(beads) and is_ready and not self._model.invalid())
        self.stopButton.setVisible(is_busy)
        self.stopButton.setEnabled(series.state is SeriesState.RUNNING)
        can_resume = (
            series.state in (SeriesState.STOPPED, SeriesState.FAILED) and series.current is not None
        )
        self.resumeButton.setVisible(can_resume)
        self.memberButton.setVisible(is_busy)
        for field in (self.beadsEdit, self.stepsBox):
            field.setEnabled(not is_busy)
        self.note.setText(self._note(beads))
        self.progress.setText(self._progress())
        self._show_points()

    def _note(self, beads: tuple[int, ...]) -> str:
        if not beads:
            return "Numbers of beads from 1 to 4096, at least two, such as 4, 8, 16, 32."
        if self._model.model is None or self._model.structure is None:
            return "Choose a model and a structure first."
        if wrong := self._model.invalid():
            return wrong
        total = sum(beads) * self.stepsBox.value()
        suggested = self._model.suggested_beads
        hint = f" The hint for these settings is {suggested} beads." if suggested else ""
        return f"{len(beads)} runs, {total:,} evaluations of the structure in all.{hint}"

    def _progress(self) -> str:
        series = self._series
        if series.state is SeriesState.EMPTY:
            return ""
        done, current = len(series.points), series.current
        text = f"{series.state.value}: {done} of {len(series.beads)} runs are done"
        if current is not None and series.job is not None:
            of_this = f"{series.job.progress.fraction:.0%}"
            text += f", {current} beads at {of_this}"
        return text + "."

    def _show_points(self) -> None:
        series = self._series
        has_points = bool(series.points)
        self.plot.setVisible(has_points)
        self._empty.setVisible(not has_points)
        self.plot.setPoints(list(series.points.values()), series.temperature)
        if series.problem:
            self.banner.show_("error", "The series has stopped", series.problem)
        elif has_points:
            verdict = series.verdict
            buttons: dict[str, Callable[[], object]] = {}
            if verdict.beads is not None and verdict.outcome is Outcome.CONVERGED:
                buttons = {f"Use {verdict.beads} beads": lambda: self._use(verdict.beads)}
            self.banner.show_(TONES[verdict.outcome], verdict.outcome.value, verdict.text, buttons)
        else:
            self.banner.hide()

    def _use(self, beads: int | None) -> None:
        self._model.set_values({**self._model.values, "beads": beads})
        self.left.emit()

    def _build(self) -> None:
        self.stepsBox.setRange(100, 100_000_000)
        self.stepsBox.setSingleStep(1000)
        self.stepsBox.setGroupSeparatorShown(True)
        self.stepsBox.setValue(DEFAULT_STEPS)
        self.stepsBox.setAccessibleName("Steps of each run")
        self.beadsEdit.setAccessibleName("Numbers of beads")
        fields = QGridLayout()
        fields.setHorizontalSpacing(3 * UNIT)
        fields.setVerticalSpacing(UNIT // 2)
        for column, (text, widget) in enumerate(
            {"Beads": self.beadsEdit, "Steps of each run": self.stepsBox}.items()
        ):
            name = label(text, "field")
            name.setBuddy(widget)
            fields.addWidget(name, 0, column)
            fields.addWidget(widget, 1, column)
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        for widget in (self.startButton, self.stopButton, self.resumeButton, self.memberButton):
            row.addWidget(widget)
        row.addWidget(self.progress, 1)
        card = Card("Number of beads")
        card.addHeadWidget(
            button("Back to settings", self.left.emit, role="flat", icon_name="left")
        )
        card.body.addLayout(fields)
        card.body.addWidget(self.note)
        card.body.addLayout(row)
        result = Card()
        result.body.addWidget(self.plot, 1)
        result.body.addWidget(self._empty, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(card)
        layout.addWidget(self.banner)
        layout.addWidget(result, 1)


def _demo() -> QWidget:
    from pathlib import Path

    from gui.demo import demo_session
    from gui.views.quantum.bead_plot import demo_points

    session = demo_session()
    model = QuantumModel(session.jobs, lambda: session.settings.runs_folder)
    model.set_model(Path("methanol.safetensors"))
    model.set_structure(Path("methanol.xyz"))
    model.series.points = {point.beads: point for point in demo_points()}
    model.series.beads, model.series.temperature = tuple(model.series.points), 300.0
    model.series.state = SeriesState.FINISHED
    panel = ConvergencePanel(model)
    panel._demo_session = session  # type: ignore[attr-defined]
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 800, 600)
