"""The Runs page: every state, comparing, throwing away, watching what runs elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices

from gui.core.run_summary import RunSummary
from gui.demo.runs import write_md, write_pimd, write_runs, write_train
from gui.dialogs import Answers
from gui.jobs import JobState
from gui.session import Session
from gui.viewmodels import runs as runs_module
from gui.viewmodels.run_table import Column, RunFilter, RunTable, date_text
from gui.viewmodels.runs import Runs
from gui.views.common.page import PageState
from gui.views.runs.page import RunsPage
from gui.views.runs.run_list import RunList


@pytest.fixture
def root(session: Session) -> Path:
    return Path(session.settings.runs_folder)


@pytest.fixture
def open_page(qtbot, session: Session) -> Callable[[], RunsPage]:  # type: ignore[no-untyped-def]
    def make() -> RunsPage:
        page = RunsPage(session)
        qtbot.addWidget(page)
        page.resize(1024, 700)
        page.show()
        qtbot.waitUntil(lambda: not page.runs.is_loading)
        return page

    return make


@pytest.fixture
def page(root: Path, open_page: Callable[[], RunsPage]) -> RunsPage:
    write_runs(root)
    return open_page()


def names(model: RunFilter) -> list[str]:
    return [model.index(row, 0).data() for row in range(model.rowCount())]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a run started elsewhere."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


# states


def test_empty(open_page: Callable[[], RunsPage], session: Session, qtbot) -> None:  # type: ignore[no-untyped-def]
    page = open_page()
    assert page.state is PageState.EMPTY
    page.grab()
    with qtbot.waitSignal(session.page_wanted) as wanted:
        next(
            b for b in page.findChildren(type(page._open)) if b.text() == "Train a potential"
        ).click()
    assert wanted.args == ["train"]


def test_loading_then_ready(qtbot, session: Session, root: Path) -> None:  # type: ignore[no-untyped-def]
    write_runs(root)
    page = RunsPage(session)
    qtbot.addWidget(page)
    page.show()
    assert page.state is PageState.LOADING
    assert page.progress.isVisible()
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    qtbot.waitUntil(lambda: not page.progress.isVisible())
    assert page.table.rowCount() == 10
    page.grab()


def test_a_folder_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, root: Path, open_page: Callable[[], RunsPage]
) -> None:
    def refuse(_root: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs_module, "_folders", refuse)
    page = open_page()
    assert page.state is PageState.INVALID
    assert "Permission denied" in page.banner.text()
    monkeypatch.undo()
    page.runs.look()
    assert page.state is PageState.EMPTY
    assert not page.banner.isVisible()


def test_another_folder_of_runs(
    page: RunsPage, answers: Answers, session: Session, tmp_path: Path, qtbot
) -> None:  # type: ignore[no-untyped-def]
    write_md(tmp_path / "elsewhere" / "only", time.time(), temperature=300)
    answers.ready["open_folder"] = tmp_path / "elsewhere"
    page._choose_runs_folder()
    qtbot.waitUntil(lambda: "only" in names(page.filter))
    assert "methanol-quick" not in names(page.filter)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_state_is_drawn(page: RunsPage, session: Session, name: str) -> None:
    session.theme.choose(name)  # type: ignore[arg-type]
    states = {run.state for run in page.runs.summaries()}
    assert {"RUNNING", "FINISHED", "STOPPED", "FAILED", "LOST"} <= states
    page.grab()
    session.theme.choose("light")


# the list


def test_newest_first_and_other_orders(page: RunsPage) -> None:
    assert names(page.filter)[0] == "water-accurate"
    page.list.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
    assert names(page.filter) == sorted(names(page.filter))
    page.list.sortByColumn(Column.RESULT, Qt.SortOrder.DescendingOrder)
    assert names(page.filter)[:3] == ["methanol-quick", "water-accurate", "methanol-balanced"]
    page.list.sortByColumn(Column.PROGRESS, Qt.SortOrder.AscendingOrder)
    assert names(page.filter)[0] == "methanol-2fs"


def test_names_made_of_date_and_time_are_read_to_their_end(page: RunsPage) -> None:
    table = page.findChild(RunList)
    text = table.fontMetrics().horizontalAdvance("train-20261121-080156")
    assert table.columnWidth(0) >= text + 40  # the box before it, the room around it


def test_one_run_is_not_several(root: Path, open_page: Callable[[], RunsPage]) -> None:
    write_md(root / "alone", time.time(), temperature=300.0)
    assert open_page()._count.text() == "1 run"


def test_filters(page: RunsPage) -> None:
    page._search.setText("350 nvt")
    assert names(page.filter) == ["methanol-nvt-350K"]
    assert page._count.text() == "1 of 10 runs"
    page._search.clear()
    page._filter_kind("pimd")
    assert sorted(names(page.filter)) == ["methanol-pimd-32", "methanol-pimd-8"]
    page._filter_kind("all")
    page._filter_group(3)
    assert sorted(names(page.filter)) == ["ice-npt", "methanol-2fs", "water-nvt"]
    page._filter_group(1)
    assert names(page.filter) == ["water-accurate"]
    page._filter_group(2)
    assert len(names(page.filter)) == 6


def test_cells_are_named_for_screen_readers(page: RunsPage) -> None:
    row = names(page.filter).index("methanol-2fs")
    index = page.filter.index(row, Column.STATE)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "State: Failed"
    assert "3,000 K" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert page.filter.headerData(Column.STARTED, Qt.Orientation.Horizontal, 0) == "Started"


def test_dates() -> None:
    now = time.time()
    assert date_text(now).count(":") == 1
    assert len(date_text(0.0)) == 10


def test_series_in_a_folder_of_their_own_are_found(
    root: Path, open_page: Callable[[], RunsPage]
) -> None:
    write_pimd(root / "series" / "8-beads", time.time(), beads=8)
    assert names(open_page().filter) == ["8-beads"]


# comparing


def test_the_current_run_is_drawn(page: RunsPage, root: Path) -> None:
    page.list.select(root / "methanol-nvt-300K")
    assert page.runs.chosen == [root / "methanol-nvt-300K"]
    assert page.curves.quantityBox.currentData() == "temperature"
    assert list(page.curves.plot()._curves) == ["methanol-nvt-300K"]  # type: ignore[union-attr]


def test_ticked_runs_are_overlaid(qtbot, page: RunsPage, root: Path) -> None:  # type: ignore[no-untyped-def]
    page.list.setFocus()
    page.list.select(root / "methanol-nvt-300K")
    qtbot.keyClick(page.list, Qt.Key.Key_Space)
    page.list.select(root / "methanol-pimd-8")
    qtbot.keyClick(page.list, Qt.Key.Key_Space)
    assert page.runs.chosen == [root / "methanol-nvt-300K", root / "methanol-pimd-8"]
    assert list(page.curves.plot()._curves) == ["methanol-nvt-300K", "methanol-pimd-8"]  # type: ignore[union-attr]
    assert page._untick.text() == "Comparing 2"
    page._untick.click()
    assert page.runs.chosen == [root / "methanol-pimd-8"]


def test_what_only_some_runs_have_is_said(page: RunsPage, root: Path) -> None:
    for name in ("methanol-nvt-300K", "methanol-quick"):
        page.runs.tick(root / name, True)
    assert page.curves.note.text() == "1 of 2 runs have it"
    page.curves.quantityBox.setCurrentIndex(page.curves.quantityBox.findData("kinetic"))
    page.curves.quantityBox.activated.emit(0)
    assert list(page.curves.plot()._curves) == ["methanol-nvt-300K"]  # type: ignore[union-attr]


def test_settings_side_by_side(qtbot, page: RunsPage, root: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("methanol-nvt-300K", "methanol-nvt-350K"):
        page.runs.tick(root / name, True)
    page._show_panel("settings")
    model = page.settings.model
    rows = [[model.index(r, c).data() for c in range(3)] for r in range(model.rowCount())]
    assert rows == [["temperature", "300", "350"]]
    assert page.settings.note.text() == "1 setting differs."
    page.settings.onlyDifferences.setChecked(False)
    assert model.rowCount() == 7
    page.runs.untick_all()
    assert not page.settings.onlyDifferences.isVisible()


def test_curves_are_exported(page: RunsPage, root: Path, answers: Answers, tmp_path: Path) -> None:
    page.list.select(root / "methanol-nvt-300K")
    for suffix in ("png", "csv"):
        answers.ready["save_file"] = tmp_path / f"curves.{suffix}"
        page.curves.exportButton.click()
        assert (tmp_path / f"curves.{suffix}").stat().st_size > 100


def test_a_run_that_writes_on_is_drawn_anew(qtbot, page: RunsPage, root: Path) -> None:  # type: ignore[no-untyped-def]
    folder = root / "water-accurate"
    page.list.select(folder)
    with (folder / "metrics.csv").open("a") as file:
        file.write("61,0.1,0.1,0.1,20.0,0.001\n")
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"v": 1, "ev": "epoch", "t": time.time(), "epoch": 61}) + "\n")
    page.runs.look()
    qtbot.waitUntil(lambda: len(page.runs.curves(folder).x) == 61)  # type: ignore[union-attr]
    plot = page.curves.plot()
    qtbot.waitUntil(lambda: plot._data["water-accurate"][0][-1] == 61)  # type: ignore[union-attr]


# what can be done


def test_what_can_be_done_depends_on_the_state(page: RunsPage, root: Path) -> None:
    def able(name: str) -> tuple[bool, bool, bool]:
        page.list.select(root / name)
        return (
            not page._continue.isHidden(),
            not page._use.isHidden(),
            page._trash.isEnabled(),
        )

    assert able("water-accurate") == (False, True, False)
    assert able("methanol-quick") == (False, True, True)
    assert able("methanol-2fs") == (True, False, True)
    assert able("ice-npt") == (True, False, True)
    assert able("methanol-pimd-8") == (False, False, True)
    enabled = {action.id for action in page.actions_() if action.is_enabled()}
    assert enabled == {"runs.open", "runs.folder", "runs.trash", "runs.untick"}


def test_a_run_is_opened_on_its_page(qtbot, page: RunsPage, session: Session, root: Path) -> None:  # type: ignore[no-untyped-def]
    page.list.select(root / "methanol-nvt-300K")
    with qtbot.waitSignals([session.page_wanted, session.job_shown]):
        qtbot.keyClick(page.list, Qt.Key.Key_Return)
    job = session.jobs.get(root / "methanol-nvt-300K")
    qtbot.waitUntil(lambda: job.state is JobState.FINISHED)  # type: ignore[union-attr]


def test_a_model_goes_to_the_simulate_page(
    qtbot, page: RunsPage, session: Session, root: Path
) -> None:  # type: ignore[no-untyped-def]
    page.list.select(root / "methanol-quick")
    with qtbot.waitSignal(session.model_chosen) as chosen:
        page._use.click()
    assert chosen.args == [root / "methanol-quick" / "model.safetensors"]


def test_a_run_goes_on(qtbot, page: RunsPage, session: Session, root: Path) -> None:  # type: ignore[no-untyped-def]
    folder = root / "water-nvt"
    page.list.select(folder)
    page._continue.click()
    job = session.jobs.get(folder)
    assert job is not None
    qtbot.waitUntil(lambda: job.state is JobState.FINISHED)
    qtbot.waitUntil(lambda: page.runs.summary(folder).state == "FINISHED")  # type: ignore[union-attr]


def test_the_folder_is_opened(page: RunsPage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    page.list.select(root / "methanol-quick")
    page._folder.click()
    assert opened == [QUrl.fromLocalFile(str(root / "methanol-quick"))]


@pytest.fixture
def trash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "Trash" / "files"


def test_a_run_is_thrown_away(
    qtbot, page: RunsPage, root: Path, answers: Answers, trash: Path
) -> None:  # type: ignore[no-untyped-def]
    folder = root / "methanol-2fs"
    page.list.select(folder)
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert folder.exists()  # the question was not answered
    assert "“methanol-2fs”" in answers.asked[-1][2]
    answers.ready["ask"] = "Move to trash"
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert not folder.exists()
    assert (trash / "methanol-2fs" / "spec.yaml").exists()
    assert "methanol-2fs" not in names(page.filter)


def test_a_run_at_work_is_not_thrown_away(
    qtbot, page: RunsPage, root: Path, answers: Answers, trash: Path
) -> None:  # type: ignore[no-untyped-def]
    answers.ready["ask"] = "Move to trash"
    page.list.select(root / "water-accurate")
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert (root / "water-accurate").exists()
    assert not answers.asked


def test_a_trash_that_refuses_is_told(
    page: RunsPage, root: Path, session: Session, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "_move_to_trash", lambda folder: False)
    answers.ready["ask"] = "Move to trash"
    page.runs.ask_to_trash([root / "methanol-2fs"])
    assert "could not be moved" in session.notifications.history[-1].text
    assert (root / "methanol-2fs").exists()


def test_a_run_that_is_deleted_elsewhere_goes(qtbot, page: RunsPage, root: Path) -> None:  # type: ignore[no-untyped-def]
    page.runs.tick(root / "methanol-quick", True)
    shutil.rmtree(root / "methanol-quick")
    page.runs.look()
    qtbot.waitUntil(lambda: "methanol-quick" not in names(page.filter))
    assert root / "methanol-quick" not in page.runs.chosen


# runs from elsewhere


def elsewhere(folder: Path, pid: int) -> None:
    write_md(folder, time.time(), temperature=300, reason=None, pid=pid, n=10)
    lines = (folder / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) | {"t": time.time()} for line in lines]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def test_a_run_started_elsewhere_appears_and_is_lost_when_it_is_killed(
    qtbot, page: RunsPage, session: Session, root: Path, sleeper: subprocess.Popen[bytes]
) -> None:  # type: ignore[no-untyped-def]
    def state() -> str:
        run = page.runs.summary(root / "new")
        return "" if run is None else run.state

    elsewhere(root / "new", sleeper.pid)
    page.runs.look()
    qtbot.waitUntil(lambda: state() == "RUNNING")
    job = session.jobs.get(root / "new")
    assert job is not None
    assert not job.is_ours
    sleeper.kill()
    sleeper.wait()
    qtbot.waitUntil(lambda: state() == "LOST")
    page.list.select(root / "new")
    assert not page._continue.isHidden()


def test_a_job_of_the_window_is_followed(
    qtbot, page: RunsPage, session: Session, root: Path
) -> None:  # type: ignore[no-untyped-def]
    job = session.start_job("md", {"steps": 100}, "mine")
    assert job is not None
    qtbot.waitUntil(lambda: job.state is JobState.FINISHED)
    page.runs.look()
    qtbot.waitUntil(lambda: page.runs.summary(root / "mine") is not None)
    qtbot.waitUntil(lambda: page.runs.summary(root / "mine").state == "FINISHED")  # type: ignore[union-attr]


def test_a_run_outside_the_folder_of_runs(qtbot, page: RunsPage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_train(tmp_path / "far" / "away", time.time(), force=30.0, l_max=1)
    assert page.open_file(tmp_path / "far" / "away")
    page.runs.look()
    qtbot.waitUntil(lambda: "away" in names(page.filter))
    assert not page.open_file(tmp_path / "far")


def test_selection_survives_a_new_run(qtbot, page: RunsPage, root: Path) -> None:  # type: ignore[no-untyped-def]
    page.list.select(root / "methanol-nvt-300K")
    write_md(root / "brand-new", time.time(), temperature=300)
    page.runs.look()
    qtbot.waitUntil(lambda: "brand-new" in names(page.filter))
    assert page.list.current() == root / "methanol-nvt-300K"


def test_many_runs_do_not_freeze_the_window(qtbot, session: Session, root: Path) -> None:  # type: ignore[no-untyped-def]
    for k in range(60):
        write_md(root / f"run-{k}", time.time() - k, temperature=300, n=2)
    runs = Runs(session)
    table = RunTable(runs)
    runs.look()
    assert table.rowCount() == 0  # read later, a few at a time
    qtbot.waitUntil(lambda: table.rowCount() == 60)
    assert all(isinstance(run, RunSummary) for run in runs.summaries())
