"""The page as a person uses it: every face, every state, by mouse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from gui.core.pimd_advice import Offer
from gui.dialogs import Answers
from gui.session import Session
from gui.settings import SettingsStore
from gui.theme import theme
from gui.viewmodels.quantum import QuantumState
from gui.views.quantum.page import QuantumPage
from tests.gui.quantum.conftest import FAKE, REPOSITORY

Open = Callable[..., QuantumPage]


@pytest.fixture
def open_page(
    qtbot: Any, tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """``open_page(behaviour, **settings)``: the page with model and structure chosen."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    sessions: list[Session] = []

    def make(behaviour: str = "ok", /, **settings: object) -> QuantumPage:
        store = SettingsStore(tmp_path / "gui.json")
        store.set("runs_folder", tmp_path / "runs")
        session = Session(store, answers, [sys.executable, str(FAKE), behaviour])
        sessions.append(session)
        page = QuantumPage(session)
        qtbot.addWidget(page)
        page.resize(900, 600)
        page.show()
        page.model.set_model(tmp_path / "model.safetensors")
        page.model.set_structure(tmp_path / "methanol.xyz")
        page.model.set_values({**page.model.values, "beads": 4, "steps": 1000, **settings})
        return page

    yield make
    for session in sessions:
        for job in session.jobs.running():
            job.kill()
            job.wait(5)
        session.jobs.close(0)


def click(qtbot: Any, widget: Any) -> None:
    assert widget.isEnabled()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def reached(qtbot: Any, page: QuantumPage, *states: QuantumState) -> None:
    qtbot.waitUntil(lambda: page.model.state in states)


def test_empty_says_what_is_missing(open_page: Open) -> None:
    page = open_page()
    page.model.set_structure(None)
    assert page.face() == "setup"
    assert "structure" in page.setup._detail.text()
    assert not page.setup.startButton.isEnabled()


def test_a_wrong_value_is_told_beside_its_field(open_page: Open) -> None:
    page = open_page()
    page.setup.form.set_value("timestep", -1.0)
    assert page.model.state is QuantumState.INVALID
    assert "timestep" in page.setup.form.errors()
    assert not page.setup.startButton.isEnabled()


def test_the_check_gives_the_hint_and_a_click_takes_it(qtbot: Any, open_page: Open) -> None:
    page = open_page()
    qtbot.waitUntil(lambda: page.model.found is not None)
    click(qtbot, page.setup.useButton)
    assert page.model.values["beads"] == 36
    assert not page.setup.useButton.isVisible()
    page.setup.form.set_value("temperature", 600.0)
    assert page.model.suggested_beads == 18


def test_fields_that_do_not_matter_are_not_shown(open_page: Open) -> None:
    form = open_page().setup.form
    assert not form.cell("pressure").isRelevant()
    form.set_value("mode", "npt")
    assert form.cell("pressure").isRelevant()
    form.set_value("mode", "classical")
    assert not form.cell("beads").isRelevant()


def test_preview_and_export(qtbot: Any, open_page: Open, answers: Answers, tmp_path: Path) -> None:
    page = open_page()
    answers.ready["save_file"] = tmp_path / "exported"
    qtbot.waitUntil(lambda: page.setup.previewButton.isEnabled())
    click(qtbot, page.setup.previewButton)
    qtbot.waitUntil(lambda: page.setup.preview is not None)
    assert "<ffsocket" in page.setup.preview.text()
    page.setup.preview.export_asked.emit()
    qtbot.waitUntil(lambda: (tmp_path / "exported" / "input.xml").is_file())
    page.setup.preview.accept()


def test_a_run_by_mouse(qtbot: Any, open_page: Open) -> None:
    page = open_page()
    qtbot.waitUntil(lambda: page.setup.startButton.isEnabled())
    click(qtbot, page.setup.startButton)
    assert page.face() == "run"
    reached(qtbot, page, QuantumState.FINISHED)
    qtbot.waitUntil(lambda: page.model.run.step == 1000)
    page.run.kinetic.draw_means()
    assert page.run.kinetic.running.points("virial") > 5
    assert "virial" in page.run.kinetic.legend.text()
    assert page.run.kinetic.elementBox.count() == 4
    assert page.run.header.banner.text() == "Finished"
    qtbot.waitUntil(lambda: page.run.player.view.snapshot() is not None)
    assert page.run.player.view.snapshot().beads.shape == (4, 6, 3)
    page.run.header.leaveButton.click()
    assert page.face() == "setup"


def test_a_driver_that_died_is_restarted_from_its_lamp(qtbot: Any, open_page: Open) -> None:
    page = open_page("driver-dies")
    page.setup.start()
    reached(qtbot, page, QuantumState.WAITING)
    lamps = page.run.header.lamps
    qtbot.waitUntil(lambda: lamps._drivers and lamps._drivers[0].restartButton.isVisible())
    assert "given up" in lamps._drivers[0].text()
    assert page.run.header.banner.isVisible()
    click(qtbot, lamps._drivers[0].restartButton)
    reached(qtbot, page, QuantumState.FINISHED)


@pytest.mark.parametrize("behaviour", ["ipi-dies", "kill"])
def test_after_a_death_the_data_stay_and_resume_is_a_click_away(
    qtbot: Any, open_page: Open, behaviour: str
) -> None:
    page = open_page(behaviour)
    page.setup.start()
    reached(qtbot, page, QuantumState.FAILED)
    qtbot.waitUntil(lambda: page.model.run.step > 0)
    assert page.run.header.banner.isVisible()
    page.run.take(Offer.SHOW_LOGS)
    assert page.run.tabs.currentWidget() is page.run.logs
    page.run.take(Offer.RESUME)
    reached(qtbot, page, QuantumState.FINISHED)


def test_a_run_is_stopped_by_mouse(qtbot: Any, open_page: Open) -> None:
    page = open_page("long", steps=100_000)
    page.setup.start()
    reached(qtbot, page, QuantumState.RUNNING)
    click(qtbot, page.run.header.checkpointButton)
    click(qtbot, page.run.header.stopButton)
    reached(qtbot, page, QuantumState.STOPPED)
    assert Offer.RESUME.value in [
        b.text() for b in page.run.header.banner.findChildren(type(page.run.header.stopButton))
    ]


def test_the_series_by_mouse(qtbot: Any, open_page: Open) -> None:
    page = open_page()
    page.setup.seriesButton.click()
    assert page.face() == "series"
    panel = page.convergence
    panel.beadsEdit.setText("nonsense")
    assert not panel.startButton.isEnabled()
    panel.beadsEdit.setText("2, 4")
    panel.stepsBox.setValue(4000)
    click(qtbot, panel.startButton)
    qtbot.waitUntil(lambda: len(page.model.series.points) == 2)
    assert page.face() == "series"
    assert panel.banner.isVisible()


def test_settings_are_remembered(qtbot: Any, open_page: Open) -> None:
    page = open_page("long", temperature=350.0)
    page.setup.start()
    again = QuantumPage(page.session)
    qtbot.addWidget(again)
    assert again.model.values["temperature"] == 350.0
    assert again.setup.form.value("temperature") == 350.0


def test_both_themes_are_drawn(open_page: Open) -> None:
    page = open_page()
    theme().choose("dark")
    try:
        assert not page.grab().isNull()
    finally:
        theme().choose("light")


def test_it_fits_a_small_window(open_page: Open) -> None:
    page = open_page()
    for face in (page.setup, page.run, page.convergence):
        assert face.minimumSizeHint().width() <= 800


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, gui.views.quantum.page; print([m for m in ('torch', 'openmm', 'ipi', 'e3nn') if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert told.stdout.strip() == "[]"
