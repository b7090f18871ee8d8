"""The window: navigation, pages, inspector, log, job bar. Pages are made when they are first shown."""

from __future__ import annotations

import logging
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QIcon
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QSplitter,
    QStackedWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from gui.actions import Actions
from gui.dialogs import QtDialogs
from gui.jobs import Job
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.log import Log
from gui.viewmodels.news import JobNews
from gui.views.closing import Closing
from gui.views.common.buttons import IconButton
from gui.views.common.empty_state import EmptyState
from gui.views.common.icons import FOLDER
from gui.views.common.job_bar import JobBar
from gui.views.common.log_pane import LogPane
from gui.views.common.navigation import NavigationRail
from gui.views.common.page import Page
from gui.views.common.palette import CommandPalette
from gui.views.common.toasts import Toasts
from gui.views.dropping import Dropping
from gui.views.menus import Menus
from gui.views.window_actions import window_actions

__all__ = ["PAGES", "MainWindow"]

GEOMETRY_FILE = "gui-window.ini"


class Entry(NamedTuple):
    """Where a page is found, before it is imported."""

    title: str
    icon: str
    module: str
    class_name: str


PAGES = {
    "home": Entry("Home", "home", "gui.views.home_page", "HomePage"),
    "data": Entry("Data", "data", "gui.views.data.page", "DataPage"),
    "train": Entry("Train", "train", "gui.views.train.page", "TrainPage"),
    "simulate": Entry("Simulate", "simulate", "gui.views.simulate.page", "SimulatePage"),
    "runs": Entry("Runs", "runs", "gui.views.runs.page", "RunsPage"),
}
PAGE_OF_JOB = {"train": "train", "md": "simulate", "pimd": "simulate"}


class MainWindow(QMainWindow):
    """The window of the app.

    Attributes
    ----------
    session, actions_
        What the pages share; all that can be done.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        if not isinstance(session.dialogs, QtDialogs) and not session.has_dialogs:
            session.dialogs = QtDialogs(self)
        self.actions_ = Actions(self)
        self.log = Log(session.jobs, session.notifications, self)
        self._news = JobNews(session.jobs, session.notifications, self)
        self._closing = Closing(self, session)
        self._pages: dict[str, QWidget] = {}
        self._name = ""
        self._inspector: Any = None  # its module is imported when it is first shown
        self._looked_at: Any = None  # a frame or a job
        self._build()
        self._connect()
        self.actions_.add(window_actions(self))
        self.menus = Menus(self, self.actions_)
        self._geometry = QSettings(
            str(session.settings.path.with_name(GEOMETRY_FILE)), QSettings.Format.IniFormat
        )
        self._restore()
        self.show_page("home")

    # --- pages -----------------------------------------------------------------------------------------------------

    @property
    def current_page(self) -> Page | None:
        """The page in front; None if it could not be loaded."""
        page = self._pages.get(self._name)
        return page if isinstance(page, Page) else None

    @property
    def page_name(self) -> str:
        """Name of the page in front."""
        return self._name

    def page(self, name: str) -> Page | None:
        """Return a page, made if need be; None if it cannot be loaded."""
        if name not in self._pages:
            self._pages[name] = self._load(name)
            self._stack.addWidget(self._pages[name])
        page = self._pages[name]
        return page if isinstance(page, Page) else None

    def show_page(self, name: str) -> None:
        """Bring a page to the front; ``quantum`` is a mode of the page Simulate."""
        mode, name = ("quantum", "simulate") if name == "quantum" else ("", name)
        page = self.page(name)
        if name != self._name:
            if (previous := self.current_page) is not None:
                self.actions_.remove(action.id for action in previous.actions_())
            self._name = name
            self._stack.setCurrentWidget(self._pages[name])
            self._rail.select(name)
            if page is not None:
                self.actions_.add(page.actions_())
        if mode and page is not None:
            page.show_mode(mode)

    def show_job(self, job: Job) -> None:
        """Bring a job's page to the front; it hears of the job by itself unless it is made only now."""
        name = PAGE_OF_JOB[job.kind]
        is_new = name not in self._pages
        self.show_page(name)
        if is_new and self.current_page is not None:
            self.current_page.show_job(job)

    def _load(self, name: str) -> QWidget:
        entry = PAGES[name]
        try:
            page = getattr(import_module(entry.module), entry.class_name)(self.session)
        except Exception as error:  # noqa: BLE001 (one broken page must not take the others with it)
            logging.getLogger(__name__).error(traceback.format_exc())
            self.log.add(
                "error", f"The page {entry.title} cannot be shown:\n{traceback.format_exc()}"
            )
            return EmptyState(
                "error", f"{entry.title} cannot be shown", f"{error}. The log tells more."
            )
        for editor in (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractItemView):
            for widget in page.findChildren(
                editor
            ):  # files go to the window, wherever they are dropped
                widget.setAcceptDrops(False)
        return page

    # --- parts that come and go --------------------------------------------------------------------------------------

    def toggle_log(self) -> None:
        """Show or hide the log."""
        self.log_pane.setVisible(self.log_pane.isHidden())
        if self.log_pane.isVisible():
            self.log.mark_read()

    def next_warning(self) -> None:
        """Show the log at the next warning."""
        self.log_pane.show()
        self.log.mark_read()
        self.log_pane.next_warning()

    def toggle_inspector(self) -> None:
        """Show or hide the inspector."""
        self.show_inspector(self._inspector is None or self._inspector.isHidden())

    def show_inspector(self, shown: bool) -> Any:
        """Show or hide the inspector, which is made when it is first shown; return it."""
        if shown and self._inspector is None:
            from gui.views.common.inspector import Inspector

            self._inspector = Inspector(self.session)
            self._across.addWidget(self._inspector)
            self._across.setSizes([self.width() - 44 * UNIT, 40 * UNIT])
            self._show_looked_at()
        if self._inspector is not None:
            self._inspector.setVisible(shown)
        return self._inspector

    def _show_looked_at(self) -> None:
        """Let a new inspector show what was looked at before it was there, else the newest job."""
        shown = self._looked_at or next(reversed(self.session.jobs.running()), None)
        if isinstance(shown, Job):
            self._inspector.showJob(shown)
        elif shown is not None:
            self._inspector.showFrame(shown)

    def _remember(self, shown: object) -> None:
        self._looked_at = shown

    def open_palette(self) -> None:
        """Ask what a person wants to do."""
        self.palette_.open()

    def open_path(self, path: Path) -> None:
        """Open a file: the page in front is asked first."""
        page = self.current_page
        if page is not None and path.exists() and page.open_file(path):
            self.session.settings.add_recent(path)
            return
        self.session.open_file(path)

    # --- the end -------------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close, once it is clear what happens to the jobs."""
        if self._closing.may_close():
            self._save()
            event.accept()
        else:
            event.ignore()

    def close_now(self) -> None:
        """Close without a question: jobs save and end, unless they were told to keep running."""
        self._closing.stop_all()

    # --- inside --------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setWindowTitle("NequIP OpenMM")
        self.setWindowIcon(QIcon(str(FOLDER / "app.svg")))
        self.setMinimumSize(QSize(880, 600))
        self._rail = NavigationRail({name: (e.title, e.icon) for name, e in PAGES.items()})
        self._stack = QStackedWidget()
        self._across = QSplitter(Qt.Orientation.Horizontal)
        self._across.setChildrenCollapsible(False)
        self._across.addWidget(self._stack)
        self.log_pane = LogPane(self.log)
        self.log_pane.hide()
        self._down = QSplitter(Qt.Orientation.Vertical)
        self._down.setChildrenCollapsible(False)
        self._down.addWidget(self._across)
        self._down.addWidget(self.log_pane)
        self._down.setStretchFactor(0, 1)
        self.job_bar = JobBar(self.session.jobs)
        self._add_tools()
        centre = QWidget()
        centre.setObjectName("canvas")
        middle = QWidget()
        inner = QVBoxLayout(middle)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self._down)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(middle, 1)
        right.addWidget(self.job_bar)
        layout = QHBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._rail)
        layout.addLayout(right, 1)
        self.setCentralWidget(centre)
        self.palette_ = CommandPalette(self.actions_, centre)
        self.toasts = Toasts(middle, self.session.dialogs)
        self._dropping = Dropping(self)
        centre.setFocus()

    def _add_tools(self) -> None:
        tools = (
            ("search", "Command palette", self.open_palette, "Ctrl+K"),
            ("inspector", "Inspector", self.toggle_inspector, "Ctrl+I"),
            ("theme", "Light or dark", self.toggle_theme, "Ctrl+Shift+D"),
        )
        for icon_name, name, callback, shortcut in tools:
            self._rail.addTool(IconButton(icon_name, name, callback, shortcut=shortcut))

    def toggle_theme(self) -> None:
        """Change between light and dark."""
        choice = "light" if self.session.theme.is_dark else "dark"
        self.session.settings.set("theme", choice)
        self.session.theme.choose(choice)  # type: ignore[arg-type]

    def _connect(self) -> None:
        self._rail.chosen.connect(self.show_page)
        self.session.page_wanted.connect(self.show_page)
        self.session.job_shown.connect(self.show_job)
        self.session.job_shown.connect(self._remember)
        self.session.frame_shown.connect(self._remember)
        self.session.frame_shown.connect(self._offer_inspector)
        self.session.notifications.notified.connect(self._tell)
        self.job_bar.job_wanted.connect(self.session.job_shown)
        self.job_bar.log_wanted.connect(self.toggle_log)
        self.log_pane.close_button.clicked.connect(self.log_pane.hide)
        self.log.counted.connect(self._count_warnings)

    def _offer_inspector(self, frame: object) -> None:
        """The first frame opens the inspector; afterwards a person's choice holds."""
        if self._inspector is None and self.width() >= 150 * UNIT:
            self.show_inspector(True).showFrame(frame)

    def _tell(self, news: object) -> None:
        self.toasts.tell(news)  # type: ignore[arg-type]
        if not self.isActiveWindow():
            QApplication.alert(self)

    def _count_warnings(self) -> None:
        if self.log_pane.isVisible() and self.log.n_warnings:
            self.log.mark_read()
        else:
            self.job_bar.setWarnings(self.log.n_warnings)

    def _restore(self) -> None:
        """Be where and as large as the last time, if that is on a screen."""
        self.resize(160 * UNIT, 105 * UNIT)
        geometry = self._geometry.value("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)
        QTimer.singleShot(0, self, self.session.attach_running)

    def _save(self) -> None:
        self._geometry.setValue("geometry", self.saveGeometry())
        self._geometry.sync()


def _demo() -> QWidget:
    from gui.demo import demo_session

    session = demo_session()
    window = MainWindow(session)
    session.setParent(window)
    return window


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 1200, 760)
