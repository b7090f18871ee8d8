"""Four histograms side by side that narrow each other."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QVBoxLayout, QWidget

from gui.core.datasets import OpenDataset
from gui.views.data.histogram import HistogramView

__all__ = ["HistogramPanel"]

Bins = tuple[int, int]


class HistogramPanel(QWidget):
    """Distributions of a data set; what is picked in one is shown in all.

    Attributes
    ----------
    log
        Check box for logarithmic counts, to be put beside the panel.

    Signals
    -------
    picked
        Name of the histogram, first and last bin; (-1, -1) undoes the choice.
    """

    picked = Signal(str, int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: dict[str, HistogramView] = {}
        self.log = QCheckBox("log")
        self.log.setToolTip("Logarithm of counts: single frames stand out")
        self.log.toggled.connect(self._set_log)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._grid, 1)

    def views(self) -> Mapping[str, HistogramView]:
        """Return the histograms by the name of what they show."""
        return self._views

    def setDataset(self, dataset: OpenDataset) -> None:
        """Show the distributions of a data set."""
        for view in self._views.values():
            self._grid.removeWidget(view)
            view.deleteLater()
        self._views = {name: HistogramView(h) for name, h in dataset.histograms.items()}
        for number, (name, view) in enumerate(self._views.items()):
            view.setLog(self.log.isChecked())
            view.picked.connect(lambda first, last, name=name: self.picked.emit(name, first, last))
            self._grid.addWidget(view, number // 2, number % 2)

    def setPicked(self, bins: Mapping[str, Bins]) -> None:
        """Mark what is picked in each."""
        for name, view in self._views.items():
            view.setPicked(bins.get(name))

    def setShown(self, dataset: OpenDataset, mask: object) -> None:
        """Show the frames of a mask in front of all; None: all."""
        for name, view in self._views.items():
            view.setPart(None if mask is None else dataset.counts_of(name, mask))  # type: ignore[arg-type]

    def _set_log(self, is_log: bool) -> None:
        for view in self._views.values():
            view.setLog(is_log)


def _demo() -> QWidget:
    """Return histograms of made-up data, some of them picked."""
    from gui.demo.datasets import demo_dataset

    panel, dataset = HistogramPanel(), demo_dataset(2000)
    panel.setDataset(dataset)
    panel.setPicked({"force_norms": (10, 20)})
    panel.setShown(dataset, dataset.within("force_norms", 10, 20))
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 420, 320)
