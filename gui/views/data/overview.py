"""An open data set: facts, findings, frames, distributions, one frame in 3D, and how it is divided."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from gui.core.datasets import OpenDataset
from gui.viewmodels.dataset import DatasetModel
from gui.viewmodels.frames import FrameTableModel
from gui.views.common.buttons import button
from gui.views.common.labels import Elided
from gui.views.data.filter_bar import FilterBar
from gui.views.data.findings_list import FindingsList
from gui.views.data.frame_table import FrameTable
from gui.views.data.frame_view import FrameView
from gui.views.data.histogram_panel import HistogramPanel
from gui.views.data.split_editor import SplitEditor
from gui.views.data.summary_strip import SummaryStrip

__all__ = ["Overview"]


class Overview(QWidget):
    """Joins the parts to a `DatasetModel`.

    Signals
    -------
    mapping_wanted
        Names or units are to be given.
    continued
        On to training.
    inspected
        A frame is to be shown beside the page.
    """

    mapping_wanted = Signal()
    continued = Signal()
    inspected = Signal(int)

    def __init__(self, model: DatasetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.title = Elided("", "title", Qt.TextElideMode.ElideMiddle)
        self.summary, self.findings = SummaryStrip(), FindingsList()
        self.filters, self.histograms = FilterBar(), HistogramPanel()
        self.rows = FrameTableModel(self)
        self.table, self.frame = FrameTable(self.rows), FrameView()
        self.split = SplitEditor()
        self._build()
        self._connect_model()
        self._connect_parts()

    # --- from the model

    def _connect_model(self) -> None:
        self._model.dataset_changed.connect(self._show_dataset)
        self._model.split_changed.connect(self._show_split)
        self._model.filters_changed.connect(self._show_filters)
        self._model.frame_changed.connect(self._show_frame)

    def _show_dataset(self) -> None:
        dataset = self._model.dataset
        self.frame.clear()
        if dataset is None:
            self.rows.set_dataset(None)
            return
        self.title.setText(dataset.path.name)
        self.summary.setDataset(dataset)
        self.findings.setFindings(dataset.findings)
        self.histograms.setDataset(dataset)
        self.rows.set_dataset(dataset)
        self.split.setDataset(dataset)
        self._show_filters()
        self._model.show_frame(0)

    def _show_split(self) -> None:
        if (dataset := self._model.dataset) is not None:
            self.rows.set_dataset(dataset)
            self.split.setDataset(dataset)
            self._show_frame(self._model.frame)

    def _show_filters(self) -> None:
        model, dataset = self._model, self._model.dataset
        if dataset is None:
            return
        self.rows.set_mask(model.mask)
        self.histograms.setPicked(model.filters.bins)
        self.histograms.setShown(dataset, model.mask)
        self.findings.setPicked(model.filters.finding)
        self.filters.setShown(self.rows.rowCount(), dataset.n_frames, model.filters.texts(dataset))
        self._keep_in_view(dataset)

    def _keep_in_view(self, dataset: OpenDataset) -> None:
        """Look at a frame that is shown: the one before if it still is, else the first."""
        if self.rows.row_of(self._model.frame) is not None:
            self.table.showFrame(self._model.frame)
        elif self.rows.rowCount():
            self._model.show_frame(self.rows.frame_at(0))

    def _show_frame(self, frame: int) -> None:
        if (dataset := self._model.dataset) is not None:
            self.frame.showFrame(dataset, frame)
            self.table.showFrame(frame)

    # --- from the parts

    def _connect_parts(self) -> None:
        model = self._model
        self.table.frame_picked.connect(self._look_at)
        self.table.activated.connect(
            lambda index: self.inspected.emit(self.rows.frame_at(index.row()))
        )
        self.rows.modelReset.connect(self._keep_row)
        self.frame.step_wanted.connect(self.table.step)
        self.histograms.picked.connect(self._pick_bins)
        self.findings.picked.connect(lambda n: model.pick_finding(n if n >= 0 else None))
        self.findings.mapping_wanted.connect(self.mapping_wanted)
        self.filters.dropped.connect(model.drop_filter)
        self.filters.cleared.connect(model.clear_filters)
        self.split.changed.connect(lambda changes: model.change_split(**changes))
        self.split.set_picked.connect(model.pick_set)
        self.split.continued.connect(self.continued)

    def _keep_row(self) -> None:
        """Rows were sorted or filtered anew: the frame that is looked at is in another one."""
        self.table.showFrame(self._model.frame)

    def _look_at(self, frame: int) -> None:
        if frame != self._model.frame:
            self._model.show_frame(frame)

    def _pick_bins(self, name: str, first: int, last: int) -> None:
        self._model.pick_bins(name, *((first, last) if first >= 0 else (None, None)))

    # ---

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        head.addWidget(button("Names and units…", self.mapping_wanted.emit))
        head.addWidget(button("Close", self._model.close))
        self.filters.addWidget(self.histograms.log)
        both, left = QSplitter(Qt.Orientation.Horizontal), QWidget()
        both.addWidget(self.table)
        both.addWidget(self.histograms)
        both.setSizes([384, 224])
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.filters)
        column.addWidget(both, 1)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.addWidget(left)
        middle.addWidget(self.frame)
        middle.setSizes([624, 264])
        for splitter in (both, middle):
            splitter.setHandleWidth(16)
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.summary)
        layout.addWidget(self.findings)
        layout.addWidget(middle, 1)
        layout.addWidget(self.split)


def _demo() -> QWidget:
    """Return an overview of a made-up data set."""
    from gui.demo.datasets import demo_dataset

    model = DatasetModel()
    view = Overview(model)
    view.setObjectName("canvas")
    model.take(demo_dataset(5000))
    return view


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
