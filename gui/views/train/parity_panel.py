"""Parity plots of energies and forces, errors by element; for the best model of the moment."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gui.core.comparison import Scatter
from gui.core.fields import get_value
from gui.theme import UNIT
from gui.viewmodels.parity import SETS, Parity
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.empty_state import EmptyState
from gui.views.common.labels import label
from gui.views.common.segmented import SegmentedControl
from gui.views.train.parity_plot import ParityPlot

__all__ = ["ParityPanel"]


class ParityPanel(QWidget):
    """Shows a `Parity`; says when it can be seen, so that nothing is computed for nobody.

    Signals
    -------
    frame_shown
        A frame for the inspector.
    """

    frame_shown = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parity: Parity | None = None
        self.sets = SegmentedControl(SETS, "Frames")
        self.status = label("", "muted")
        self.worst = button(
            "Show the worst frame", self.show_worst, role="flat", icon_name="search"
        )
        self.energies = ParityPlot("Energy per atom", "eV/atom")
        self.forces = ParityPlot("Force components", "eV/Å")
        self.empty = EmptyState(
            "chart", "No comparison yet", "It is made as soon as there is a model."
        )
        self._stack = QStackedWidget()
        self._build()
        self.sets.chosen.connect(self._choose)
        self.energies.point_clicked.connect(lambda point: self._show_point(self.energies, point))
        self.forces.point_clicked.connect(lambda point: self._show_point(self.forces, point))

    def bind(self, parity: Parity) -> None:
        """Show the comparisons of a run from now on."""
        self.parity = parity
        self.sets.setValue(parity.which)
        parity.changed.connect(self.refresh)
        parity.run.changed.connect(self._show_status)
        if self.isVisible():
            parity.watch(True)
        self.refresh()

    def refresh(self) -> None:
        """Draw what is known now."""
        if self.parity is None:
            return
        comparison = self.parity.comparison
        self.energies.show_(comparison.energies if comparison else None)
        self.forces.show_(comparison.forces if comparison else None)
        self._stack.setCurrentIndex(1 if comparison else 0)
        self.worst.setVisible(comparison is not None)
        for which in SETS:
            has = self.parity.has_set(which)
            self.sets.setChoiceEnabled(which, has, "" if has else "This run has no such frames")
        self._show_status()

    def show_worst(self) -> None:
        """Go to the frame with the largest error of a force."""
        scatter = self.forces.scatter
        point = scatter.worst() if scatter is not None else None
        if point is not None:
            self.forces.mark(point)
            self._show_point(self.forces, point)

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Someone looks: compare."""
        super().showEvent(event)
        if self.parity is not None:
            self.parity.watch(True)

    def hideEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Nobody looks."""
        super().hideEvent(event)
        if self.parity is not None:
            self.parity.watch(False)

    def _show_status(self) -> None:
        parity = self.parity
        if parity is None:
            return
        if parity.is_busy:
            text = "comparing…"
        elif parity.failure:
            text = f"✕ {parity.failure.get('title', '')}"
        elif parity.comparison is not None:
            text = f"{len(parity.comparison):,} frames, model of epoch {parity.epoch:,}"
        else:
            text = ""
        self.status.setText(text)
        busy = "The best model of the moment is being compared with the labels."
        self.empty.text.setText(
            busy if parity.is_busy else str(parity.failure.get("title") or WAITING)
        )

    def _choose(self, which: str) -> None:
        if self.parity is not None:
            self.parity.choose(which)

    def _show_point(self, plot: ParityPlot, point: int) -> None:
        comparison = self.parity.comparison if self.parity is not None else None
        scatter: Scatter | None = plot.scatter
        if comparison is None or scatter is None:
            return
        path = get_value(self.parity.run.settings, "data.path", "")  # type: ignore[union-attr]
        frame, atom = int(scatter.frame[point]), int(scatter.atom[point])
        self.frame_shown.emit(comparison.frame(frame, atom, Path(path).name))

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(2 * UNIT)
        top.addWidget(self.sets)
        top.addWidget(self.status, 1)
        top.addWidget(self.worst)
        plots = QWidget()
        row = QHBoxLayout(plots)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT)
        for plot in (self.energies, self.forces):
            card = Card(margin=int(1.5 * UNIT))
            card.body.addWidget(plot)
            row.addWidget(card, 1)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(plots)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(top)
        layout.addWidget(self._stack, 1)


WAITING = "It is made as soon as there is a model: after the first epoch."


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.training import demo_comparison, demo_run

    made = ParityPanel()
    made.setObjectName("canvas")
    run = demo_run()
    parity = Parity(demo_session(), run, made)
    parity.comparison, parity.epoch = demo_comparison(), 110
    run.setParent(made)
    made.bind(parity)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 760, 440)
