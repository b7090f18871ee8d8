"""The window with its strips: pages by mouse and key, job bar, log, palette, news, files that are dropped, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout

from gui.actions import Action
from gui.dialogs import Answers
from gui.jobs import Job, JobState
from gui.session import Session
from gui.theme import theme
from gui.views import main_window
from gui.views.common.banner import Banner
from gui.views.common.live_plot import LivePlot
from gui.views.common.page import Page
from gui.views.home_page import Choice
from gui.views.main_window import Entry, MainWindow
from nequip_openmm.examples import METHANOL
from tests.gui.conftest import fake_program

MakeSession = Callable[..., Session]


class PlainPage(Page):
    """Stands for the pages that others test."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.taken: list[Path] = []
        self.mode = ""
        self.runs = 0
        self.jobs: list[Job] = []
        self.plot = LivePlot("Temperature", "K")
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("page"))
        layout.addWidget(self.plot)

    def open_file(self, path: Path) -> bool:
        self.taken.append(path)
        return path.suffix == ".mine"

    def show_mode(self, mode: str) -> None:
        self.mode = mode

    def show_job(self, job: Job) -> None:
        self.jobs.append(job)

    def actions_(self) -> list[Action]:
        return [Action("run.start", "Start it", self.run, "Ctrl+R")]

    def run(self) -> None:
        self.runs += 1


@pytest.fixture(autouse=True)
def _plain_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "train", "simulate", "runs"):
        entry = Entry(name.capitalize(), name, __name__, "PlainPage")
        monkeypatch.setitem(main_window.PAGES, name, entry)


@pytest.fixture
def window(qtbot: Any, session: Session) -> Iterator[MainWindow]:
    made = MainWindow(session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    for job in session.jobs.running():
        job.kill()
        job.wait(5)


def start(window: MainWindow, mode: str, name: str, kind: str = "md") -> Job:
    window.session.jobs.program = fake_program(mode)
    job = window.session.start_job(kind, {"steps": 200}, name)
    assert job is not None
    return job


# --- pages ---------------------------------------------------------------------------------------------------------------


def test_pages_are_made_when_they_are_first_shown(window: MainWindow) -> None:
    assert window.page_name == "home"
    assert list(window._pages) == ["home"]
    window.show_page("train")
    assert list(window._pages) == ["home", "train"]
    assert isinstance(window.current_page, PlainPage)


def test_keys_and_rail_change_the_page(qtbot: Any, window: MainWindow) -> None:
    window.activateWindow()
    for number, name in enumerate(main_window.PAGES, start=1):
        window.actions_[f"view.{name}"].run()
        assert window.page_name == name
        assert window.actions_[f"view.{name}"].shortcut == f"Ctrl+{number}"
    for name, button in window._rail._buttons.items():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert window.page_name == name
        assert button.isChecked()


def test_a_page_that_is_broken_leaves_the_others(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(main_window.PAGES, "data", Entry("Data", "data", "gui.nowhere", "Page"))
    window.show_page("data")
    assert window.page_name == "data"
    assert window.current_page is None
    assert "cannot be shown" in window.log.lines[-1].text
    window.show_page("train")
    assert window.current_page is not None


def test_quantum_is_a_mode_of_simulate(window: MainWindow) -> None:
    window.session.page_wanted.emit("quantum")
    assert window.page_name == "simulate"
    assert window.current_page.mode == "quantum"


def test_actions_of_a_page_come_and_go_with_it(window: MainWindow) -> None:
    window.show_page("train")
    window.actions_["run.start"].run()
    assert window.current_page.runs == 1
    window.show_page("home")
    assert "run.start" not in [action.id for action in window.actions_]


def test_no_two_actions_share_a_shortcut(window: MainWindow) -> None:
    shortcuts = [action.shortcut for action in window.actions_ if action.shortcut]
    assert len(shortcuts) == len(set(shortcuts))


def test_home_leads_to_the_pages(qtbot: Any, window: MainWindow) -> None:
    choices = window.findChildren(Choice)
    assert len(choices) == 3
    qtbot.mouseClick(choices[0], Qt.MouseButton.LeftButton)
    assert window.page_name == "data"
    window.show_page("home")
    qtbot.keyClick(choices[1], Qt.Key.Key_Return)
    assert window.page_name == "simulate"


# --- files ---------------------------------------------------------------------------------------------------------------


def drop(target: Any, *paths: Path) -> None:
    """Drag files onto a widget as the window system does: to whoever takes them, from the innermost outwards."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for kind in (QDragEnterEvent, QDropEvent):
        widget = target
        while widget is not None:
            place = QPointF(5, 5) if kind is QDropEvent else QPointF(5, 5).toPoint()
            event = kind(place, Qt.DropAction.CopyAction, data, buttons, keys)
            event.ignore()
            if widget.acceptDrops():
                QApplication.sendEvent(widget, event)
            if event.isAccepted():
                break
            widget = widget.parentWidget()


def test_a_dropped_data_set_is_opened(window: MainWindow) -> None:
    opened: list[Path] = []
    window.session.dataset_opened.connect(opened.append)
    drop(window.centralWidget(), Path(METHANOL))
    assert opened == [Path(METHANOL)]
    assert window.page_name == "data"
    assert window.session.settings.recent == [Path(METHANOL).resolve()]


def test_files_can_be_dropped_on_plots(window: MainWindow) -> None:
    opened: list[Path] = []
    window.session.dataset_opened.connect(opened.append)
    window.show_page("train")
    drop(window.current_page.plot._plot.viewport(), Path(METHANOL))
    assert opened == [Path(METHANOL)]


def test_the_page_in_front_is_asked_first(window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "x.mine").write_text("")
    window.show_page("simulate")
    drop(window, tmp_path / "x.mine")
    assert window.page_name == "simulate"
    assert window.current_page.taken == [tmp_path / "x.mine"]


def test_an_unknown_file_is_told(window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir")
    drop(window, tmp_path / "letter.txt")
    assert "letter.txt" in window.toasts.texts()[-1]
    window.open_path(tmp_path / "gone.xyz")
    assert "does not exist" in window.toasts.texts()[-1]


def test_recent_files_lead_back(qtbot: Any, window: MainWindow) -> None:
    opened: list[Path] = []
    window.session.settings.add_recent(METHANOL)
    window.session.dataset_opened.connect(opened.append)
    rows = [
        b
        for b in window.page("home").findChildren(main_window.QWidget)
        if "Open methanol" in b.accessibleName()
    ]
    qtbot.mouseClick(rows[-1], Qt.MouseButton.LeftButton)
    assert opened == [Path(METHANOL).resolve()]


# --- job bar, log, news --------------------------------------------------------------------------------------------------


def test_the_job_bar_shows_and_steers_jobs(qtbot: Any, window: MainWindow) -> None:
    job = start(window, "slow", "water")
    (row,) = window.job_bar.rows()
    qtbot.waitUntil(lambda: job.progress.done > 0)
    qtbot.waitUntil(lambda: "step" in row._text.wholeText())
    assert row._badge.text() == "Running"
    assert "12.5 ns/day" in row._text.wholeText()
    qtbot.mouseClick(row._pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: row._badge.text() == "Paused")
    assert row._pause.accessibleName() == "Resume"
    qtbot.mouseClick(row._pause, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING)
    qtbot.mouseClick(row._stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: row._badge.text() == "Stopped")
    qtbot.mouseClick(row._close, Qt.MouseButton.LeftButton)
    assert window.job_bar.rows() == []


def test_a_job_leads_to_its_page(qtbot: Any, window: MainWindow) -> None:
    start(window, "slow", "methanol", "train")
    qtbot.mouseClick(window.job_bar.rows()[0]._name, Qt.MouseButton.LeftButton)
    assert window.page_name == "train"


def test_a_page_that_is_made_for_a_job_shows_it(qtbot: Any, window: MainWindow) -> None:
    job = start(window, "long", "water")
    assert list(window._pages) == ["home"]
    window.session.job_shown.emit(job)
    page = window.current_page
    assert isinstance(page, PlainPage)
    assert page.jobs == [job]


def test_a_failure_is_told_wherever_one_looks(qtbot: Any, window: MainWindow) -> None:
    job = start(window, "crash", "water")
    qtbot.waitUntil(lambda: job.state is JobState.FAILED)
    assert "SIGSEGV" in window.toasts.texts()[-1]
    assert window.log.n_warnings == 1
    assert "1 warning" in window.job_bar._log.text()
    window.next_warning()
    assert window.log_pane.isVisible()
    assert "SIGSEGV" in window.log_pane._text.textCursor().selectedText()
    assert window.log.n_warnings == 0
    assert window.job_bar._log.text() == "Log"


def test_warnings_are_counted_and_garbage_shown(qtbot: Any, window: MainWindow) -> None:
    job = start(window, "garbage", "water")
    qtbot.waitUntil(lambda: job.state is JobState.FINISHED)
    assert window.log.n_warnings == 4
    assert "not understood: Segmentation fault?" in window.log_pane.text()
    assert "finished" in window.toasts.texts()[-1]


def test_the_log_shows_what_is_chosen(window: MainWindow) -> None:
    window.log.add("info", "all is well", "water")
    window.log.add("warning", "low fill", "methanol")
    window.log_pane._choice.setCurrentText("Warnings and errors")
    assert "all is well" not in window.log_pane.text()
    window.log_pane._choice.setCurrentText("water")
    assert "low fill" not in window.log_pane.text()


def test_at_most_three_news_at_once(window: MainWindow) -> None:
    for number in range(5):
        window.session.notifications.error(f"error {number}")
    assert window.toasts.texts() == ["error 2", "error 3", "error 4"]


def test_news_are_as_high_as_their_words(qtbot: Any, window: MainWindow) -> None:
    for number in range(3):
        window.session.notifications.error(f"{number} " + "a long story of what went wrong " * 3)

    def is_readable() -> bool:
        shown = window.toasts.findChildren(Banner)
        fits = [banner.height() >= banner.heightForWidth(banner.width()) > 30 for banner in shown]
        return len(fits) == 3 and all(fits)

    qtbot.waitUntil(is_readable)
    assert all(not banner.isWindow() for banner in window.toasts.findChildren(Banner))


# --- palette and theme ---------------------------------------------------------------------------------------------------


def test_the_palette_finds_and_runs(qtbot: Any, window: MainWindow) -> None:
    window.open_palette()
    qtbot.keyClicks(window.palette_._query, "runs")
    qtbot.keyClick(window.palette_._query, Qt.Key.Key_Return)
    assert window.page_name == "runs"
    assert not window.palette_.isVisible()
    window.open_palette()
    qtbot.keyClick(window.palette_._query, Qt.Key.Key_Escape)
    assert not window.palette_.isVisible()


def test_the_palette_offers_what_can_be_done(window: MainWindow) -> None:
    window.open_palette()
    titles = [
        window.palette_._model.action(n).title for n in range(window.palette_._model.rowCount())
    ]
    assert "Stop the job" not in titles
    assert not window.actions_["run.stop"].run()


def test_light_and_dark(window: MainWindow) -> None:
    window.toggle_theme()
    assert theme().is_dark
    assert window.session.settings.values.theme == "dark"
    window.toggle_theme()
    assert not theme().is_dark


# --- closing -------------------------------------------------------------------------------------------------------------


def test_without_jobs_the_window_just_closes(window: MainWindow, answers: Answers) -> None:
    assert window.close()
    assert answers.asked == []


def test_cancel_leaves_window_and_job(qtbot: Any, window: MainWindow, answers: Answers) -> None:
    job = start(window, "slow", "water")
    assert not window.close()
    assert answers.asked[0][1] == "A job is running"
    assert window.isVisible()
    assert job.is_alive


def test_save_and_stop(qtbot: Any, window: MainWindow, answers: Answers) -> None:
    job = start(window, "slow", "water")
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING)
    answers.ready["ask"] = "Save and stop"
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert job.state is JobState.STOPPED
    assert job.events("checkpoint")


def test_keep_running(qtbot: Any, window: MainWindow, answers: Answers) -> None:
    job = start(window, "slow", "water")
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING)
    answers.ready["ask"] = "Keep running"
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert job.is_alive


def test_a_job_that_does_not_end_can_be_forced(
    qtbot: Any, window: MainWindow, answers: Answers
) -> None:
    job = start(window, "deaf", "water")
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING)
    window._closing._patience.setInterval(200)
    answers.ready["ask"] = "Save and stop"
    window.close()
    answers.ready["ask"] = "Force stop"
    qtbot.waitUntil(lambda: not window.isVisible())
    assert job.state is JobState.STOPPED


def test_the_window_comes_back_where_it_was(qtbot: Any, make_session: MakeSession) -> None:
    first = MainWindow(make_session())
    qtbot.addWidget(first)
    first.resize(1011, 702)
    first.show()
    first.close()
    second = MainWindow(make_session())
    qtbot.addWidget(second)
    assert second.height() == 702  # the width is held to the screen, which is narrow here


# --- looks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["light", "dark"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_it_fits_a_small_screen(qtbot: Any, window: MainWindow, choice: Any, scale: float) -> None:
    theme().choose(choice)
    theme().set_text_scale(scale)
    try:
        start(window, "slow", "a-run-with-quite-a-long-name-that-somebody-gave-it")
        window.resize(1024, 700)
        qtbot.wait(50)
        assert (window.width(), window.height()) == (1024, 700)
        assert not window.grab().isNull()
    finally:
        theme().set_text_scale(1.0)
        theme().choose("light")
