"""The table of frames: sorted by any column, walked by keys, fluent with a hundred thousand rows."""

from __future__ import annotations

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gui.core.datasets import SEVERITIES
from gui.theme import theme
from gui.viewmodels.frames import COLUMNS, FrameTableModel
from gui.views.common.icons import icon
from gui.views.data.marks import SEVERITY_ICONS, set_colour

__all__ = ["FrameTable"]

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 24
ARROW = 12  # px for the mark of the sorted column
PADDING = 22  # px beside the text of a cell


class FrameTable(QTableView):
    """Shows a `FrameTableModel`.

    Signals
    -------
    frame_picked
        The frame in the row that was chosen.
    """

    frame_picked = Signal(int)

    def __init__(self, model: FrameTableModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._frames = model
        self.setModel(model)
        self.setAccessibleName("Frames")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._set_up_headers()
        names = [column.name for column in COLUMNS]
        self.setItemDelegateForColumn(names.index("set"), _SetDelegate(self))
        self.setItemDelegateForColumn(names.index("finding"), _FindingDelegate(self))
        self.horizontalHeader().sectionClicked.connect(model.turn)
        model.modelReset.connect(self._arrange)
        self._arrange()

    def showFrame(self, frame: int) -> None:
        """Select the row of a frame and scroll to it; nothing where it is filtered away."""
        row = self._frames.row_of(frame)
        if row is None:
            self.clearSelection()
            return
        if row != self.currentIndex().row() or not self.selectionModel().hasSelection():
            index = self._frames.index(row, 0)
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def step(self, rows: int) -> None:
        """Go on by some rows, round the end."""
        n_rows = self._frames.rowCount()
        if n_rows:
            row = (self.currentIndex().row() + rows) % n_rows
            self.showFrame(self._frames.frame_at(row))

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Tell which frame is looked at."""
        super().currentChanged(current, previous)
        if current.isValid() and current.row() != previous.row():
            self.frame_picked.emit(self._frames.frame_at(current.row()))

    def _set_up_headers(self) -> None:
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(32)

    def _arrange(self) -> None:
        """Hide columns that say nothing; give the others the width of their longest text."""
        metrics, header = QFontMetrics(theme().font(10)), self.horizontalHeader()
        bold = QFontMetrics(theme().font(10, bold=True))
        for number, (column, is_shown) in enumerate(zip(COLUMNS, self._frames.shown_columns())):
            self.setColumnHidden(number, not is_shown)
            width = max(map(metrics.horizontalAdvance, self._frames.longest_texts(number)))
            title = bold.horizontalAdvance(column.title) + ARROW
            mark = 24 if column.name in ("set", "finding") else 0
            header.resizeSection(number, max(width + mark, title) + PADDING)


class _MarkDelegate(QStyledItemDelegate):
    """A mark, then the text."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        value = int(index.data(Qt.ItemDataRole.UserRole) or 0)
        shifted = QStyleOptionViewItem(option)
        super().paint(painter, shifted, index)
        box = QRectF(option.rect)
        mark = QRectF(box.left() + 6, box.center().y() - 5, 10, 10)
        self.paint_mark(painter, mark, value)

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        option.text = f"    {option.text}"

    def paint_mark(self, painter: QPainter, mark: QRectF, value: int) -> None:
        raise NotImplementedError


class _SetDelegate(_MarkDelegate):
    def paint_mark(self, painter: QPainter, mark: QRectF, value: int) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(set_colour(value))
        painter.drawEllipse(mark.adjusted(1, 1, -1, -1))
        painter.restore()


class _FindingDelegate(_MarkDelegate):
    def paint_mark(self, painter: QPainter, mark: QRectF, value: int) -> None:
        if value > 1:
            picture = icon(*SEVERITY_ICONS[SEVERITIES[value]])
            picture.paint(painter, mark.adjusted(-2, -2, 2, 2).toRect())


def _demo() -> QWidget:
    """Return a table of made-up frames."""
    from gui.demo.datasets import demo_dataset

    model = FrameTableModel()
    model.set_dataset(demo_dataset(20_000))
    return FrameTable(model)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 400)
