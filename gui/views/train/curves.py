"""How a training goes: four plots over the epochs."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QWidget

from gui.theme import UNIT
from gui.viewmodels.training_run import ENERGY, FORCES, TrainingRun
from gui.views.common.card import Card
from gui.views.common.live_plot import LivePlot

__all__ = ["Curves"]

TRAIN, VALID = "training", "validation"


class Curves(QWidget):
    """Loss, force error with the target, energy error, learning rate; they move along x together."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = LivePlot("Loss", "", "epoch")
        self.forces = LivePlot("Force error", "meV/Å", "epoch")
        self.energy = LivePlot("Energy error", "meV/atom", "epoch")
        self.rate = LivePlot("Learning rate", "", "epoch")
        self.plots = (self.loss, self.forces, self.energy, self.rate)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(UNIT)
        for number, plot in enumerate(self.plots):
            card = Card(margin=int(1.5 * UNIT))
            card.body.addWidget(plot)
            plot.setMinimumHeight(80)
            plot.setLog(True)
            grid.addWidget(card, *divmod(number, 2))
        for plot in self.plots[1:]:
            plot.link(self.loss)

    def bind(self, run: TrainingRun) -> None:
        """Draw the curves of a run from now on."""
        for plot, name in ((self.loss, "loss"), (self.forces, FORCES), (self.energy, ENERGY)):
            plot.bind(run.series, {TRAIN: f"train_{name}", VALID: f"valid_{name}"})
        self.rate.bind(run.series, {"learning rate": "learning_rate"})
        self.show_target(run.target)

    def show_target(self, target: float | None) -> None:
        """Draw the force error that should be reached."""
        self.forces.setTarget(target)


def _demo() -> QWidget:
    from gui.demo.training import demo_run

    made = Curves()
    made.setObjectName("canvas")
    run = demo_run()
    run.force_rms = 1.31
    run.setParent(made)
    made.bind(run)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 760, 480)
