"""Settings of the runs that are compared, side by side."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from gui.core.settings_difference import Row
from gui.theme import UNIT, theme
from gui.viewmodels.runs import Runs
from gui.views.common.labels import label

__all__ = ["SettingsPanel"]

Index = QModelIndex | QPersistentModelIndex


class SettingsPanel(QWidget):
    """Shows what two or more runs were asked for, differences first of all; or all settings of one.

    Parameters
    ----------
    runs
        The runs.
    """

    def __init__(self, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = runs
        self.onlyDifferences = QCheckBox("Only what differs")
        self.onlyDifferences.setChecked(True)
        self.onlyDifferences.toggled.connect(lambda _on: self.refresh())
        self.note = label("", "muted")
        self.model = _SettingsTable(self)
        self.table = QTableView()
        self.table.setAccessibleName("Settings")
        self.table.setModel(self.model)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        top = QHBoxLayout()
        top.addWidget(self.onlyDifferences)
        top.addWidget(self.note)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        runs.chosen_changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show what is compared now."""
        if not self.isVisible():
            return
        chosen, rows = self._runs.chosen, self._runs.settings()
        is_comparison = len(chosen) > 1
        self.onlyDifferences.setVisible(is_comparison)
        n_different = sum(row.differs for row in rows)
        if is_comparison and self.onlyDifferences.isChecked():
            rows = [row for row in rows if row.differs]
        self.model.show_rows(rows, [folder.name for folder in chosen])
        self._tell(len(chosen), n_different)
        header = self.table.horizontalHeader()
        for column in range(self.model.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Bring up to date what was not shown while hidden."""
        super().showEvent(event)
        self.refresh()

    def _tell(self, n_chosen: int, n_different: int) -> None:
        if not n_chosen:
            text = "Choose a run, or tick several to compare them."
        elif n_chosen == 1:
            text = "Tick two runs to see what differs."
        else:
            text = f"{n_different} setting{'s differ' if n_different > 1 else ' differs'}."
            text = text if n_different else "The settings are the same."
        self.note.setText(text)


class _SettingsTable(QAbstractTableModel):
    """Settings: a name and a value for each run; what differs is bold."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._names: list[str] = []

    def show_rows(self, rows: list[Row], names: list[str]) -> None:
        """Show other settings."""
        self.beginResetModel()
        self._rows, self._names = rows, names
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() or not self._names else 1 + len(self._names)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return "Setting" if section == 0 else self._names[section - 1]
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        row, column = self._rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return row.name if column == 0 else row.values[column - 1]
        is_difference = row.differs and len(row.values) > 1
        if role == Qt.ItemDataRole.FontRole and is_difference and column > 0:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and column == 0:
            return theme().colour("muted")
        return None


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.runs import demo_runs

    session = demo_session()
    runs = demo_runs(session)
    panel = SettingsPanel(runs)
    panel.setObjectName("canvas")
    session.setParent(panel)
    for run in runs.summaries():
        runs.tick(run.folder, run.kind == "md")
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 960, 320)
