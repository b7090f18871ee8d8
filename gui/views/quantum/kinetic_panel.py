"""Kinetic energies of an atom by both estimators: as they come, or as running means with errors."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.core.wording import measured
from gui.theme import UNIT, theme
from gui.viewmodels.quantum_run import ALL, QuantumRun
from gui.views.common.clock import clock
from gui.views.common.live_plot import LivePlot
from gui.views.common.segmented import SegmentedControl
from gui.views.quantum.band_plot import BandPlot, heading
from nequip_openmm.runs.progress import Throttle

__all__ = ["KineticPanel"]

ESTIMATORS = {"kinetic_cv": ("virial", "curve1"), "kinetic_td": ("primitive", "curve2")}
MIN_HEIGHT = 24 * UNIT
EVERY_S = 1.0  # running means, whose errors take a while


class KineticPanel(QFrame):
    """Both estimators should agree within their errors; if they do not, the time step is too long."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(MIN_HEIGHT)
        self._run: QuantumRun | None = None
        self._is_due = Throttle(EVERY_S)
        self.elementBox = QComboBox()
        self.elementBox.setAccessibleName("Atoms whose kinetic energy is shown")
        self.elementBox.setToolTip("Whose kinetic energy is shown")
        self.viewControl = SegmentedControl(
            {"mean": "Mean", "samples": "Samples"}, "Kinetic energy as"
        )
        self.samples = LivePlot("", "meV", "time / ps")
        self.running = BandPlot("", "", "time / ps")
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.legend.setToolTip(
            "Kinetic energy of an atom by the centroid-virial and the primitive estimator, with errors; "
            "both agree where the time step is short enough"
        )
        self._build()
        self.elementBox.currentIndexChanged.connect(self._bind)
        self.viewControl.chosen.connect(self._choose_view)
        theme().changed.connect(self._tell_means)
        clock().register(self)
        self._choose_view("mean")

    def setRun(self, run: QuantumRun | None) -> None:
        """Show another run."""
        self._run = run
        self.elementBox.clear()
        self.elementBox.addItem("All atoms", ALL)
        self.samples.clear()
        self.running.clear()
        self.legend.clear()
        if run is not None:
            run.rows_read.connect(self._on_rows)
            run.restarted.connect(self._bind)
            self._bind()

    def hasHeightForWidth(self) -> bool:
        """Take the height that is left: the legend may wrap, but it must not set the height of the plot."""
        return False

    def element(self) -> str:
        """Return the element that is shown, or ``ALL``."""
        return self.elementBox.currentData() or ALL

    def refresh(self) -> None:
        """Draw running means once in a while; the clock calls this."""
        if self._is_due():
            self.draw_means()

    def draw_means(self) -> None:
        """Draw running means and tell the means now."""
        run = self._run
        if run is None or run.series is None or "kinetic_cv" not in run.series.columns:
            return
        for name, (word, token) in ESTIMATORS.items():
            found = run.running(name, self.element())
            self.running.setBand(word, token, found.x, found.mean, found.error)
        self._tell_means()

    def _on_rows(self) -> None:
        if self.elementBox.count() == 1 and self._run is not None:
            for symbol in self._run.elements:
                self.elementBox.addItem(symbol, symbol)

    def _bind(self, *_: object) -> None:
        run = self._run
        if run is None or run.series is None:
            return
        suffix = "" if self.element() == ALL else f"({self.element()})"
        columns = {f"{name}{suffix}": word for name, (word, _) in ESTIMATORS.items()}
        known = {word: column for column, word in columns.items() if column in run.series.columns}
        if known:
            self.samples.bind(run.series, known)
        for plot in (self.samples, self.running):
            plot.setTarget(run.classical)
        self.draw_means()

    def _tell_means(self) -> None:
        run = self._run
        if run is None or run.series is None:
            return
        one = next((one for one in run.averages() if one.element == self.element()), None)
        if one is None:
            return
        means = {"kinetic_cv": one.virial, "kinetic_td": one.primitive}
        parts = [
            f"<span style='color:{theme().token(token)}'>━</span>&nbsp;{word}&nbsp;<b>{measured(means[name].value, means[name].error).replace(' ', '&nbsp;')}</b>"
            for name, (word, token) in ESTIMATORS.items()
        ]
        parts.append(
            f"<span style='color:{theme().token('target')}'>╌╌</span>&nbsp;classical&nbsp;{run.classical:.1f}"
        )
        self.legend.setText(" &nbsp; ".join(parts))

    def _choose_view(self, name: str) -> None:
        self.samples.setVisible(name == "samples")
        self.running.setVisible(name == "mean")

    def _build(self) -> None:
        for word, token in ESTIMATORS.values():
            self.samples.addCurve(word, token)
        head = heading("Kinetic energy", "meV/atom")
        head.addWidget(self.viewControl)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, UNIT + 4, UNIT + 4, UNIT)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(head)
        layout.addWidget(self.samples, 1)
        layout.addWidget(self.running, 1)
        foot = QHBoxLayout()
        foot.setSpacing(UNIT)
        foot.addWidget(self.legend, 1)
        foot.addWidget(self.elementBox)
        layout.addLayout(foot)


def _demo() -> QWidget:
    from gui.demo.path_integral import finished_run

    panel = KineticPanel()
    panel.setRun(finished_run(panel))
    panel._on_rows()
    panel._bind()
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 320)
