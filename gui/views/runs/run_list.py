"""The table of runs."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gui.jobs.states import JobState
from gui.theme import theme
from gui.viewmodels.run_table import Column, RunFilter
from gui.views.common.badge import LOOKS
from gui.views.common.icons import icon

__all__ = ["RunList"]

Index = QModelIndex | QPersistentModelIndex

_ROW_HEIGHT = 36
_WIDTHS = {
    Column.NAME: 232,  # "train-20261121-080156": runs of one hour differ at its end
    Column.KIND: 124,
    Column.STATE: 104,
    Column.PROGRESS: 88,
    Column.STARTED: 124,
}
_KIND_ICONS = {"train": "train", "md": "simulate", "pimd": "quantum"}


class RunList(QTableView):
    """Shows runs; a double click or Return opens one, Space ticks it, Delete throws it away.

    Parameters
    ----------
    model
        The runs, filtered.
    """

    currentRunChanged = Signal(object)
    """The folder of the run that is looked at, or None."""
    opened = Signal(object)
    """The folder of a run that should be shown on its page."""
    trashAsked = Signal()
    """The selected runs should go."""

    def __init__(self, model: RunFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filter = model
        self._wanted: Path | None = None
        self.setModel(model)
        self.setAccessibleName("Runs")
        self.setItemDelegate(_RunDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.STARTED, Qt.SortOrder.DescendingOrder)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        self._set_widths()
        self.doubleClicked.connect(self._open)
        self.selectionModel().currentRowChanged.connect(self._tell_current)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)

    def folders(self) -> list[Path]:
        """Return the runs that are selected."""
        return [self._filter.run(index).folder for index in self.selectionModel().selectedRows()]

    def current(self) -> Path | None:
        """Return the run that is looked at."""
        index = self.currentIndex()
        return self._filter.run(index).folder if index.isValid() else None

    def select(self, folder: Path) -> None:
        """Look at a run, if it is shown."""
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, Column.NAME)
            if self._filter.run(index).folder == folder:
                self.setCurrentIndex(index)
                return

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open, tick or throw away."""
        index = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self._open(index)
        elif event.key() == Qt.Key.Key_Delete:
            self.trashAsked.emit()
        elif event.key() == Qt.Key.Key_Space and index.isValid():
            self._toggle(index.siblingAtColumn(Column.NAME))
        else:
            super().keyPressEvent(event)

    def _toggle(self, index: QModelIndex) -> None:
        role = Qt.ItemDataRole.CheckStateRole
        is_on = Qt.CheckState(index.data(role)) == Qt.CheckState.Checked
        self._filter.setData(
            index, Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked, role
        )

    def _open(self, index: QModelIndex) -> None:
        self.opened.emit(self._filter.run(index).folder)

    def _tell_current(self, index: QModelIndex, _previous: QModelIndex) -> None:
        self.currentRunChanged.emit(self._filter.run(index).folder if index.isValid() else None)

    def _remember(self) -> None:
        self._wanted = self.current()

    def _restore(self) -> None:
        if self._wanted is not None:
            self.select(self._wanted)
        if not self.currentIndex().isValid() and self._filter.rowCount():
            self.setCurrentIndex(self._filter.index(0, Column.NAME))

    def _set_widths(self) -> None:
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(Column.RESULT, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(64)


class _RunDelegate(QStyledItemDelegate):
    """Puts icons beside kind and state, and a bar behind the progress of runs that are at work."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Colour a cell by what it says."""
        super().initStyleOption(option, index)
        run = index.model().run(index)  # type: ignore[attr-defined]
        token = "text" if index.column() == Column.NAME else "muted"
        if index.column() == Column.STATE:
            name, token = LOOKS[JobState[run.state]]
            self._add_icon(option, name, token)
        elif index.column() == Column.KIND:
            self._add_icon(option, _KIND_ICONS.get(run.kind, "runs"), "muted")
        elif index.column() == Column.RESULT:
            token = "error" if run.state == "FAILED" and not run.figures else "text"
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
            option.palette.setColor(role, theme().colour(token))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a cell."""
        super().paint(painter, option, index)
        run = index.model().run(index)  # type: ignore[attr-defined]
        if index.column() != Column.PROGRESS or not run.is_alive or not run.total:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        cell = QRectF(option.rect).adjusted(10, 0, -10, -6)
        track = QRectF(cell.left(), cell.bottom() - 3, cell.width(), 3)
        painter.setBrush(theme().colour("sunken"))
        painter.drawRoundedRect(track, 1.5, 1.5)
        painter.setBrush(theme().colour("accent"))
        track.setWidth(track.width() * min(run.done / run.total, 1.0))
        painter.drawRoundedRect(track, 1.5, 1.5)
        painter.restore()

    @staticmethod
    def _add_icon(option: QStyleOptionViewItem, name: str, token: str) -> None:
        option.icon = icon(name, token, token)
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
        option.decorationSize = option.decorationSize.scaled(
            16, 16, Qt.AspectRatioMode.IgnoreAspectRatio
        )


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.runs import demo_runs
    from gui.viewmodels.run_table import RunTable

    session = demo_session()
    made = RunList(RunFilter(RunTable(demo_runs(session), session), session))
    session.setParent(made)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 1000, 420)
