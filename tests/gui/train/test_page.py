"""The Train page by mouse and keys: every state, and what its buttons do."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from gui.demo.training import demo_events, write_run
from gui.jobs import Action
from gui.theme import theme
from gui.views.common.page import PageState
from nequip_openmm.training.loading import load_config


def until(qtbot, page, *states):
    qtbot.waitUntil(lambda: page.state in states)


def click(qtbot, button):
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def shown_orders(page):
    page.run.refresh()
    return {action for action, made in page.run.header.buttons.items() if made.isVisible()}


def banner_button(page, text):
    return next(b for b in page.run.banner.findChildren(QPushButton) if b.text() == text)


def test_empty_leads_to_the_data(make_page, qtbot):
    page = make_page(with_data=False)
    assert page.state is PageState.EMPTY
    assert page.empty.isVisible()
    with qtbot.waitSignal(page.session.page_wanted) as wanted:
        page.empty.findChildren(QPushButton)[0].click()
    assert wanted.args == ["data"]


def test_ready_invalid_and_back(make_page, qtbot):
    page = make_page()
    assert page.state is PageState.READY
    rate = page.setup.form.editor("training.lr").control()
    rate.selectAll()
    qtbot.keyClicks(rate, "9")
    assert page.state is PageState.INVALID
    assert page.setup.problem.isVisible()
    assert not page.setup.check_button.isEnabled()
    qtbot.mouseClick(page.setup.start_button, Qt.MouseButton.LeftButton)  # shows what is wrong
    assert page.model.run is None
    rate.selectAll()
    qtbot.keyClicks(rate, "0.004")
    assert page.state is PageState.READY
    assert not page.setup.problem.isVisible()
    assert page.setup.form.modified() == ["training.lr"]


def test_presets_by_mouse_and_keys(make_page, qtbot):
    page = make_page()
    page.setup.presets.setValue("quick")
    page.setup.presets._on_clicked()
    assert page.setup.form.value("training.max_epochs") == 220
    qtbot.keyClick(page.setup.presets, Qt.Key.Key_Right)
    assert page.setup.presets.value() == "balanced"
    assert page.setup.form.value("training.max_epochs") == 400


def test_a_check_is_shown(make_page, qtbot):
    page = make_page()
    click(qtbot, page.setup.check_button)
    assert page.state is PageState.LOADING
    until(qtbot, page, PageState.READY)
    assert "42,304" in page.setup.check.facts()
    assert any("copies of others" in text for text in page.setup.check.findings())


def test_a_check_that_fails_is_shown(make_page, qtbot):
    page = make_page("check-fail")
    click(qtbot, page.setup.check_button)
    qtbot.waitUntil(lambda: page.setup.check.banner.isVisible())
    assert page.setup.check.banner.text() == "no frame has forces"


def test_export_and_open_settings(make_page, answers, tmp_path, qtbot):
    page = make_page()
    page.setup.form.set_value("training.batch_size", 7)
    answers.ready["save_file"] = tmp_path / "training.yaml"
    click(qtbot, page.setup.export_button)
    assert load_config(tmp_path / "training.yaml").training.batch_size == 7
    page.setup.form.set_value("training.batch_size", 9)
    assert page.open_file(tmp_path / "training.yaml")
    assert page.setup.form.value("training.batch_size") == 7
    assert not page.open_file(tmp_path)


def test_settings_of_simulations_are_not_for_this_page(make_page, tmp_path):
    page = make_page()
    path = tmp_path / "md.yaml"
    path.write_text("model: m.safetensors\nstructure: s.xyz\nsteps: 100\n")
    page.session.settings_chosen.emit(path)
    assert not page.session.notifications.history
    path.write_text("training: {lr: 9}\n")
    page.session.settings_chosen.emit(path)
    assert "must be a number" in page.session.notifications.history[-1].text


def test_running_paused_stopping_stopped(make_page, qtbot):
    page = make_page("slow")
    click(qtbot, page.setup.start_button)
    assert page.state is PageState.STARTING
    until(qtbot, page, PageState.RUNNING)
    assert shown_orders(page) == {Action.PAUSE, Action.CHECKPOINT, Action.STOP}
    click(qtbot, page.run.header.buttons[Action.PAUSE])
    until(qtbot, page, PageState.PAUSED)
    assert shown_orders(page) == {Action.RESUME, Action.CHECKPOINT, Action.STOP}
    assert page.run.banner.isVisible()
    click(qtbot, page.run.header.buttons[Action.RESUME])
    until(qtbot, page, PageState.RUNNING)
    shown_orders(page)
    click(qtbot, page.run.header.buttons[Action.STOP])
    assert page.state is PageState.STOPPING
    assert shown_orders(page) == {Action.KILL}
    until(qtbot, page, PageState.STOPPED)
    assert Action.CONTINUE in shown_orders(page)
    assert "Stopped" in page.run.banner.text()


def test_finished_gives_a_verdict_and_leads_to_the_simulation(make_page, qtbot):
    page = make_page()
    click(qtbot, page.setup.start_button)
    until(qtbot, page, PageState.FINISHED)
    page.run.refresh()
    assert "% of typical forces" in page.run.banner.text()
    assert page.run.tiles.forces.value.text() == "30"
    banner_button(page, "What this means").click()
    assert "Good (up to 5 %)" in page.session.dialogs.asked[-1][2]
    with qtbot.waitSignal(page.session.model_chosen) as chosen:
        click(qtbot, page.run.header.use)
    assert chosen.args[0].name == "model.safetensors"


def test_failed_offers_another_start(make_page, qtbot):
    page = make_page("kill")
    page.model.setup.choose_preset("quick")
    click(qtbot, page.setup.start_button)
    until(qtbot, page, PageState.FAILED)
    page.run.refresh()
    first = page.model.run
    banner_button(page, "Retry with batch size 5").click()
    assert page.model.run is not first
    assert page.setup.form.value("training.batch_size") == 5


def test_lost(make_page, qtbot, tmp_path):
    page = make_page()
    events = demo_events(10)
    events[0]["pid"] = 2**22 - 1
    page.session.show_run(write_run(tmp_path / "elsewhere", events))
    until(qtbot, page, PageState.LOST)
    page.run.refresh()
    assert banner_button(page, "Continue").text() == "Continue"


def test_the_form_waits_while_a_run_is_looked_at(make_page, qtbot):
    page = make_page("slow")
    click(qtbot, page.setup.start_button)
    until(qtbot, page, PageState.RUNNING)
    page.switch._buttons["setup"].click()
    assert page.state is PageState.READY
    assert page.setup.isVisible()
    page.switch._buttons["run"].click()
    assert page.state is PageState.RUNNING


def test_parity_is_drawn_and_a_click_opens_the_frame(make_page, qtbot):
    page = make_page()
    click(qtbot, page.setup.start_button)
    until(qtbot, page, PageState.FINISHED)
    page.run.tabs.setCurrentWidget(page.run.parity)
    qtbot.waitUntil(lambda: page.model.parity.comparison is not None)
    plot = page.run.parity.forces
    assert "MAE" in plot.numbers.text()
    scatter = plot.scatter
    point = scatter.worst()
    with qtbot.waitSignal(page.session.frame_shown) as shown:
        plot.click(scatter.reference[point], scatter.predicted[point])
    frame = shown.args[0]
    comparison = page.model.parity.comparison
    number = comparison.arrays["frames"][scatter.frame[point]]
    assert frame["title"].endswith(f"frame {number}")
    assert frame["atom"] == scatter.atom[point]
    with qtbot.waitSignal(page.session.frame_shown) as again:
        page.run.parity.worst.click()
    assert again.args[0]["title"] == frame["title"]


def test_the_best_model_is_marked_in_the_table(make_page, qtbot, tmp_path):
    page = make_page()
    page.session.show_run(write_run(tmp_path / "elsewhere", demo_events(137, "finished")))
    until(qtbot, page, PageState.FINISHED)
    page.run.refresh()
    rows = page.run.models.rows
    texts = [[rows.index(r, c).data() for c in range(5)] for r in range(rows.rowCount())]
    best = [row for row in texts if "best" in row[0].split()]
    assert len(best) == 1
    assert "model.safetensors" in best[0][4]
    assert texts[0][4].endswith("last.ckpt")


def test_settings_and_log_are_read_when_looked_at(make_page, qtbot, tmp_path):
    page = make_page()
    folder = write_run(tmp_path / "elsewhere", demo_events(5, "finished"))
    (folder / "log.txt").write_text("epoch 5: loss 1\n")
    page.session.show_run(folder)
    until(qtbot, page, PageState.FINISHED)
    page.run.tabs.setCurrentWidget(page.run.log)
    assert "epoch 5: loss 1" in page.run.log.toPlainText()
    page.run.tabs.setCurrentIndex(page.run._settings_tab)
    assert "max_epochs: 220" in page.run.settings.toPlainText()
    page.run.settings_asked.emit()
    assert page.state is PageState.READY
    assert page.setup.form.value("training.max_epochs") == 220


def test_actions_know_when_they_make_sense(make_page, qtbot):
    page = make_page("slow")
    actions = {action.id: action for action in page.actions_()}
    assert actions["train.start"].is_enabled()
    assert not actions["train.stop"].is_enabled()
    actions["train.start"].run()
    until(qtbot, page, PageState.RUNNING)
    assert not actions["train.start"].is_enabled()
    actions["train.pause"].run()
    until(qtbot, page, PageState.PAUSED)
    actions["train.stop"].run()
    until(qtbot, page, PageState.STOPPED)
    assert actions["train.continue"].is_enabled()


def test_it_fits_into_the_smallest_window(make_page):
    page = make_page()
    assert page.minimumSizeHint().width() <= 640
    assert page.minimumSizeHint().height() <= 600


@pytest.mark.parametrize("name", ["dark", "light"])
def test_it_can_be_drawn_in_every_theme(make_page, qtbot, tmp_path, name):
    theme().choose(name)
    page = make_page()
    page.session.show_run(write_run(tmp_path / "elsewhere", demo_events(20, "finished")))
    until(qtbot, page, PageState.FINISHED)
    for index in range(page.run.tabs.count()):
        page.run.tabs.setCurrentIndex(index)
        assert not page.grab().isNull()
    theme().choose("light")
