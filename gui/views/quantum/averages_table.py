"""Means of the ring polymers by element, with errors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtWidgets import QHeaderView, QSizePolicy, QTableView, QWidget

from gui.core.wording import measured
from gui.viewmodels.quantum_run import ALL, Averages, QuantumRun
from gui.views.common.clock import clock
from nequip_openmm.runs.progress import Throttle

__all__ = ["AveragesModel", "AveragesTable"]

Index = QModelIndex | QPersistentModelIndex
HEADINGS = {
    "Atoms": "Element and how many atoms of it",
    "K virial / meV": "Centroid-virial estimator of the kinetic energy of an atom",
    "K primitive / meV": "Primitive estimator; its mean shows errors of the time step first",
    "r gyration / Å": "Mean size of a ring polymer",
}
EVERY_S = 1.0
ROW_HEIGHT = 28
MOST_ROWS = 5  # that are seen without scrolling


class AveragesModel(QAbstractTableModel):
    """Rows of `Averages`."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[str, ...]] = []

    def set_averages(self, averages: list[Averages]) -> None:
        """Show other means."""
        rows = [_row(one) for one in averages]
        if len(rows) != len(self._rows):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        elif rows != self._rows:
            self._rows = rows
            last = self.index(len(rows) - 1, len(HEADINGS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (as Qt declares it)
        """Return the number of groups of atoms."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of quantities."""
        return 0 if parent.isValid() else len(HEADINGS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return a heading, or what it means."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return list(HEADINGS)[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return list(HEADINGS.values())[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


class AveragesTable(QTableView):
    """The table; it keeps itself up to date."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: QuantumRun | None = None
        self._is_due = Throttle(EVERY_S)
        self._model = AveragesModel()
        self.setModel(self._model)
        self.setAccessibleName("Averages by element")
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self._fit()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        clock().register(self)

    def setRun(self, run: QuantumRun | None) -> None:
        """Show another run."""
        self._run = run
        self._model.set_averages([])

    def sizeHint(self) -> QSize:
        """Ask for room for all rows."""
        return QSize(super().sizeHint().width(), self.maximumHeight())

    def refresh(self) -> None:
        """Take new means once a second; the clock calls this."""
        if self._run is not None and self._is_due():
            self._model.set_averages(self._run.averages())
            self._fit()

    def _fit(self) -> None:
        """Take no more room than the rows need, and less where there is little."""
        head = self.horizontalHeader().sizeHint().height() + 4
        rows = min(max(self._model.rowCount(), 2), MOST_ROWS)
        self.setMaximumHeight(head + rows * ROW_HEIGHT)
        self.setMinimumHeight(head + 2 * ROW_HEIGHT)
        self.updateGeometry()


def _row(one: Averages) -> tuple[str, ...]:
    name = "All" if one.element == ALL else one.element
    return (
        f"{name}  ({one.n_atoms})",
        measured(one.virial.value, one.virial.error),
        measured(one.primitive.value, one.primitive.error),
        measured(one.gyration.value, one.gyration.error),
    )


def _demo() -> QWidget:
    from gui.demo.path_integral import finished_run

    table = AveragesTable()
    table.setRun(finished_run(table))
    return table


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 240)
