"""The Runs page: what was run, how it went, what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui.actions import Action
from gui.core.kinds import FileKind, kind_of_file
from gui.core.wording import short_path
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.run_table import RunFilter, RunTable
from gui.viewmodels.runs import Runs
from gui.views.common.banner import Banner
from gui.views.common.buttons import IconButton, button
from gui.views.common.card import Card
from gui.views.common.empty_state import EmptyState
from gui.views.common.icons import icon
from gui.views.common.labels import Elided, label
from gui.views.common.page import Page, PageState
from gui.views.common.segmented import SegmentedControl
from gui.views.runs.curves_panel import CurvesPanel
from gui.views.runs.run_list import RunList
from gui.views.runs.settings_panel import SettingsPanel

__all__ = ["RunsPage"]

_GROUPS = ("all", "running", "finished", "ended early")


class RunsPage(Page):
    """All runs of the runs' folder, and those that were opened from elsewhere."""

    name, title, icon = "runs", "Runs", "runs"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.runs = Runs(session, self)
        self.table = RunTable(self.runs, self)
        self.filter = RunFilter(self.table, self)
        self.list = RunList(self.filter)
        self.curves = CurvesPanel(session, self.runs)
        self.settings = SettingsPanel(self.runs)
        self.banner = Banner()
        self.progress = QProgressBar()
        self._build()
        self._connect()
        self._update()

    def open_file(self, path: Path) -> bool:
        """Take the folder of a run."""
        if kind_of_file(path) is not FileKind.RUN:
            return False
        self.session.show_run(path)
        return True

    def actions_(self) -> list[Action]:
        """Return what can be done with the run that is looked at."""
        runs, do = self.runs, self._of_current
        return [
            Action("runs.open", "Open run", do(runs.open), is_enabled=self._if_current(runs.can_open)),
            Action("runs.continue", "Continue run", do(runs.continue_), is_enabled=self._if_current(runs.can_continue)),
            Action("runs.use", "Use model in simulation", do(runs.use_model), is_enabled=self._if_current(runs.can_use)),
            Action("runs.folder", "Open run folder", do(self._open_folder), is_enabled=self._if_current(lambda _: True)),
            Action("runs.trash", "Move run to trash…", self._ask_to_trash, is_enabled=self._if_current(runs.can_trash)),
            Action("runs.untick", "Compare nothing", runs.untick_all),
        ]  # fmt: skip

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Look for changes while the page is seen."""
        super().showEvent(event)
        self.runs.watch(True)
        self._update()
        self.list.setFocus()

    def hideEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Leave the disk alone while it is not."""
        super().hideEvent(event)
        self.runs.watch(False)

    # what is done

    def _of_current(self, do: Callable[[Path], object]) -> Callable[[], None]:
        """Return a function that does something with the run that is looked at, if there is one."""

        def act() -> None:
            folder = self.list.current()
            if folder is not None:
                do(folder)

        return act

    def _if_current(self, can: Callable[[Path], bool]) -> Callable[[], bool]:
        """Return a function that asks whether something can be done with it."""

        def is_possible() -> bool:
            folder = self.list.current()
            return folder is not None and can(folder)

        return is_possible

    def _open_folder(self, folder: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _ask_to_trash(self) -> None:
        self.runs.ask_to_trash(self.list.folders())

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action in self.actions_():
            if action.id != "runs.untick":
                menu.addAction(action.title, action.callback).setEnabled(action.is_enabled())
        menu.popup(self.list.viewport().mapToGlobal(at))

    def _choose_runs_folder(self) -> None:
        def take(folder: Path) -> None:
            self.session.settings.set("runs_folder", folder)
            self.runs.look()
            self._update()

        self.session.dialogs.open_folder("Folder of runs", take, folder=self.runs.root)

    # what is shown

    def _update(self) -> None:
        """Show the state that fits: loading, empty, ready, or invalid where the folder cannot be read."""
        n = self.table.rowCount()
        if self.runs.problem:
            self.state = PageState.INVALID
        elif n:
            self.state = PageState.READY
        else:
            self.state = PageState.LOADING if self.runs.is_loading else PageState.EMPTY
        self.progress.setVisible(self.runs.is_loading)
        self._stack.setCurrentIndex(1 if self.state is PageState.EMPTY else 0)
        self._root.setText(short_path(self.runs.root))
        shown = self.filter.rowCount()
        runs = "run" if n == 1 else "runs"
        self._count.setText(f"{n:,} {runs}" if shown == n else f"{shown:,} of {n:,} {runs}")
        self._count.setVisible(n > 0)
        self._update_buttons()

    def _update_buttons(self) -> None:
        folder = self.list.current()
        n_ticked = len(self.runs.chosen) if folder is None or self.runs.chosen != [folder] else 0
        self._open.setEnabled(self.runs.can_open(folder))
        self._continue.setVisible(self.runs.can_continue(folder))
        self._use.setVisible(self.runs.can_use(folder))
        self._trash.setEnabled(any(map(self.runs.can_trash, self.list.folders())))
        self._folder.setEnabled(folder is not None)
        self._untick.setVisible(n_ticked > 0)
        self._untick.setText(f"Comparing {n_ticked}")

    def _tell_problem(self, problem: str) -> None:
        if problem:
            buttons: dict[str, Callable[[], object]] = {
                "Choose another folder…": self._choose_runs_folder
            }
            self.banner.show_("error", problem, buttons=buttons)
        else:
            self.banner.hide()
        self._update()

    def _connect(self) -> None:
        runs = self.runs
        runs.changed.connect(self._update)
        runs.loading_changed.connect(lambda _on: self._update())
        runs.chosen_changed.connect(self._update_buttons)
        runs.failed.connect(self._tell_problem)
        self.list.currentRunChanged.connect(runs.set_current)
        self.list.selectionModel().selectionChanged.connect(lambda *_: self._update_buttons())
        self.list.opened.connect(runs.open)
        self.list.trashAsked.connect(self._ask_to_trash)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self._search.textChanged.connect(self._filter_text)
        self._kinds.chosen.connect(self._filter_kind)
        self._groups.activated.connect(self._filter_group)
        self._tabs.chosen.connect(self._show_panel)

    def _show_panel(self, key: str) -> None:
        is_curves = key == "curves"
        self._panels.setCurrentWidget(self.curves if is_curves else self.settings)
        self.curves.quantityBox.setVisible(is_curves)
        self.curves.exportButton.setVisible(is_curves)

    def _filter_text(self, text: str) -> None:
        self.filter.set_text(text)
        self._update()

    def _filter_kind(self, kind: str) -> None:
        self.filter.set_kind(kind)
        self._update()

    def _filter_group(self, number: int) -> None:
        self.filter.set_group(_GROUPS[number])
        self._update()

    # how it is built

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addLayout(self._head())
        layout.addWidget(self.banner)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._content())
        self._stack.addWidget(self._empty())
        layout.addWidget(self._stack, 1)

    def _head(self) -> QHBoxLayout:
        self._root = Elided("", "muted", Qt.TextElideMode.ElideMiddle)
        self._count = label("", "muted")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(label("Runs", "title"))
        row.addSpacing(UNIT)
        row.addWidget(self._root, 1)
        row.addWidget(self._count)
        row.addWidget(
            IconButton("folder", "Choose another folder of runs…", self._choose_runs_folder)
        )
        return row

    def _content(self) -> QWidget:
        upper = Card()
        upper.body.addLayout(self._filters())
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName("Reading runs")
        upper.body.addWidget(self.progress)
        upper.body.addWidget(self.list, 1)
        self._tabs = SegmentedControl({"curves": "Curves", "settings": "Settings"}, "Compare")
        lower = Card()
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        for widget in (self._tabs, self.curves.quantityBox):
            head.addWidget(widget)
        head.addStretch(1)
        self._add_buttons(head)
        head.addWidget(self.curves.exportButton)
        lower.body.addLayout(head)
        self._panels = QStackedWidget()
        self._panels.addWidget(self.curves)
        self._panels.addWidget(self.settings)
        lower.body.addWidget(self._panels, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setHandleWidth(2 * UNIT)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(upper)
        splitter.addWidget(lower)
        splitter.setSizes([330, 330])
        return splitter

    def _filters(self) -> QHBoxLayout:
        self._search = QLineEdit()
        self._search.setPlaceholderText("Filter by name, state or result")
        self._search.setAccessibleName("Filter")
        self._search.setClearButtonEnabled(True)
        self._search.addAction(icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        kinds = {"all": "All", "train": "Training", "md": "Simulation", "pimd": "Quantum"}
        self._kinds = SegmentedControl(kinds, "Kind")
        self._groups = QComboBox()
        self._groups.setAccessibleName("State")
        self._groups.addItems(["Any state", "Running", "Finished", "Ended early"])
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self._search, 1)
        row.addWidget(self._kinds)
        row.addWidget(self._groups)
        return row

    def _add_buttons(self, row: QHBoxLayout) -> None:
        self._open = button("Open", self._of_current(self.runs.open), icon_name="eye", tip="Show this run on its page (Return)")  # fmt: skip
        self._continue = button("Continue", self._of_current(self.runs.continue_), icon_name="restart", tip="Go on from the last checkpoint")  # fmt: skip
        self._use = button("Use in simulation", self._of_current(self.runs.use_model), icon_name="simulate", tip="Take its best model to the Simulate page")  # fmt: skip
        self._folder = IconButton("folder", "Open its folder", self._of_current(self._open_folder))
        self._trash = IconButton("trash", "Move to trash…", self._ask_to_trash, shortcut="Del")
        self._untick = button(
            "", self.runs.untick_all, role="flat", icon_name="close", tip="Compare nothing"
        )
        for text_button in (self._untick, self._open, self._continue, self._use):
            row.addWidget(text_button)
        for icon_button in (self._folder, self._trash):
            row.addWidget(icon_button)

    def _empty(self) -> QWidget:
        wanted = self.session.page_wanted
        return EmptyState(
            "runs",
            "No runs yet",
            "Trainings and simulations appear here while they run, and stay until you throw them away. "
            "Drop the folder of a run made elsewhere to see it too.",
            [
                button("Train a potential", lambda: wanted.emit("train"), role="primary"),
                button("Run a simulation", lambda: wanted.emit("simulate")),
            ],
            is_drop_area=True,
        )


def _demo() -> QWidget:
    """Return the page with made-up runs."""
    from gui.demo import demo_session
    from gui.demo.runs import write_runs

    session = demo_session()
    write_runs(session.settings.runs_folder)
    return RunsPage(session)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 1024, 700)
