"""The page as a person uses it: cards, form, run, knobs, banners, export; a fake worker does the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from gui.dialogs import Answers
from gui.theme import theme
from gui.views.common.page import PageState
from gui.views.simulate.page import SimulatePage

MakePage = Callable[..., SimulatePage]


@pytest.fixture
def make_page(make_session, preview, model_file: Path, structure_file: Path, qtbot) -> MakePage:
    """``make_page(mode, filled=True)``: the page, shown; model and structure chosen."""

    def make(mode: str = "ok", filled: bool = True) -> SimulatePage:
        page = SimulatePage(make_session(mode), preview=tuple(preview))
        qtbot.addWidget(page)
        page.resize(936, 600)
        page.show()
        if filled:
            page.open_file(model_file)
            page.open_file(structure_file)
            qtbot.waitUntil(lambda: page.state is PageState.READY)
        return page

    return make


def _reaches(qtbot, page: SimulatePage, state: PageState) -> None:
    qtbot.waitUntil(lambda: page.state is state)


def _click(qtbot, widget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def _findings(card) -> list[str]:
    lines = [card._findings.itemAt(i).widget() for i in range(card._findings.count())]
    return [line.accessibleName() for line in lines]


# --- before the start -------------------------------------------------------------------------------------------------


def test_an_empty_page_asks_for_model_and_structure(make_page: MakePage) -> None:
    page = make_page(filled=False)
    assert page.state is PageState.EMPTY
    assert not page.setup.startButton.isEnabled()
    assert "Choose a model" in page.setup.startButton.toolTip()
    assert page.modelCard.helpButton.isVisible()
    assert not page.runButton.isVisible()


def test_who_has_no_model_is_shown_to_training(make_page: MakePage, qtbot) -> None:
    page = make_page(filled=False)
    with qtbot.waitSignal(page.session.page_wanted) as wanted:
        _click(qtbot, page.modelCard.helpButton)
    assert wanted.args == ["train"]


def test_loading_then_ready(
    make_page: MakePage, qtbot, structure_file: Path, model_file: Path
) -> None:
    page = make_page(filled=False)
    page.open_file(model_file)
    page.open_file(structure_file)
    assert page.state is PageState.LOADING
    assert page.structureCard.factsLabel.wholeText() == "Reading…"
    _reaches(qtbot, page, PageState.READY)
    assert page.modelCard.nameLabel.wholeText() == model_file.name
    assert "CH₄O" in page.structureCard.factsLabel.wholeText()
    assert _findings(page.structureCard) == ["Elements H C O: all known to the model"]
    assert page.setup.view.snapshot() is not None
    assert page.setup.startButton.isEnabled()


def test_a_file_dropped_on_either_card_is_taken_for_what_it_is(
    make_page: MakePage, qtbot, structure_file: Path
) -> None:
    page = make_page(filled=False)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(structure_file))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(5, 5), copy, data, left, Qt.KeyboardModifier.NoModifier)
    page.modelCard.dropEvent(event)
    assert page.model.structure_path == structure_file
    qtbot.waitUntil(lambda: page.model.structure is not None)


def test_files_are_chosen_by_dialogs(
    make_page: MakePage, qtbot, answers: Answers, model_file: Path
) -> None:
    page = make_page(filled=False)
    answers.ready["open_files"] = [model_file]
    _click(qtbot, page.modelCard.chooseButton)
    assert page.model.model_path == model_file


def test_unknown_elements_are_told_on_the_card_and_block_the_start(
    make_page: MakePage, make_model
) -> None:
    page = make_page()
    page.open_file(make_model(("H", "O"), name="water"))
    assert page.state is PageState.INVALID
    assert _findings(page.structureCard) == ["Error: Model knows H, O; structure has C (atom 0)"]
    assert not page.setup.startButton.isEnabled()


def test_wrong_settings_are_told_beside_their_field(make_page: MakePage) -> None:
    page = make_page()
    form = page.setup.form
    form.set_value("ensemble", "npt")
    assert page.state is PageState.INVALID
    assert "periodic cell" in form.cell("ensemble").message.text()
    form.set_value("ensemble", "nvt")
    form.set_value("timestep", -1)
    assert page.state is PageState.INVALID
    assert form.cell("timestep").message.isVisible()
    form.set_value("timestep", 2.0)
    assert page.state is PageState.READY
    assert "up to 1 fs" in form.cell("timestep").message.text()


def test_only_what_the_ensemble_has_is_shown(make_page: MakePage) -> None:
    page = make_page()
    form = page.setup.form
    form.set_value("ensemble", "nve")
    assert not form.cell("friction").isVisible()
    assert not form.cell("pressure").isVisible()
    form.set_value("ensemble", "npt")
    assert form.cell("pressure").isVisible()


def test_steps_are_counted_while_typing(make_page: MakePage, qtbot) -> None:
    page = make_page()
    line = page.setup.form.editor("length").control()
    line.selectAll()
    qtbot.keyClicks(line, "2.5")
    assert page.setup.form.cell("length").message.text() == "5,000 steps"
    assert page.setup.summary.wholeText().startswith("5,000 steps of 0.5 fs")


def test_stages_take_the_place_of_the_length(make_page: MakePage, qtbot) -> None:
    page = make_page()
    editor = page.setup.form.editor("stages")
    editor.add_usual()
    assert not page.setup.form.cell("length").isVisible()
    assert [stage["name"] for stage in page.model.spec()["stages"]] == [
        "heating",
        "equilibration",
        "production",
    ]
    assert page.setup.summary.wholeText().startswith("130,000 steps")
    editor._rows[0].lines["length"].setText("-1")
    editor.changed.emit()
    assert page.state is PageState.INVALID
    assert page.setup.form.cell("stages").message.text()
    editor.remove(editor._rows[0])
    assert page.state is PageState.READY


def test_the_check_tells_what_would_run(make_page: MakePage) -> None:
    page = make_page()
    page.model.verification = {"ok": True, "ms_per_step": 0.5, "wall_time_s": 10.0, "time_ps": 10.0, "platform": "CPU", "warnings": []}  # fmt: skip
    page.model.verified.emit()
    assert page.setup.checkBanner.isVisible()
    assert (
        page.setup.checkBanner.text()
        == "Ready to run. About 10 s in all: 0.5 ms a step, 86.4 ns/day."
    )
    page.model.verification = {"ok": False, "errors": [{"field": "ensemble", "msg": "no pressure"}]}
    page.model.verified.emit()
    assert page.setup.checkBanner.text() == "This run would be refused"


def test_settings_are_saved_and_opened_again(
    make_page: MakePage, answers: Answers, tmp_path: Path, qtbot
) -> None:
    page = make_page()
    page.setup.form.set_value("temperature", 321.0)
    answers.ready["save_file"] = tmp_path / "md.yaml"
    _click(qtbot, page.setup.saveButton)
    assert yaml.safe_load((tmp_path / "md.yaml").read_text())["temperature"] == 321.0
    page.setup.form.set_value("temperature", 300.0)
    assert page.open_file(tmp_path / "md.yaml")
    assert page.setup.form.value("temperature") == 321.0


def test_the_next_time_both_files_are_there_again(
    make_page: MakePage, qtbot, model_file: Path
) -> None:
    make_page()
    again = make_page(filled=False)
    assert again.model.model_path == model_file
    _reaches(qtbot, again, PageState.READY)


# --- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_started_by_a_click_and_shown(make_page: MakePage, qtbot) -> None:
    page = make_page("ok")
    _click(qtbot, page.setup.startButton)
    assert page.state is PageState.STARTING
    assert page._stack.currentWidget() is page.run
    assert not page.modelCard.isVisible()
    _reaches(qtbot, page, PageState.FINISHED)
    assert page.run.banner.text().startswith("Finished")
    assert page.run.strip.badge.text() == "Finished"
    assert page.run.strip.continueButton.isVisible()
    page.run.timePlots.plots["temperature"].refresh()
    assert len(page.run.timePlots.plots["temperature"].data("temperature")[0]) == 20


def test_a_slow_start_shows_ticks(make_page: MakePage, qtbot) -> None:
    page = make_page("slow-start")
    page.setup.form.set_value("minimise", True)
    page.setup.start()
    page.run.refresh()
    assert page.state is PageState.STARTING
    assert page.run.ticks.isVisible()
    assert [step.name for step in page.run.ticks.steps()] == ["loading", "minimising", "running"]


def test_pause_resume_stop_by_buttons(make_page: MakePage, qtbot) -> None:
    page = make_page("slow")
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    strip = page.run.strip
    strip.refresh()
    assert strip.pauseButton.text() == "Pause"
    _click(qtbot, strip.pauseButton)
    _reaches(qtbot, page, PageState.PAUSED)
    strip.refresh()
    assert strip.pauseButton.text() == "Resume"
    _click(qtbot, strip.pauseButton)
    _reaches(qtbot, page, PageState.RUNNING)
    _click(qtbot, strip.stopButton)
    assert page.state in (PageState.STOPPING, PageState.STOPPED)
    _reaches(qtbot, page, PageState.STOPPED)
    assert "go on from its last checkpoint" in page.run.banner.text()


def test_knobs_are_turned_by_field_and_slider(make_page: MakePage, qtbot) -> None:
    page = make_page("slow")
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    page.run.steering.setValues({"temperature": 300.0, "friction": 1.0})
    steering = page.run.steering
    field = steering.fields["temperature"]
    field.setValue(350)
    qtbot.waitUntil(lambda: page.model.record.knobs.get("temperature") == 350.0)
    steering.sliders["friction"].setValue(300)
    qtbot.waitUntil(lambda: page.model.record.knobs.get("friction") == 10.0)
    qtbot.waitUntil(lambda: len(page.run.timePlots.plots["temperature"]._marks) == 2)


def test_a_slider_that_is_dragged_asks_once(qtbot) -> None:
    from gui.views.simulate.steering import Steering

    steering = Steering()
    qtbot.addWidget(steering)
    steering.setValues({"temperature": 300.0})
    asked: list[tuple[str, float]] = []
    steering.turned.connect(lambda name, value: asked.append((name, value)))
    for position in range(200, 241):
        steering.sliders["temperature"].setValue(position)
    qtbot.waitUntil(lambda: bool(asked))
    assert asked == [("temperature", 360.0)]
    assert steering.note.text() == "Asked for: Temperature 360 K…"
    steering.reset()  # the worker refused
    assert steering.fields["temperature"].value() == 300.0
    assert not steering.note.text()
    steering.setValues({"temperature": 360.0})
    assert not steering.note.isVisible()
    assert steering.fields["friction"].isHidden()


def test_settings_while_it_runs_and_back(make_page: MakePage, qtbot) -> None:
    page = make_page("slow")
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    _click(qtbot, page.run.strip.settingsButton)
    assert page.state is PageState.READY
    assert page.runButton.isVisible()
    _click(qtbot, page.runButton)
    assert page.state is PageState.RUNNING


@pytest.mark.parametrize(("mode", "title"), [("fail", "blew up"), ("crash", "signal 11"), ("kill", "signal 9"), ("disk-full", "disk is full"), ("user-error", "cannot be simulated")])  # fmt: skip
def test_trouble_is_told_with_ways_on(make_page: MakePage, qtbot, mode: str, title: str) -> None:
    page = make_page(mode)
    page.setup.start()
    _reaches(qtbot, page, PageState.FAILED)
    assert page.run.trouble.isVisible()
    assert title in page.run.trouble.title.text()
    assert page.run.trouble.buttons()
    assert not page.run.steering.isVisible()


def test_one_click_halves_the_time_step(make_page: MakePage, qtbot) -> None:
    page = make_page("fail")
    page.setup.start()
    first = page.model.job
    _reaches(qtbot, page, PageState.FAILED)
    button = page.run.trouble.buttons()[0]
    assert button.text() == "Halve the time step (0.5 → 0.25 fs)"
    _click(qtbot, button)
    assert page.model.job is not first
    assert page.setup.form.value("timestep") == 0.25
    assert not page.run.trouble.isVisible()


def test_garbage_and_warnings_do_not_end_the_run(make_page: MakePage, qtbot) -> None:
    page = make_page("garbage")
    page.setup.start()
    _reaches(qtbot, page, PageState.FINISHED)
    page = make_page("warn")
    page.setup.start()
    _reaches(qtbot, page, PageState.FINISHED)
    page.run.refresh()
    assert "Drivers wait" in page.run.warningBanner.text()


def test_a_worker_that_will_not_stop_can_be_forced(make_page: MakePage, qtbot) -> None:
    page = make_page("deaf")
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    page.run.strip.refresh()
    _click(qtbot, page.run.strip.stopButton)
    _reaches(qtbot, page, PageState.STOPPING)
    page.run.strip.refresh()
    assert page.run.strip.stopButton.text() == "Force stop"
    _click(qtbot, page.run.strip.stopButton)
    _reaches(qtbot, page, PageState.STOPPED)


def test_a_lost_run_is_shown_as_lost(make_page: MakePage, qtbot, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "spec.yaml").write_text("kind: md\nsteps: 10\n")
    (folder / "events.jsonl").write_text(
        '{"v":1,"ev":"hello","t":1,"kind":"md","pid":999999,"spec":{"timestep":0.5,"steps":100}}\n'
        '{"v":1,"ev":"status","t":2,"state":"running"}\n'
        '{"v":1,"ev":"checkpoint","t":3,"path":"c","step":10}\n'
    )
    page = make_page(filled=False)
    page.session.show_run(folder)
    _reaches(qtbot, page, PageState.LOST)
    assert page.run.trouble.buttons()[0].text() == "Resume from checkpoint at 0.005 ps"


# --- what leaves the window -------------------------------------------------------------------------------------------


def test_plots_samples_averages_script_and_trajectory_are_exported(
    make_page: MakePage, qtbot, answers: Answers, tmp_path: Path
) -> None:
    page = make_page("ok")
    page.setup.start()
    _reaches(qtbot, page, PageState.FINISHED)
    run, folder = page.run, page.model.job.folder
    for name in (
        "simulate.py",
        "model.safetensors",
        "topology.pdb",
        "start.xml",
        "trajectory.dcd",
        "thermo.csv",
    ):
        (folder / name).write_text(name)
    page.model.record.take(
        {"ev": "rdf", "frames": 3, "r_A": [1.0, 2.0], "pairs": {"H-O": [0.0, 1.0]}}
    )
    run.rdf.refresh()
    for name, save in {
        "plots.png": run.save_plots,
        "plots.svg": run.save_plots,
        "all.csv": run.save_samples,
        "curves.csv": run.save_averages,
        "atoms.png": run.save_image,
        "moves.dcd": run.save_trajectory,
    }.items():
        answers.ready["save_file"] = tmp_path / name
        save()
    answers.ready["open_folder"] = tmp_path
    run.save_script()
    for name in (
        "plots.png",
        "plots.svg",
        "all.csv",
        "curves-rdf.csv",
        "atoms.png",
        "moves.dcd",
        "moves.pdb",
    ):
        assert (tmp_path / name).stat().st_size > 0, name
    assert (tmp_path / page.model.job.name / "simulate.py").is_file()
    assert not [n for n in page.session.notifications.history if n.tone == "error"]


def test_what_cannot_be_exported_yet_is_told(
    make_page: MakePage, qtbot, answers: Answers, tmp_path: Path
) -> None:
    page = make_page("slow")
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    answers.ready |= {"open_folder": tmp_path / "no", "save_file": tmp_path / "t.dcd"}
    page.run.save_script()
    page.run.save_trajectory()
    errors = [n.text for n in page.session.notifications.history if n.tone == "error"]
    assert ["simulate.py" in errors[0], "no trajectory yet" in errors[1]] == [True, True]


# --- modes, keys, looks -----------------------------------------------------------------------------------------------


def test_quantum_mode_keeps_the_inputs_and_gets_their_files(
    make_page: MakePage, qtbot, model_file: Path
) -> None:
    page = make_page()
    _click(qtbot, page.modes._buttons["quantum"])
    assert page.modelCard.isVisible()
    assert page._stack.currentWidget() is page.quantum
    if hasattr(page.quantum, "model"):
        assert page.quantum.model.model == model_file
    _click(qtbot, page.modes._buttons["classical"])
    assert page._stack.currentWidget() is page.setup


def test_all_that_can_be_done_is_an_action_with_a_key(make_page: MakePage, qtbot) -> None:
    page = make_page("slow")
    actions = {action.id: action for action in page.actions_()}
    assert actions["run.start"].run()
    assert not actions["run.start"].is_enabled()
    _reaches(qtbot, page, PageState.RUNNING)
    page.model.job.stop()
    _reaches(qtbot, page, PageState.STOPPED)
    assert actions["run.continue"].run()
    _reaches(qtbot, page, PageState.RUNNING)
    assert actions["run.settings"].run()
    assert page.state is PageState.READY
    assert {a.shortcut for a in actions.values()} >= {"Ctrl+R", "Ctrl+E"}


def test_it_fits_a_small_window_and_all_that_can_be_clicked_has_a_name(
    make_page: MakePage, qtbot
) -> None:
    page = make_page("slow")
    assert page.minimumSizeHint().width() <= 880
    page.setup.start()
    _reaches(qtbot, page, PageState.RUNNING)
    assert page.minimumSizeHint().width() <= 880
    assert page.minimumSizeHint().height() <= 600
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSlider

    for kind in (QAbstractButton, QComboBox, QSlider, QLineEdit):
        for widget in page.findChildren(kind):
            if widget.objectName().startswith("qt_") or isinstance(widget.parent(), QComboBox):
                continue
            if isinstance(widget, QAbstractButton):
                assert widget.text() or widget.accessibleName() or widget.toolTip(), widget
            elif widget.isVisible() and not type(widget.parent()).__name__.endswith("SpinBox"):
                assert widget.accessibleName(), widget


def test_both_themes_are_drawn(make_page: MakePage, qtbot) -> None:
    page = make_page("ok")
    light = page.grab().toImage()
    theme().choose("dark")
    QApplication.processEvents()
    dark = page.grab().toImage()
    theme().choose("light")
    assert light.pixelColor(4, 4).lightness() > 200 > 60 > dark.pixelColor(4, 4).lightness()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [("page", "'torch', 'openmm', 'ipi', 'pyqtgraph'"), ("run_panel", "'torch', 'openmm', 'ipi'")],
)
def test_the_window_loads_no_engine_and_no_plots_before_a_run(module: str, unwanted: str) -> None:
    import subprocess
    import sys

    code = f"import gui.views.simulate.{module}, sys; print({{{unwanted}}} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
