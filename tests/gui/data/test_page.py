"""The Data page in each of its states, by mouse and keys; files are read by the real reader in a child process."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QDialog, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gui.core.datasets import Reading
from gui.demo.datasets import demo_dataset
from gui.dialogs import Answers
from gui.session import Session
from gui.settings import SettingsStore
from gui.theme import theme
from gui.viewmodels.dataset import DataState
from gui.views.common.page import PageState
from gui.views.data.error_panel import split_message
from gui.views.data.mapping_form import MappingForm
from gui.views.data.page import DataPage
from gui.views.data.summary_strip import facts_of
from nequip_openmm.examples import METHANOL

READER = [sys.executable, "-m", "nequip_openmm"]

XYZ = """3
Properties=species:S:1:pos:R:3:{forces}:R:3 {energy} pbc="F F F"
O 0.0 0.0 {z} 0.0 0.0 0.5
H 0.0 0.7 -0.5 0.0 0.1 -0.25
H 0.0 -0.7 -0.5 0.0 -0.1 -0.25
"""


def write_xyz(path: Path, energy: str = "energy={e}", forces: str = "forces", n: int = 6) -> Path:
    text = XYZ.replace("{energy}", energy)
    path.write_text(
        "".join(text.format(e=-14.5 + 0.1 * i, z=0.1 * i, forces=forces) for i in range(n))
    )
    return path


@pytest.fixture
def session(tmp_path: Path, answers: Answers, qapp: object) -> Iterator[Session]:
    session = Session(SettingsStore(tmp_path / "gui.json"), answers, READER)
    yield session
    shiboken6.delete(session)  # the whole tree at once, in the right order


@pytest.fixture
def page(session: Session, qtbot: QtBot) -> Iterator[DataPage]:
    page = DataPage(session)
    qtbot.addWidget(page)
    page.resize(1024, 640)
    page.show()
    yield page
    page.model.shut_down()


@pytest.fixture
def loaded(page: DataPage) -> DataPage:
    page.model.take(demo_dataset(300))
    return page


def button(widget: QWidget, text: str) -> QPushButton:
    found = [b for b in widget.findChildren(QPushButton) if b.text().startswith(text)]
    assert len(found) == 1, f"{len(found)} buttons {text!r}"
    return found[0]


def press(qtbot: QtBot, widget: QWidget, text: str) -> None:
    qtbot.mouseClick(button(widget, text), Qt.MouseButton.LeftButton)


def read(qtbot: QtBot, page: DataPage, path: Path, state: DataState) -> None:
    page.open_file(path)
    qtbot.waitUntil(lambda: page.model.state is state)


def test_empty_page_opens_files_folders_and_the_example(
    page: DataPage, session: Session, answers: Answers, tmp_path: Path, qtbot: QtBot
) -> None:
    assert page.state is PageState.EMPTY
    opened: list[Reading] = []
    page.model.read = opened.append  # type: ignore[method-assign]
    answers.ready["open_files"] = [tmp_path / "a.xyz", tmp_path / "b.xyz"]
    press(qtbot, page.empty, "Open")
    answers.ready["open_folder"] = tmp_path
    press(qtbot, page.empty, "Folder")
    press(qtbot, page.empty, "Methanol")
    assert [reading.path for reading in opened] == [tmp_path / "a.xyz", tmp_path, METHANOL]
    assert METHANOL.exists()


def test_example_is_read_and_handed_to_training(
    page: DataPage, session: Session, qtbot: QtBot
) -> None:
    pages: list[str] = []
    session.page_wanted.connect(pages.append)
    press(qtbot, page.empty, "Methanol")
    assert page.state is PageState.LOADING
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    assert session.dataset is page.model.dataset
    assert page.overview.rows.rowCount() == 360
    assert page.overview.title.wholeText() == METHANOL.name
    qtbot.mouseClick(page.overview.split.continue_button, Qt.MouseButton.LeftButton)
    assert pages == ["train"]
    assert session.dataset.data_settings()["path"] == str(METHANOL)


def test_what_is_for_another_page_is_left_to_it(page: DataPage, tmp_path: Path) -> None:
    opened: list[Reading] = []
    page.model.read = opened.append  # type: ignore[method-assign]
    model = tmp_path / "model.safetensors"
    model.touch()
    assert not page.open_file(model)
    structure = tmp_path / "protein.pdb"
    structure.touch()
    assert not page.open_file(structure)
    assert page.open_file(write_xyz(tmp_path / "water.xyz"))
    assert [reading.path.name for reading in opened] == ["water.xyz"]


def test_reading_can_be_cancelled(page: DataPage, tmp_path: Path, qtbot: QtBot) -> None:
    page.open_file(write_xyz(tmp_path / "large.xyz", n=20_000))
    qtbot.waitUntil(lambda: "%" in page.loading.text())
    press(qtbot, page.loading, "Cancel")
    qtbot.waitUntil(lambda: page.state is PageState.EMPTY)


def test_a_broken_file_is_explained(page: DataPage, tmp_path: Path, qtbot: QtBot) -> None:
    path = write_xyz(tmp_path / "cut.xyz")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    read(qtbot, page, path, DataState.FAILED)
    assert page.state is PageState.FAILED
    assert "expected 3 atoms" in page.failed.details()
    assert "Line 26, frame 5" in page.failed.place()
    press(qtbot, page.failed, "Back")
    assert page.state is PageState.EMPTY


def test_two_names_for_the_energy_are_asked_about(
    page: DataPage, tmp_path: Path, qtbot: QtBot
) -> None:
    path = write_xyz(tmp_path / "two.xyz", energy="REF_energy={e} dft_energy=0.0")
    read(qtbot, page, path, DataState.UNCLEAR)
    assert page.state is PageState.INVALID
    energy = page.mapping.boxes()["energy"]
    assert [energy.itemData(i) for i in range(energy.count())] == ["", "REF_energy", "dft_energy"]
    confirm = button(page.mapping, "Read again")
    assert not confirm.isEnabled()
    energy.setCurrentIndex(1)
    qtbot.mouseClick(confirm, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    assert page.model.dataset is not None
    assert page.model.dataset.data_settings()["keys"] == {"energy": "REF_energy"}
    assert page.model.dataset.arrays["energies"][0] == -14.5


def test_forces_under_an_unknown_name_are_asked_for(
    page: DataPage, tmp_path: Path, qtbot: QtBot
) -> None:
    path = write_xyz(tmp_path / "odd.xyz", forces="f_dft")
    read(qtbot, page, path, DataState.UNCLEAR)
    forces = page.mapping.boxes()["forces"]
    assert forces.itemData(1) == "f_dft"
    assert button(page.mapping, "Use as it is").isVisible()
    forces.setCurrentIndex(1)
    press(qtbot, page.mapping, "Read again")
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    assert page.model.dataset is not None
    assert page.model.dataset.arrays["max_forces"][0] == pytest.approx(0.5)


def test_units_that_an_archive_does_not_say_are_asked_for(
    page: DataPage, tmp_path: Path, qtbot: QtBot
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "frames.npz"
    positions = np.array([[0.0, 0, 0.1], [0, 0.76, -0.47], [0, -0.76, -0.47]])
    positions = positions + rng.normal(scale=0.05, size=(8, 3, 3))
    forces = rng.normal(size=(8, 3, 3))
    np.savez(path, positions=positions, numbers=[8, 1, 1], E=rng.normal(size=8), F=forces)
    read(qtbot, page, path, DataState.UNCLEAR)
    units = page.mapping.boxes()["units"]
    assert not button(page.mapping, "Read again").isEnabled()
    units.setCurrentIndex(units.findData("kcal/mol/Å"))
    press(qtbot, page.mapping, "Read again")
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    assert page.model.dataset is not None
    assert page.model.dataset.data_settings()["units"] == "kcal/mol/Å"
    np.testing.assert_allclose(page.model.dataset.frame(0).forces, forces[0] * 0.0433641, rtol=1e-6)


def test_names_can_be_changed_later(loaded: DataPage, qtbot: QtBot) -> None:
    readings: list[Reading] = []
    loaded.model.read = readings.append  # type: ignore[method-assign]
    loaded.model.reading = Reading(Path("water.xyz"), keys={"energy": "E"})
    loaded.model.fields = ({"name": "E", "kind": "number", "example": "1"},)
    loaded.ask_for_mapping()
    dialog = next(d for d in loaded.findChildren(QDialog) if d.isVisible())
    form = dialog.findChild(MappingForm)
    assert form is not None
    assert form.boxes()["energy"].currentData() == "E"
    units = form.boxes()["units"]
    units.setCurrentIndex(units.findData("kcal/mol/Å"))
    press(qtbot, form, "Read again")
    assert not dialog.isVisible()
    assert readings == [Reading(Path("water.xyz"), None, "kcal/mol/Å", {"energy": "E"})]


# --- a data set is open


def test_a_click_into_a_histogram_filters(loaded: DataPage, qtbot: QtBot) -> None:
    view = loaded.overview.histograms.views()["force_norms"]
    right = QPoint(view.width() - 9, view.height() // 2)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=right)
    last = len(view.histogram().counts) - 1
    assert loaded.model.filters.bins == {"force_norms": (last, last)}
    n_shown = loaded.overview.rows.rowCount()
    assert 0 < n_shown < 300
    assert loaded.model.mask is not None
    assert n_shown == loaded.model.mask.sum()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=right)
    assert loaded.overview.rows.rowCount() == 300


def test_frames_that_are_wrong_are_left_out(
    page: DataPage, answers: Answers, tmp_path: Path, qtbot: QtBot
) -> None:
    """The way out of 'leave these frames out': show them, save the others, go on with these."""
    path = write_xyz(tmp_path / "water.xyz")
    path.write_text(path.read_text() + path.read_text().replace("energy=", "energy=nan was="))
    read(qtbot, page, path, DataState.LOADED)
    numbers = [finding.code for finding in page.model.dataset.findings]  # type: ignore[union-attr]
    page.model.pick_finding(numbers.index("nonfinite-energy"))
    rest = tmp_path / "rest.xyz"
    answers.ready |= {"save_file": rest, "ask": "Open it"}
    page.overview.filters.saving_wanted.emit(False)
    qtbot.waitUntil(lambda: rest.exists() and page.state is PageState.LOADING)
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    assert page.model.dataset is not None
    assert page.model.dataset.path == rest
    assert page.model.dataset.n_frames == 6
    assert "nonfinite-energy" not in [f.code for f in page.model.dataset.findings]


def test_a_drag_takes_a_range(loaded: DataPage, qtbot: QtBot) -> None:
    view = loaded.overview.histograms.views()["nearest"]
    middle = view.height() // 2
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(view.width() // 2, middle))
    qtbot.mouseMove(view, QPoint(8, middle))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(8, middle))
    first, last = loaded.model.filters.bins["nearest"]
    assert first == 0
    assert last in (23, 24)


def test_histograms_answer_to_keys(loaded: DataPage, qtbot: QtBot) -> None:
    view = loaded.overview.histograms.views()["energies_per_atom"]
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert loaded.model.filters.bins == {"energies_per_atom": (47, 47)}
    assert "eV" in view.accessibleDescription()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert loaded.model.filters.bins == {}


def test_findings_lead_to_frames(loaded: DataPage, qtbot: QtBot) -> None:
    press(qtbot, loaded.overview.findings, "4 frames")
    table = loaded.overview.rows
    assert [table.frame_at(row) for row in range(table.rowCount())] == [20, 21, 22, 23]
    assert loaded.model.frame == 20
    press(qtbot, loaded.overview.filters, "duplicates")
    assert table.rowCount() == 300


def test_rows_show_their_frame_and_tell_the_inspector(
    loaded: DataPage, session: Session, qtbot: QtBot
) -> None:
    told: list[dict] = []
    session.frame_shown.connect(told.append)
    table = loaded.overview.table
    table.showFrame(5)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert loaded.model.frame == 6
    assert told == []
    qtbot.keyClick(table, Qt.Key.Key_Return)
    dataset = loaded.model.dataset
    assert dataset is not None
    np.testing.assert_array_equal(told[-1]["positions"], dataset.frame(6).positions)
    assert told[-1]["title"] == "water_trimer.xyz, frame 6"
    qtbot.mouseClick(tool(loaded.overview.frame, "Next frame"), Qt.MouseButton.LeftButton)
    assert loaded.model.frame == 7
    qtbot.mouseClick(tool(loaded.overview.frame, "Frame before"), Qt.MouseButton.LeftButton)
    assert loaded.model.frame == 6


def test_frames_are_played(loaded: DataPage, qtbot: QtBot) -> None:
    play = tool(loaded.overview.frame, "Play")
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: loaded.model.frame >= 2)
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    assert play.accessibleName() == "Play"


def tool(widget: QWidget, name: str) -> QToolButton:
    return next(b for b in widget.findChildren(QToolButton) if b.accessibleName() == name)


def test_sorting_keeps_the_frame_that_is_looked_at(loaded: DataPage, qtbot: QtBot) -> None:
    overview = loaded.overview
    overview.table.showFrame(40)
    overview.rows.turn(3)
    qtbot.wait(1)
    assert loaded.model.frame == 40
    assert overview.rows.frame_at(overview.table.currentIndex().row()) == 40


def test_the_division_is_edited(loaded: DataPage, session: Session, qtbot: QtBot) -> None:
    split = loaded.overview.split
    box = split.box("n_test")
    box.setValue(100)
    dataset = loaded.model.dataset
    assert dataset is not None
    assert (dataset.set_of_frame == 3).sum() == 100
    assert session.dataset is dataset
    press(qtbot, split, "Blocks")
    assert loaded.model.dataset is not None
    assert loaded.model.dataset.split.method == "block"
    box.setValue(290)
    assert not split.continue_button.isEnabled()
    assert "leave none of the 300 frames" in split.problem()
    box.setValue(10)
    assert split.continue_button.isEnabled()


def test_closing_goes_back_to_the_beginning(
    loaded: DataPage, session: Session, qtbot: QtBot
) -> None:
    press(qtbot, loaded.overview, "Close")
    assert loaded.state is PageState.EMPTY
    assert session.dataset is None


def test_everything_has_a_name_for_those_who_do_not_see(loaded: DataPage) -> None:
    silent = [
        widget
        for widget in loaded.overview.findChildren(QToolButton)
        if not widget.accessibleName()
        and not widget.text()
        and widget.parent().objectName() != "qt_scrollarea_viewport"
    ]
    assert [w for w in silent if w.isVisibleTo(loaded)] == []


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_state_can_be_drawn_at_the_least_size(page: DataPage, name: str) -> None:
    page.resize(920, 588)
    theme().choose(name)  # type: ignore[arg-type]
    model, pictures = page.model, []
    model.reading = Reading(Path("water.xyz"))
    model.error = {"code": "unclear-energy", "title": "water.xyz line 2 (frame 0): odd; mend it"}
    for state in DataState:
        if state is DataState.LOADED:
            model.take(demo_dataset(50))
        else:
            model._set_state(state)
        picture = page.grab().toImage()
        assert picture.width() == page.width() <= 920
        colours = {picture.pixel(x, y) for x in range(0, 900, 9) for y in range(0, 580, 9)}
        assert len(colours) > 3
        pictures.append(picture)
    assert all(a != b for a, b in pairwise(pictures))
    theme().choose("light")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a.xyz line 1204 (frame 6): expected 192; cut", ("Expected 192.", "Line 1,204, frame 6", "Cut.")),
        ("a.xyz (frame 2): odd", ("Odd.", "frame 2", "")),
        ("a.xyz: no such file", ("No such file.", "", "")),
        ("something else", ("Something else.", "", "")),
    ],
)  # fmt: skip
def test_messages_are_taken_apart(message: str, expected: tuple[str, str, str]) -> None:
    assert tuple(split_message(message, Path("a.xyz"))) == expected


def test_facts() -> None:
    facts = {fact.caption: fact.value for fact in facts_of(demo_dataset(2000))}
    assert facts["frames"] == "2,000"
    assert facts["composition"] == "H₆O₃"
    assert facts["not periodic"] == "–"
    assert "−" in facts["eV / atom"]


PARTS = [
    "error_panel",
    "filter_bar",
    "findings_list",
    "frame_table",
    "frame_view",
    "histogram_panel",
    "loading_panel",
    "mapping_form",
    "overview",
    "page",
    "split_editor",
    "summary_strip",
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_widgets_run_alone(part: str, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[QWidget] = []
    monkeypatch.setattr("gui.demo.show", lambda make, *size: made.append(make()))
    runpy.run_module(f"gui.views.data.{part}", run_name="__main__")
    qtbot.addWidget(made[0])
    assert not made[0].grab().isNull()
