"""The Data page without its widgets: which data set is open, what of it is shown, how it is divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from gui.core.datasets import OpenDataset, Reading
from gui.core.filters import FrameFilters
from gui.core.scratch import new_scratch, remove_scratch, remove_stale
from gui.jobs.tasks import Task

__all__ = ["DataState", "DatasetModel"]

ARRAYS = "arrays"
LABELS = {"energy": "number", "forces": "vectors"}
"""What every data set must have, and the kind of field that may hold it."""


class DataState(Enum):
    """What the page shows."""

    EMPTY = "empty"
    LOADING = "loading"
    UNCLEAR = "unclear"
    FAILED = "failed"
    LOADED = "loaded"


class DatasetModel(QObject):
    """Opens files in a child process and keeps what the page shows.

    Signals
    -------
    state_changed
        The new `DataState`.
    progressed
        Work done, whole work, text.
    dataset_changed
        Another data set is open, or none.
    split_changed
        It is divided in another way, or cannot be divided as asked.
    filters_changed
        Other frames are shown.
    frame_changed
        The number of the frame that is looked at.
    """

    state_changed = Signal(object)
    progressed = Signal(int, int, str)
    dataset_changed = Signal()
    split_changed = Signal()
    filters_changed = Signal()
    frame_changed = Signal(int)

    def __init__(
        self, run_task: Callable[..., Task] = Task.run, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        remove_stale()
        self._run_task = run_task
        self._task: Task | None = None
        self._folder: Path | None = None
        self._pending: OpenDataset | None = None
        self._filters = FrameFilters()
        self.state = DataState.EMPTY
        self.dataset: OpenDataset | None = None
        self.reading: Reading | None = None
        self.fields: Sequence[Mapping[str, str]] = ()
        self._fields_of_open: Sequence[Mapping[str, str]] = ()
        self.error: Mapping[str, str] = {}
        self.frame = 0
        self.mask: NDArray[np.bool_] | None = None

    # --- opening

    def open(self, path: Path | str) -> None:
        """Read a file or folder, with names and units found out by the reader."""
        self.read(Reading(Path(path)))

    def read(self, reading: Reading) -> None:
        """Read a file as told; what is open stays open until that has worked."""
        self._abandon()
        self.reading, self.fields, self.error = reading, (), {}
        self._folder = new_scratch()
        self._set_state(DataState.LOADING)
        arguments = ["info", *reading.arguments(), "--save", str(self._folder / ARRAYS)]
        self._task = task = self._run_task(arguments, parent=self)
        task.progressed.connect(self.progressed)
        task.event_received.connect(self._note_fields)
        task.finished.connect(self._load)
        task.failed.connect(self._fail)
        task.cancelled.connect(self._go_back)

    def cancel(self) -> None:
        """Stop reading; what was open before is shown again."""
        if self._task is not None:
            self._task.cancel()

    def dismiss(self) -> None:
        """Leave a failure or an open question; what was open before is shown again."""
        self._go_back()

    def accept(self) -> None:
        """Take the data as they were read, though a label was not found."""
        if self._pending is not None:
            self.take(self._pending)

    def close(self) -> None:
        """Close the data set and remove its arrays."""
        self._abandon()
        self._forget(self.dataset)
        self.dataset = None
        self._clear_filters()
        self._set_state(DataState.EMPTY)
        self.dataset_changed.emit()

    def shut_down(self) -> None:
        """End what runs and remove all arrays: the window closes."""
        if self._task is not None:
            self._task.cancel()
            self._task.wait(3.0)
        self._abandon()
        self._forget(self.dataset)
        self.dataset = None

    @property
    def may_accept(self) -> bool:
        """Whether `accept` would do something."""
        return self._pending is not None

    # --- what is shown

    @property
    def filters(self) -> FrameFilters:
        """What narrows the frames that are shown."""
        return self._filters

    def pick_bins(self, name: str, first: int | None, last: int | None = None) -> None:
        """Show the frames in some bins of a histogram only; None shows all of it again."""
        if first is None:
            self._filters.drop(name)
        else:
            self._filters.bins[name] = (first, first if last is None else last)
        self._apply_filters()

    def pick_finding(self, number: int | None) -> None:
        """Show the frames of a finding only, and look at the first of them."""
        self._filters.finding = number
        self._apply_filters()
        if self.dataset is not None and number is not None:
            frames = self.dataset.findings[number].frames
            if len(frames):
                self.show_frame(int(frames[0]))

    def pick_set(self, number: int | None) -> None:
        """Show the frames of one set only, a position in `gui.core.datasets.SETS`."""
        self._filters.used_for = number
        self._apply_filters()

    def drop_filter(self, key: str) -> None:
        """Undo one of the filters, by its key in `FrameFilters.texts`."""
        self._filters.drop(key)
        self._apply_filters()

    def clear_filters(self) -> None:
        """Show all frames."""
        self._clear_filters()
        self._apply_filters()

    def show_frame(self, frame: int) -> None:
        """Look at a frame."""
        if self.dataset is not None and 0 <= frame < self.dataset.n_frames:
            self.frame = frame
            self.frame_changed.emit(frame)

    # --- saving a part

    def save_part(self, path: Path, shown: bool) -> Task | None:
        """Write the frames that are shown, or the others, to a file in a child process; None without a filter."""
        if self.dataset is None or self.mask is None:
            return None
        scratch = new_scratch()
        np.save(scratch / "frames.npy", np.flatnonzero(self.mask))
        chosen = ["--frames", str(scratch / "frames.npy"), *([] if shown else ["--leave-out"])]
        file, *options = self.dataset.reading.arguments()
        task = self._run_task(["select", file, str(path), *chosen, *options], parent=self)
        for signal in (task.finished, task.failed, task.cancelled):
            signal.connect(lambda *_: remove_scratch(scratch))
        return task

    # --- dividing

    def change_split(self, **changes: Any) -> None:
        """Divide in another way; `OpenDataset.split_problem` says whether that works.

        Parameters
        ----------
        **changes
            Fields of `SplitChoice`.
        """
        if self.dataset is not None:
            self.dataset = self.dataset.with_split(replace(self.dataset.split, **changes))
            if self._filters.used_for is not None:
                self._apply_filters()
            self.split_changed.emit()

    # --- what the child says

    def _note_fields(self, event: dict[str, Any]) -> None:
        if event.get("ev") == "fields":
            self.fields = event.get("fields") or ()

    def _load(self, result: dict[str, Any]) -> None:
        self._task = None
        try:
            dataset = OpenDataset.load(Path(result["folder"]), self.reading or Reading(Path()))
        except (OSError, KeyError, ValueError) as error:
            self._fail({"title": f"what was read cannot be shown: {error}", "code": "arrays"})
            return
        missing = self._missing_labels(dataset)
        if missing:
            self._pending = dataset
            self.error = {
                "code": f"unclear-{missing[0]}",
                "title": f"No {' and no '.join(missing)} found under a known name.",
            }
            self._set_state(DataState.UNCLEAR)
        else:
            self.take(dataset)

    def _missing_labels(self, dataset: OpenDataset) -> list[str]:
        """Return labels that were not found though some field could hold them."""
        codes = {finding.code for finding in dataset.findings}
        kinds = {field["kind"] for field in self.fields}
        return [label for label, kind in LABELS.items() if f"no-{label}" in codes and kind in kinds]

    def take(self, dataset: OpenDataset) -> None:
        """Make a data set that has been read the one that is open."""
        old = self.dataset
        self._pending, self._folder = None, None
        self.dataset, self.reading = dataset, dataset.reading
        self._fields_of_open = self.fields
        self.frame = 0
        self._clear_filters()
        self._set_state(DataState.LOADED)
        self.dataset_changed.emit()
        self._forget(old)

    def _fail(self, error: dict[str, Any]) -> None:
        self._task = None
        self.error = error
        is_unclear = str(error.get("code", "")).startswith("unclear-")
        self._set_state(DataState.UNCLEAR if is_unclear else DataState.FAILED)

    def _go_back(self) -> None:
        self._task = None
        self._abandon()
        self.reading = None if self.dataset is None else self.dataset.reading
        self.fields = self._fields_of_open
        self._set_state(DataState.EMPTY if self.dataset is None else DataState.LOADED)

    # ---

    def _abandon(self) -> None:
        """Drop what is being read or was read and not taken."""
        if self._task is not None:
            for signal in (
                self._task.finished,
                self._task.failed,
                self._task.cancelled,
                self._task.event_received,
                self._task.progressed,
            ):
                signal.disconnect()
            self._task.cancel()
            self._task = None
        self._pending = None
        if self._folder is not None:
            remove_scratch(self._folder)
            self._folder = None

    def _forget(self, dataset: OpenDataset | None) -> None:
        if dataset is not None:
            remove_scratch(dataset.folder.parent)

    def _clear_filters(self) -> None:
        self._filters = FrameFilters()
        self.mask = None

    def _apply_filters(self) -> None:
        self.mask = None if self.dataset is None else self._filters.mask(self.dataset)
        self.filters_changed.emit()

    def _set_state(self, state: DataState) -> None:
        self.state = state
        self.state_changed.emit(state)
