"""The view model: what the page is in, what of a data set is shown, how it is divided; the reader is a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject, Qt, Signal

from gui.core.datasets import OpenDataset, Reading
from gui.demo.datasets import demo_dataset
from gui.viewmodels.dataset import DatasetModel, DataState
from gui.viewmodels.frames import COLUMNS, FrameTableModel
from tests.gui.data.folder import save_dataset

NAMES = [column.name for column in COLUMNS]


class FakeTask(QObject):
    """A reader that does what the test says."""

    progressed = Signal(int, int, str)
    event_received = Signal(dict)
    finished = Signal(dict)
    failed = Signal(dict)
    cancelled = Signal()

    def __init__(self, arguments: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.arguments = list(arguments)
        self.folder = Path(arguments[arguments.index("--save") + 1])
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def wait(self, seconds: float) -> bool:
        return True

    def finish(self, dataset: OpenDataset) -> None:
        save_dataset(dataset, self.folder)
        self.finished.emit({"folder": str(self.folder)})


@pytest.fixture
def tasks() -> list[FakeTask]:
    return []


@pytest.fixture
def model(tasks: list[FakeTask], qapp: QObject) -> DatasetModel:
    def run(arguments: Sequence[str], parent: QObject | None = None) -> FakeTask:
        tasks.append(FakeTask(arguments, parent))
        return tasks[-1]

    return DatasetModel(run)  # type: ignore[arg-type]


@pytest.fixture
def loaded(model: DatasetModel) -> DatasetModel:
    model.take(demo_dataset(200))
    return model


def states_of(model: DatasetModel) -> list[DataState]:
    seen: list[DataState] = []
    model.state_changed.connect(seen.append)
    return seen


def missing(label: str) -> OpenDataset:
    """Return a data set in which a label was not found."""
    dataset = demo_dataset(20)
    finding = {"severity": "error", "code": f"no-{label}", "message": "", "n_frames": 0}
    lint = {**dataset.document["lint"], "findings": [finding]}
    arrays = {**dataset.arrays, "finding_frames": np.zeros(0, dtype=np.int64)}
    return OpenDataset(
        dataset.reading, Path(), {**dataset.document, "lint": lint}, arrays, dataset.split
    )


def test_a_file_is_opened(model: DatasetModel, tasks: list[FakeTask]) -> None:
    seen = states_of(model)
    model.open("water.xyz")
    assert tasks[0].arguments[:2] == ["info", "water.xyz"]
    tasks[0].finish(demo_dataset(50))
    assert seen == [DataState.LOADING, DataState.LOADED]
    assert model.dataset is not None
    assert model.dataset.n_frames == 50
    folder = model.dataset.folder
    assert folder.is_dir()
    model.close()
    assert not folder.parent.exists()
    assert model.state is DataState.EMPTY


def test_what_was_open_stays_until_the_new_one_is_read(
    loaded: DatasetModel, tasks: list[FakeTask]
) -> None:
    before = loaded.dataset
    loaded.open("other.xyz")
    tasks[0].event_received.emit({"ev": "fields", "fields": [{"name": "theirs"}]})
    assert loaded.state is DataState.LOADING
    assert loaded.dataset is before
    loaded.cancel()
    assert tasks[0].is_cancelled
    tasks[0].cancelled.emit()
    assert loaded.state is DataState.LOADED
    assert loaded.dataset is before
    assert before is not None
    assert loaded.reading == before.reading
    assert not loaded.fields
    assert not tasks[0].folder.parent.exists()


def test_another_file_takes_the_place_of_one_that_is_being_read(
    model: DatasetModel, tasks: list[FakeTask]
) -> None:
    model.open("first.xyz")
    model.open("second.xyz")
    assert tasks[0].is_cancelled
    tasks[0].finished.emit({"folder": "gone"})  # too late
    assert model.state is DataState.LOADING
    tasks[1].finish(demo_dataset(30))
    assert model.state is DataState.LOADED


def test_a_failure_is_told_and_left(model: DatasetModel, tasks: list[FakeTask]) -> None:
    model.open("broken.xyz")
    tasks[0].failed.emit({"code": "user-error", "title": "broken.xyz line 3 (frame 0): what"})
    assert model.state is DataState.FAILED
    assert model.error["title"].endswith("what")
    model.dismiss()
    assert model.state is DataState.EMPTY
    assert not tasks[0].folder.parent.exists()


def test_a_question_is_answered_by_reading_again(
    model: DatasetModel, tasks: list[FakeTask]
) -> None:
    model.open("unclear.xyz")
    fields = [{"name": "E0", "kind": "number", "example": "1"}]
    tasks[0].event_received.emit({"ev": "fields", "fields": fields})
    tasks[0].failed.emit({"code": "unclear-energy", "title": "two names"})
    assert model.state is DataState.UNCLEAR
    assert model.fields == fields
    assert not model.may_accept
    model.read(Reading(Path("unclear.xyz"), keys={"energy": "E0"}))
    assert tasks[1].arguments[1:4] == ["unclear.xyz", "--energy-key", "E0"]


def test_a_label_that_was_not_found_though_something_could_be_it(
    model: DatasetModel, tasks: list[FakeTask]
) -> None:
    model.open("odd.xyz")
    fields = [{"name": "gradient", "kind": "vectors", "example": "1 2 3"}]
    tasks[0].event_received.emit({"ev": "fields", "fields": fields})
    tasks[0].finish(missing("forces"))
    assert model.state is DataState.UNCLEAR
    assert model.error["code"] == "unclear-forces"
    assert model.may_accept
    model.accept()
    assert model.state is DataState.LOADED


def test_a_label_that_nothing_could_be_is_not_asked_for(
    model: DatasetModel, tasks: list[FakeTask]
) -> None:
    model.open("bare.xyz")
    tasks[0].event_received.emit({"ev": "fields", "fields": []})
    tasks[0].finish(missing("forces"))
    assert model.state is DataState.LOADED


def test_arrays_that_vanished_are_a_failure(model: DatasetModel, tasks: list[FakeTask]) -> None:
    model.open("water.xyz")
    tasks[0].finished.emit({"folder": "/nowhere"})
    assert model.state is DataState.FAILED
    assert "cannot be shown" in model.error["title"]


def test_filters_narrow_each_other(loaded: DatasetModel) -> None:
    dataset = loaded.dataset
    assert dataset is not None
    assert loaded.mask is None
    loaded.pick_bins("force_norms", 20, 47)
    loaded.pick_set(1)
    assert loaded.mask is not None
    expected = dataset.within("force_norms", 20, 47) & (dataset.set_of_frame == 1)
    np.testing.assert_array_equal(loaded.mask, expected)
    assert [key for key, *_ in loaded.filters.texts(dataset)] == ["force_norms", "set"]
    assert "an atom with a force of" in loaded.filters.texts(dataset)[0][2]
    loaded.drop_filter("force_norms")
    np.testing.assert_array_equal(loaded.mask, dataset.set_of_frame == 1)
    loaded.clear_filters()
    assert loaded.mask is None


def test_a_finding_leads_to_its_frames(loaded: DatasetModel) -> None:
    shown: list[int] = []
    loaded.frame_changed.connect(shown.append)
    loaded.pick_finding(1)
    assert loaded.mask is not None
    assert np.flatnonzero(loaded.mask).tolist() == [20, 21, 22, 23]
    assert shown[-1] == 20


def test_the_division_changes_what_frames_are_for(loaded: DatasetModel) -> None:
    loaded.pick_set(3)
    loaded.change_split(n_test=5, seed=4)
    assert loaded.mask is not None
    assert loaded.mask.sum() == 5
    assert loaded.dataset is not None
    assert loaded.dataset.data_settings()["split_seed"] == 4
    loaded.change_split(n_valid=500)
    assert "leave none of the 200 frames" in loaded.dataset.split_problem


# --- the table


@pytest.fixture
def table(qapp: QObject, qtmodeltester: Any) -> FrameTableModel:
    table = FrameTableModel()
    table.set_dataset(demo_dataset(60))
    qtmodeltester.check(table)
    return table


def column(table: FrameTableModel, name: str) -> list[str]:
    number = NAMES.index(name)
    return [table.data(table.index(row, number)) for row in range(table.rowCount())]


def test_cells_say_what_the_frame_is(table: FrameTableModel) -> None:
    dataset = demo_dataset(60)
    assert column(table, "number")[:3] == ["0", "1", "2"]
    assert column(table, "force")[5] == f"{dataset.arrays['max_forces'][5]:.2f}"
    assert column(table, "energy")[5].startswith("\u2212154.")
    assert set(column(table, "set")) == {"train", "valid", "test"}
    assert column(table, "finding")[0] == "warning"
    assert column(table, "formula")[0] == "H6O3"


@pytest.mark.parametrize("name", ["energy", "force", "shortest", "neighbours"])
def test_any_column_sorts(table: FrameTableModel, name: str) -> None:
    number = NAMES.index(name)
    for order, arrow in ((False, "\u2191"), (True, "\u2193")):
        table.turn(number)
        values = [table.data(table.index(r, number), Qt.ItemDataRole.UserRole) for r in range(60)]
        assert values == sorted(values, reverse=order)
        title = table.headerData(number, Qt.Orientation.Horizontal)
        assert title.endswith(arrow)
    assert sorted(table.frame_at(row) for row in range(60)) == list(range(60))


def test_frames_without_a_value_come_last(qapp: QObject) -> None:
    dataset = demo_dataset(30)
    dataset.arrays["max_forces"][:3] = np.nan
    table = FrameTableModel()
    table.set_dataset(dataset)
    for _ in range(2):
        table.turn(NAMES.index("force"))
        assert sorted(table.frame_at(row) for row in (27, 28, 29)) == [0, 1, 2]
        assert column(table, "force")[-1] == "\u2013"


def test_rows_and_frames_find_each_other_in_a_filtered_table(table: FrameTableModel) -> None:
    mask = np.zeros(60, dtype=bool)
    mask[[3, 30, 31]] = True
    table.set_mask(mask)
    table.sort(NAMES.index("number"), Qt.SortOrder.DescendingOrder)
    assert [table.frame_at(row) for row in range(table.rowCount())] == [31, 30, 3]
    assert table.row_of(30) == 1
    assert table.row_of(4) is None
    assert table.row_of(999) is None


def test_columns_that_say_nothing_are_not_shown(table: FrameTableModel) -> None:
    shown = dict(zip(NAMES, table.shown_columns()))
    assert not shown["formula"]
    assert not shown["atoms"]
    assert shown["finding"]


def timed(call: Callable[[], object]) -> float:
    import time

    begin = time.process_time()
    call()
    return time.process_time() - begin


def test_a_hundred_thousand_frames_are_sorted_and_filtered_at_once(qapp: QObject) -> None:
    model, table = DatasetModel(), FrameTableModel()
    model.take(demo_dataset(100_000))
    model.filters_changed.connect(lambda: table.set_mask(model.mask))
    assert model.dataset is not None
    table.set_dataset(model.dataset)
    assert min(timed(lambda: table.turn(NAMES.index("force"))) for _ in range(3)) < 0.1
    assert min(timed(lambda: model.pick_bins("force_norms", 20, 40)) for _ in range(3)) < 0.1
    assert model.mask is not None
    for name in model.dataset.histograms:
        assert (
            min(timed(partial(model.dataset.counts_of, name, model.mask)) for _ in range(3)) < 0.03
        )
    assert min(timed(lambda: model.change_split(seed=7)) for _ in range(3)) < 0.1
