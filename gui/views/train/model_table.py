"""The models that a training saved: the best, marked, those that were the best before it, and the last."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from gui.viewmodels.training_run import ENERGY, FORCES, TrainingRun
from gui.views.common.icons import icon

__all__ = ["ModelRows", "ModelTable"]

COLUMNS = ("Epoch", "Force error / meV/Å", "Energy error / meV/atom", "Loss", "Saved as")
Index = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()


class ModelRows(QAbstractTableModel):
    """Epochs that were the best until then, newest first, below the last epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[dict[str, Any]] = []
        self._best = self._last = 0

    def show_(self, run: TrainingRun) -> None:
        """Take the epochs of a run."""
        best, last = int(run.best.get("epoch", 0)), int(run.row.get("epoch", 0))
        if (best, last, len(run.improvements)) == (self._best, self._last, len(self._rows)):
            return
        self.beginResetModel()
        self._best, self._last = best, last
        self._rows = list(reversed(run.improvements))
        if run.row and last != best:
            self._rows.insert(0, run.row)
        self.endResetModel()

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        """Return the number of epochs."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = NO_PARENT) -> int:
        """Return the number of columns."""
        return len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the titles."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        row = self._rows[index.row()]
        is_best = row["epoch"] == self._best
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0 and is_best:
            return icon("star", "warn")
        if role == Qt.ItemDataRole.FontRole and is_best:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def _text(self, row: dict[str, Any], column: int) -> str:
        if column == 0:
            return f"{row['epoch']:,}{'  best' if row['epoch'] == self._best else ''}"
        if column == 4:
            return self._file(row)
        value = row.get((f"valid_{FORCES}", f"valid_{ENERGY}", "valid_loss")[column - 1])
        return "" if value is None else f"{value:.3g}"

    def _file(self, row: dict[str, Any]) -> str:
        files = []
        if row["epoch"] == self._best:
            files.append("model.safetensors, best.ckpt")
        if row["epoch"] == self._last:
            files.append("last.ckpt")
        return ", ".join(files) or "replaced by a better one"


class ModelTable(QTableView):
    """Shows `ModelRows`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ModelRows()
        self.setModel(self.rows)
        self.setAccessibleName("Models of this training")
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(32)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)


def _demo() -> QWidget:
    from gui.demo.training import demo_run

    made = ModelTable()
    made.rows.show_(demo_run())
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 320)
