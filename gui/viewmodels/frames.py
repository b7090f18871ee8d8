"""The table of frames: numbers of a data set by frame, sorted and filtered without a copy of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from gui.core.datasets import SEVERITIES, OpenDataset

__all__ = ["COLUMNS", "Column", "FrameTableModel"]

Index = QModelIndex | QPersistentModelIndex
SHORT_SETS = ("\u2013", "train", "valid", "test")
Values = Callable[[OpenDataset], NDArray[Any]]


@dataclass(frozen=True)
class Column:
    """One column: what it is called, its values by frame, and how one is written."""

    name: str
    title: str
    tip: str
    values: Values
    text: Callable[[OpenDataset, int, Any], str]
    is_number: bool = True


def _number(digits: int) -> Callable[[OpenDataset, int, Any], str]:
    def text(dataset: OpenDataset, frame: int, value: Any) -> str:
        return f"{value:.{digits}f}".replace("-", "\u2212") if np.isfinite(value) else "\u2013"

    return text


def _array(name: str) -> Values:
    return lambda dataset: dataset.arrays[name]


COLUMNS = (
    Column("number", "#", "Number of the frame in the file, counted from 0", lambda d: np.arange(d.n_frames), lambda d, i, v: str(i)),
    Column("set", "Set", "What the frame is used for", lambda d: d.set_of_frame, lambda d, i, v: SHORT_SETS[v], False),
    Column("formula", "Formula", "Composition", _array("formula"), lambda d, i, v: d.formula(i), False),
    Column("atoms", "Atoms", "Number of atoms", lambda d: d.n_atoms, lambda d, i, v: str(v)),
    Column("energy", "E / atom", "Energy per atom in eV", _array("energies_per_atom"), _number(4)),
    Column("force", "max |F|", "Largest force on an atom in eV/Å", _array("max_forces"), _number(2)),
    Column("shortest", "Shortest", "Shortest distance between two atoms in Å", _array("shortest"), _number(3)),
    Column("neighbours", "Neighb.", "Neighbours of an atom within the cutoff, on average", _array("mean_neighbours"), _number(1)),
    Column("finding", "Check", "The worst that the check found about the frame", lambda d: d.severity_of_frame, lambda d, i, v: SEVERITIES[v], False),
)  # fmt: skip


class FrameTableModel(QAbstractTableModel):
    """Rows are frames; ``order`` says which, so that sorting a hundred thousand takes no longer than sorting numbers."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._dataset: OpenDataset | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._order: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._row_of_frame: NDArray[np.int64] | None = None
        self._sorted_by = (0, Qt.SortOrder.AscendingOrder)

    # --- what it shows

    def set_dataset(self, dataset: OpenDataset | None) -> None:
        """Show another data set, or the same one divided in another way."""
        self._dataset = dataset
        self._rearrange(self._mask if self._fits(dataset) else None)

    def set_mask(self, mask: NDArray[np.bool_] | None) -> None:
        """Show the frames of a mask (F,) only; None shows all."""
        self._rearrange(mask)

    def frame_at(self, row: int) -> int:
        """Return the frame in a row."""
        return int(self._order[row])

    def row_of(self, frame: int) -> int | None:
        """Return the row of a frame; None where it is filtered away."""
        if self._row_of_frame is None:
            n_frames = 0 if self._dataset is None else self._dataset.n_frames
            self._row_of_frame = np.full(n_frames, -1)
            self._row_of_frame[self._order] = np.arange(len(self._order))
        row = int(self._row_of_frame[frame]) if 0 <= frame < len(self._row_of_frame) else -1
        return row if row >= 0 else None

    def shown_columns(self) -> list[bool]:
        """Return which columns say something: not the formula where all frames have one, nor what nothing was found for."""
        if self._dataset is None:
            return [True] * len(COLUMNS)
        wanted = {
            "formula": len(self._dataset.document["formulas"]) > 1,
            "atoms": bool(np.ptp(self._dataset.n_atoms)),
            "finding": bool((self._dataset.severity_of_frame > 1).any()),
        }
        return [wanted.get(column.name, True) for column in COLUMNS]

    def longest_texts(self, column: int) -> list[str]:
        """Return texts of a column none of which is much longer, without looking at all of them."""
        dataset = self._dataset
        if dataset is None:
            return [""]
        described = COLUMNS[column]
        if described.name == "formula":
            return list(dataset.document["formulas"])
        if described.name in ("set", "finding"):
            return list(SHORT_SETS if described.name == "set" else SEVERITIES)
        values = np.asarray(described.values(dataset))
        finite = np.flatnonzero(np.isfinite(values))
        if not len(finite):
            return ["\u2013"]
        ends = (finite[np.argmin(values[finite])], finite[np.argmax(values[finite])])
        return [described.text(dataset, int(i), values[i]) for i in ends]

    # --- Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of frames shown."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell; under ``UserRole`` its value."""
        if self._dataset is None or not index.isValid():
            return None
        column, frame = COLUMNS[index.column()], int(self._order[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            value = column.values(self._dataset)[frame]
            return column.text(self._dataset, frame, value)
        if role == Qt.ItemDataRole.UserRole:
            return column.values(self._dataset)[frame]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.is_number else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.AccessibleTextRole:
            value = column.values(self._dataset)[frame]
            return f"{column.tip}: {column.text(self._dataset, frame, value) or 'nothing'}"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return titles and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{column.title} {self._arrow(section)}".rstrip()
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.is_number else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; frames without a value come last, equal ones stay in the order of the file."""
        self._sorted_by = (column, order)
        self._rearrange(self._mask)

    def turn(self, column: int) -> None:
        """Sort by a column, the other way round if that is so already."""
        ascending, descending = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        is_turned = self._sorted_by == (column, ascending)
        self.sort(column, descending if is_turned else ascending)

    # ---

    def _arrow(self, column: int) -> str:
        """Return the mark of the sorted column; the order of the file needs none."""
        by, order = self._sorted_by
        is_ascending = order == Qt.SortOrder.AscendingOrder
        if by != column or (by == 0 and is_ascending):
            return ""
        return "\u2191" if is_ascending else "\u2193"

    def _fits(self, dataset: OpenDataset | None) -> bool:
        return (
            self._mask is not None and dataset is not None and len(self._mask) == dataset.n_frames
        )

    def _rearrange(self, mask: NDArray[np.bool_] | None) -> None:
        self.beginResetModel()
        self._mask = mask
        self._row_of_frame = None
        self._order = self._sorted(mask)
        self.endResetModel()

    def _sorted(self, mask: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        if self._dataset is None:
            return np.zeros(0, dtype=np.int64)
        frames = np.arange(self._dataset.n_frames) if mask is None else np.flatnonzero(mask)
        column, direction = self._sorted_by
        if column < 0:  # Qt: not sorted
            return frames
        values = np.asarray(COLUMNS[column].values(self._dataset))[frames]
        keys = values.astype(np.float64)
        if direction == Qt.SortOrder.DescendingOrder:
            keys = -keys
        return frames[np.argsort(keys, kind="stable")]  # NaN is sorted to the end
