"""The list of runs as a table that can be sorted and filtered."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from gui.core.run_summary import RunSummary
from gui.viewmodels.runs import Runs

__all__ = ["KINDS", "Column", "RunFilter", "RunTable", "SortRole", "date_text"]

Index = QModelIndex | QPersistentModelIndex
SortRole = Qt.ItemDataRole.UserRole
RunRole = Qt.ItemDataRole.UserRole + 1
"""The `RunSummary` of a row."""

KINDS = {"train": "Training", "md": "Simulation", "pimd": "Quantum"}
_GROUPS = {
    "all": lambda run: True,
    "running": lambda run: run.is_alive,
    "finished": lambda run: run.state == "FINISHED",
    "ended early": lambda run: run.state in ("STOPPED", "FAILED", "LOST"),
}


class Column(IntEnum):
    """Columns, from left to right."""

    NAME = 0
    KIND = 1
    STATE = 2
    RESULT = 3
    PROGRESS = 4
    STARTED = 5


_TITLES = ("Name", "Kind", "State", "Result", "Progress", "Started")


class RunTable(QAbstractTableModel):
    """All runs; the name has a box to tick for comparing.

    Parameters
    ----------
    runs
        Whose runs.
    """

    def __init__(self, runs: Runs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self._rows: list[RunSummary] = []
        runs.changed.connect(self._update)
        self._update()

    def run(self, row: int) -> RunSummary:
        """Return the run of a row."""
        return self._rows[row]

    def row_of(self, folder: Path) -> int:
        """Return the row of a run, -1 if it is not there."""
        return next((row for row, run in enumerate(self._rows) if run.folder == folder), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return how many runs there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return the titles of the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        """Return what is shown, sorted by, told."""
        run, column = self._rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(run, column)
        if role == SortRole:
            return _sort_key(run, column)
        if role == RunRole:
            return run
        if role == Qt.ItemDataRole.CheckStateRole and column is Column.NAME:
            is_ticked = self._runs.is_ticked(run.folder)
            return Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(run, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{_TITLES[column]}: {_text(run, column)}"
        return None

    def setData(self, index: Index, value: Any, role: int = 0) -> bool:
        """Tick or untick a run."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != Column.NAME:
            return False
        is_on = Qt.CheckState(value) == Qt.CheckState.Checked
        self._runs.tick(self._rows[index.row()].folder, is_on)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Say what can be done with a cell."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == Column.NAME:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def _update(self) -> None:
        """Take the new list; where only figures have changed the rows stay, and with them what is selected."""
        new = self._runs.summaries()
        if [run.folder for run in new] == [run.folder for run in self._rows]:
            self._rows = new
            if new:
                self.dataChanged.emit(self.index(0, 0), self.index(len(new) - 1, len(Column) - 1))
            return
        self.beginResetModel()
        self._rows = new
        self.endResetModel()


class RunFilter(QSortFilterProxyModel):
    """Rows whose name, kind, state or result contain all words of a text, of a kind and a group of states."""

    def __init__(self, table: RunTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: list[str] = []
        self._kind = self._group = "all"
        self.setSourceModel(table)
        self.setSortRole(SortRole)
        self.sort(Column.STARTED, Qt.SortOrder.DescendingOrder)

    def set_text(self, text: str) -> None:
        """Show rows that contain these words."""
        self._words = text.lower().split()
        self.invalidate()

    def set_kind(self, kind: str) -> None:
        """Show runs of a kind, or ``"all"``."""
        self._kind = kind
        self.invalidate()

    def set_group(self, group: str) -> None:
        """Show ``"all"``, ``"running"``, ``"finished"`` runs or those that ``"ended early"``."""
        self._group = group
        self.invalidate()

    def run(self, index: Index) -> RunSummary:
        """Return the run of a row."""
        return index.data(RunRole)

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Return whether a row is shown."""
        table = self.sourceModel()
        if not isinstance(table, RunTable):
            return True
        run = table.run(row)
        if self._kind not in ("all", run.kind) or not _GROUPS[self._group](run):
            return False
        text = " ".join(_text(run, column) for column in Column).lower()
        return all(word in text for word in self._words)


def date_text(seconds: float) -> str:
    """Return a date in as few words as tell it."""
    then, now = datetime.fromtimestamp(seconds), datetime.now()
    if then.date() == now.date():
        return f"{then:%H:%M}"
    if then.year == now.year:
        return f"{then.day} {then:%b, %H:%M}"
    return f"{then:%Y-%m-%d}"


def _text(run: RunSummary, column: Column) -> str:
    if column is Column.NAME:
        return run.name
    if column is Column.KIND:
        return KINDS.get(run.kind, run.kind)
    if column is Column.STATE:
        return run.state.capitalize()
    if column is Column.RESULT:
        return run.figures or (run.error if run.state == "FAILED" else "")
    if column is Column.STARTED:
        return date_text(run.started)
    return f"{100 * _fraction(run):.0f} %" if run.total else ""


def _sort_key(run: RunSummary, column: Column) -> Any:
    if column is Column.STARTED:
        return run.started
    if column is Column.PROGRESS:
        return _fraction(run)
    if column is Column.RESULT:
        # force errors among each other, simulated times among each other
        return (run.rank if run.rank is not None else -1.0) + (1e9 if run.kind == "train" else 0.0)
    return _text(run, column).lower()


def _tip(run: RunSummary, column: Column) -> str:
    if column is Column.STATE and run.error:
        return run.error
    if column is Column.STARTED:
        return f"{datetime.fromtimestamp(run.started):%Y-%m-%d %H:%M:%S}"
    if column is Column.PROGRESS and run.total:
        return f"{run.done:,} of {run.total:,} steps"
    return str(run.folder)


def _fraction(run: RunSummary) -> float:
    if run.state == "FINISHED":
        return 1.0
    return min(run.done / run.total, 1.0) if run.total else 0.0
