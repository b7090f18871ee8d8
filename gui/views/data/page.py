"""The Data page: from a dropped file to frames that a model can learn from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from gui.actions import Action
from gui.core.kinds import FileKind, kind_of_file
from gui.session import Session
from gui.slots import weakly
from gui.viewmodels.dataset import DatasetModel, DataState
from gui.views.common.buttons import button
from gui.views.common.empty_state import EmptyState
from gui.views.common.page import Page, PageState
from gui.views.data.error_panel import ErrorPanel, split_message
from gui.views.data.loading_panel import LoadingPanel
from gui.views.data.mapping_form import MappingForm
from gui.views.data.overview import Overview
from nequip_openmm.examples import METHANOL

__all__ = ["DataPage"]

KINDS = (
    "Data sets (*.xyz *.extxyz *.exyz *.xyz.gz *.extxyz.gz *.traj *.db *.json *.npz *.xml OUTCAR *.out *.log);;"
    "All files (*)"
)
XYZ = (".xyz", ".extxyz")
"""Files that are worth a try even if they seem to hold structures alone: labels may have names that are not known."""

STATES = {
    DataState.EMPTY: PageState.EMPTY,
    DataState.LOADING: PageState.LOADING,
    DataState.UNCLEAR: PageState.INVALID,
    DataState.FAILED: PageState.FAILED,
    DataState.LOADED: PageState.READY,
}


class DataPage(Page):
    """Shows one state of a `DatasetModel` at a time and keeps the session's data set up to date."""

    name = "data"
    title = "Data"
    icon = "data"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.model = DatasetModel(session.task, self)
        self.empty = self._empty()
        self.loading, self.failed = LoadingPanel(), ErrorPanel()
        self.mapping, self.overview = MappingForm(), Overview(self.model)
        self._mapping_area = _centred(self.mapping)
        self._stack = QStackedWidget()
        for face in (
            self._framed(self.empty),
            self.loading,
            self.failed,
            self._mapping_area,
            self.overview,
        ):
            self._stack.addWidget(face)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self._connect()
        self._show_state(self.model.state)

    def open_file(self, path: Path) -> bool:
        """Open what may be a data set; what is clearly something else is left to its own page."""
        kind = kind_of_file(path)
        is_xyz = kind is FileKind.STRUCTURE and path.suffix.lower() in XYZ
        if kind not in (FileKind.DATASET, FileKind.UNKNOWN) and not is_xyz:
            return False
        self._open(path)
        return True

    def actions_(self) -> list[Action]:
        """Return what can be done with data sets."""
        return [
            Action("data.open", "Open a data set…", self.ask_for_file),
            Action("data.folder", "Open a DeePMD folder…", self.ask_for_folder),
            Action("data.example", "Open the methanol example", self.open_example),
            Action(
                "data.mapping", "Names and units…", self.ask_for_mapping, is_enabled=self._is_open
            ),
            Action(
                "data.unfilter",
                "Show all frames",
                self.model.clear_filters,
                is_enabled=self._is_open,
            ),
            Action("data.close", "Close the data set", self.model.close, is_enabled=self._is_open),
        ]

    def ask_for_file(self) -> None:
        """Let a person choose a file."""
        self.session.dialogs.open_files("Open a data set", self._open_first, kinds=KINDS)

    def ask_for_folder(self) -> None:
        """Let a person choose a folder of DeePMD files."""
        self.session.dialogs.open_folder("Open a folder of DeePMD files", self._open)

    def open_example(self) -> None:
        """Open the data set that travels with the package."""
        self._open(METHANOL)

    def ask_for_mapping(self) -> None:
        """Let a person say what is what in the file."""
        if self.model.reading is None:
            return
        dialog = QDialog(self)
        dialog.setWindowTitle("Names and units")
        form = MappingForm()
        form.ask(self.model.reading, self.model.fields, "Choose only what was not found by itself.")
        form.confirmed.connect(dialog.accept)
        form.confirmed.connect(self.model.read)
        form.dismissed.connect(dialog.reject)
        layout = QVBoxLayout(dialog)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # ---

    def _connect(self) -> None:
        model = self.model
        model.state_changed.connect(self._show_state)
        model.progressed.connect(self.loading.setProgress)
        model.dataset_changed.connect(self._publish)
        model.split_changed.connect(self._publish)
        self.loading.cancelled.connect(model.cancel)
        self.failed.dismissed.connect(model.dismiss)
        self.failed.other_wanted.connect(self.ask_for_file)
        self.failed.mapping_wanted.connect(self.ask_for_mapping)
        self.mapping.confirmed.connect(model.read)
        self.mapping.dismissed.connect(model.dismiss)
        self.mapping.accepted.connect(model.accept)
        self.overview.mapping_wanted.connect(self.ask_for_mapping)
        self.overview.continued.connect(self._continue)
        self.overview.filters.saving_wanted.connect(self._save_part)
        self.overview.inspected.connect(self._show_in_inspector)
        self.session.dataset_opened.connect(model.open)
        self.destroyed.connect(model.shut_down)

    def _show_state(self, state: DataState) -> None:
        path = None if self.model.reading is None else self.model.reading.path
        if state is DataState.LOADING and path is not None:
            self.loading.begin(path)
        elif state is DataState.FAILED and path is not None:
            self.failed.tell(path, self.model.error)
        elif state is DataState.UNCLEAR and self.model.reading is not None:
            self._ask(self.model.reading.path)
        self._stack.setCurrentIndex(_FACES[state])
        self.state = STATES[state]

    def _ask(self, path: Path) -> None:
        complaint = split_message(str(self.model.error.get("title", "")), path)
        where = f" ({complaint.place.lower()})" if complaint.place else ""
        reading = self.model.reading
        if reading is not None:
            problem = complaint.problem.rstrip(".") + where + "."
            needed = str(self.model.error.get("code", "")).removeprefix("unclear-")
            may_accept = self.model.may_accept
            self.mapping.ask(
                reading, self.model.fields, problem, needed=needed, may_accept=may_accept
            )

    def _save_part(self, shown: bool) -> None:
        """Ask where to, write, and offer to go on with what was written."""
        dataset = self.model.dataset
        if dataset is None:
            return
        name = f"{dataset.path.stem}-part.xyz"
        self.session.dialogs.save_file(
            "Save frames", lambda path: self._save_to(path, shown), name=name, kinds="XYZ (*.xyz)"
        )

    def _save_to(self, path: Path, shown: bool) -> None:
        task = self.model.save_part(path, shown)
        if task is not None:
            task.finished.connect(weakly(self._tell_saved, path))
            task.failed.connect(self._tell_failure)

    def _tell_failure(self, error: dict[str, str]) -> None:
        self.session.notifications.error(error["title"])

    def _tell_saved(self, path: Path, result: dict[str, object]) -> None:
        said = f"{result['frames']} frames are in {path.name}."
        self.session.notifications.ok(said)
        self.session.dialogs.ask(
            "Saved", f"{said} Open it now?", ["Open it"], lambda _answer: self._open(path)
        )

    def _publish(self) -> None:
        self.session.dataset = self.model.dataset

    def _show_in_inspector(self, index: int) -> None:
        dataset = self.model.dataset
        if dataset is not None:
            frame = dataset.frame(index)
            self.session.frame_shown.emit(
                {
                    "title": f"{dataset.path.name}, frame {index:,}",
                    "numbers": frame.numbers,
                    "pbc": frame.pbc,
                    "positions": frame.positions,
                    "cell": frame.cell if frame.pbc.any() else None,
                    "forces": frame.forces,
                }
            )

    def _continue(self) -> None:
        self._publish()
        self.session.page_wanted.emit("train")

    def _open_first(self, paths: list[Path]) -> None:
        if paths:
            self._open(paths[0])

    def _open(self, path: Path) -> None:
        self.session.settings.add_recent(path)
        self.model.open(path)

    def _is_open(self) -> bool:
        return self.model.state is DataState.LOADED

    def _empty(self) -> EmptyState:
        return EmptyState(
            "data",
            "Drop a data set here",
            "Structures with energies and forces: extended XYZ, ASE trajectories and data bases, sGDML and rMD17 "
            "archives, VASP, DeePMD folders.",
            [
                button("Open…", self.ask_for_file, role="primary", icon_name="open"),
                button("Folder…", self.ask_for_folder),
                button("Methanol example", self.open_example, icon_name="molecule"),
            ],
            is_drop_area=True,
        )

    def _framed(self, face: QWidget) -> QWidget:
        area = QWidget()
        layout = QVBoxLayout(area)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.addWidget(face)
        return area


_FACES = {
    DataState.EMPTY: 0,
    DataState.LOADING: 1,
    DataState.FAILED: 2,
    DataState.UNCLEAR: 3,
    DataState.LOADED: 4,
}


def _centred(form: QWidget) -> QWidget:
    """Return a card with a form in the middle of the page."""
    card, area = QFrame(), QWidget()
    card.setProperty("role", "card")
    card.setMaximumWidth(800)
    inner = QVBoxLayout(card)
    inner.setContentsMargins(0, 0, 0, 0)
    inner.addWidget(form)
    row = QHBoxLayout()
    row.addStretch(1)
    row.addWidget(card, 1000)
    row.addStretch(1)
    layout = QVBoxLayout(area)
    layout.addStretch(2)
    layout.addLayout(row)
    layout.addStretch(3)
    layout.setContentsMargins(64, 24, 64, 24)
    return area


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.datasets import demo_dataset

    session = demo_session()
    page = DataPage(session)
    session.setParent(page)
    page.model.take(demo_dataset())
    return page


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
