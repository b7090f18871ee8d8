"""Curves of a path-integral run: potential, temperature, drift, sizes of ring polymers, pressure and volume."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.viewmodels.quantum_run import QuantumRun
from gui.views.common.live_plot import LivePlot

__all__ = ["CurvesPanel", "PlotCard"]

PLOT_HEIGHT = 18 * UNIT  # at least


class PlotCard(QFrame):
    """A plot on a surface.

    Parameters
    ----------
    pick
        Returns which columns are drawn of those that there are: name of the curve to column.
    """

    def __init__(
        self,
        title: str,
        unit: str,
        pick: Callable[[tuple[str, ...]], dict[str, str]],
        *,
        has_statistics: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.plot = LivePlot(title, unit, "time / ps")
        self.plot.setStatistics(has_statistics)
        self.plot.setMinimumHeight(PLOT_HEIGHT)
        self._pick = pick
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, UNIT + 4, UNIT + 4, UNIT)
        layout.addWidget(self.plot, 1)

    def bind(self, run: QuantumRun) -> bool:
        """Draw a run's columns; return whether it has any for this plot."""
        chosen = {} if run.series is None else self._pick(run.series.columns)
        if chosen and run.series is not None:
            self.plot.bind(run.series, chosen)
        return bool(chosen)


class CurvesPanel(QWidget):
    """All curves in a grid, moving together along the time; plots without data are left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: QuantumRun | None = None
        self.cards = {
            "drift": PlotCard("Energy drift", "meV/atom", _only("drift")),
            "potential": PlotCard(
                "Potential energy", "eV", _only("potential"), has_statistics=True
            ),
            "temperature": PlotCard("Temperature", "K", _only("temperature"), has_statistics=True),
            "gyration": PlotCard("Radius of gyration", "Å", _by_element),
            "pressure": PlotCard("Pressure", "bar", _only("pressure"), has_statistics=True),
            "volume": PlotCard("Volume", "Å³", _only("volume"), has_statistics=True),
        }
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(UNIT)
        first = next(iter(self.cards.values()))
        for card in self.cards.values():
            if card is not first:
                card.plot.link(first.plot)
        self._arrange(["drift", "potential", "temperature", "gyration"])

    def setRun(self, run: QuantumRun | None) -> None:
        """Show another run."""
        self._run = run
        for card in self.cards.values():
            card.plot.clear()
        if run is not None:
            run.rows_read.connect(self._on_rows)
            run.restarted.connect(self._bind)
            self._bind()

    def plots(self) -> dict[str, LivePlot]:
        """Return the plots by name, for export."""
        return {name: card.plot for name, card in self.cards.items() if card.isVisibleTo(self)}

    def _on_rows(self) -> None:
        run = self._run
        if run is not None and self.cards["potential"].plot.series() is not run.series:
            self._bind()

    def _bind(self, *_: object) -> None:
        run = self._run
        if run is None or run.series is None:
            return
        self._arrange([name for name, card in self.cards.items() if card.bind(run)])
        holds = run.spec.get("mode") != "rpmd"
        self.cards["temperature"].plot.setTarget(run.temperature if holds else None)
        if run.spec.get("mode") == "npt":
            self.cards["pressure"].plot.setTarget(run.spec.get("pressure"))

    def _arrange(self, names: list[str]) -> None:
        for name, card in self.cards.items():
            card.setVisible(name in names)
            self._grid.removeWidget(card)
        for index, name in enumerate(names):
            self._grid.addWidget(self.cards[name], index // 2, index % 2)


def _only(column: str) -> Callable[[tuple[str, ...]], dict[str, str]]:
    return lambda columns: {column: column} if column in columns else {}


def _by_element(columns: tuple[str, ...]) -> dict[str, str]:
    names = [column for column in columns if column.startswith("r_gyration(")]
    return {name[len("r_gyration(") : -1]: name for name in names}


def _demo() -> QWidget:
    from gui.demo.path_integral import finished_run

    panel = CurvesPanel()
    panel.setRun(finished_run(panel, is_periodic=True))
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 640)
