"""The form shows what the schema says, and gives back what was typed into it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QScrollArea

from gui.core.fields import get_value
from gui.views.common.form import Entry, Section, SettingsForm
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.training.config import TrainingConfig
from nequip_openmm.training.loading import load_config, preset_names

LAYOUT = (
    Section("Model", ["model.cutoff", "model.num_features", "model.parity"]),
    Section(
        "Training",
        [
            "training.lr",
            "training.max_time",
            "training.threads",
            "training.scheduler",
            Entry(
                "training.plateau_patience",
                shown_if=lambda values: get_value(values, "training.scheduler") == "plateau",
            ),
        ],
    ),
    Section("Data", ["data.n_train", "data.split"], is_advanced=True),
)


@pytest.fixture
def form(qtbot):
    form = SettingsForm(TrainingConfig, LAYOUT)
    qtbot.addWidget(form)
    form.show()
    return form


def typed(qtbot, form, path, text):
    line = form.editor(path).control()
    line.clear()
    qtbot.keyClicks(line, text)


def test_begins_with_the_defaults(form):
    assert form.is_valid
    assert TrainingConfig.model_validate(form.values()) == TrainingConfig()


def test_typing_changes_the_values_and_says_so(qtbot, form):
    with qtbot.waitSignal(form.changed):
        typed(qtbot, form, "training.lr", "2e-3")
    assert form.values()["training"]["lr"] == 2e-3
    typed(qtbot, form, "training.max_time", "3 min")
    assert form.values()["training"]["max_time"] == 180.0


@pytest.mark.parametrize("preset", preset_names())
def test_presets_survive_the_form(form, preset):
    config = load_config(preset=preset, dataset="x.xyz")
    form.set_values(config.model_dump(mode="json"))
    assert TrainingConfig.model_validate(form.values()) == config


def test_an_error_stands_under_its_field_and_goes_again(qtbot, form):
    with qtbot.waitSignal(form.validity_changed):
        typed(qtbot, form, "training.lr", "5")
    message = form.cell("training.lr").message
    assert message.isVisible()
    assert message.text() == "✕ must be a number > 0 and ≤ 1"
    assert form.editor("training.lr").control().property("invalid") is True
    assert form.errors() == {"training.lr": "must be a number > 0 and ≤ 1"}
    typed(qtbot, form, "training.lr", "0.005")
    assert form.is_valid
    assert not message.isVisible()


def test_an_emptied_field_takes_no_default_silently(qtbot, form):
    line = form.editor("training.lr").control()
    line.selectAll()
    qtbot.keyClick(line, Qt.Key.Key_Delete)
    assert form.errors() == {"training.lr": "must be a number > 0 and ≤ 1"}


def test_blank_is_none_where_the_field_is_optional(form):
    assert form.values()["training"]["threads"] is None
    line = form.editor("training.threads").control()
    assert line.placeholderText() == "torch's choice"


def test_fields_are_shown_where_they_matter(form):
    assert not form.cell("training.plateau_patience").isVisible()
    form.set_value("training.scheduler", "plateau")
    assert form.cell("training.plateau_patience").isVisible()


def test_what_no_field_shows_is_kept(form):
    values = form.values()
    values["training"]["seed"] = 17
    form.set_values(values)
    form.set_value("training.lr", 0.02)
    assert form.values()["training"]["seed"] == 17


def test_required_fields_are_asked_for_only_once_a_start_was_tried(qtbot):
    form = SettingsForm(SimulationSpec, [Section("", ["model", "structure", "steps"])])
    qtbot.addWidget(form)
    form.show()
    assert not form.is_valid
    assert not form.cell("model").message.isVisible()
    form.show_missing()
    assert form.cell("model").message.text() == "✕ is needed"


def test_folded_errors_are_counted_on_the_fold_and_found(qtbot):
    area = QScrollArea()
    qtbot.addWidget(area)
    form = SettingsForm(TrainingConfig, LAYOUT)
    area.setWidget(form)
    area.show()
    fold = form._advanced
    assert not fold.isOpen()
    form.set_value("data.n_train", 1.5)
    assert fold.note.text() == "✕ 1 to correct"
    form.reveal_first_error()
    assert fold.isOpen()
    assert form.cell("data.n_train").isVisible()


def test_differences_from_the_preset_are_marked(form):
    form.set_reference({"training": {"lr": 0.01}, "model": {"parity": True}})
    assert form.modified() == []
    form.set_value("training.lr", 0.02)
    assert form.modified() == ["training.lr"]
    assert form.cell("training.lr").label.text() == "Learning rate •"


def test_notes_of_a_check_stay_until_the_field_changes(form):
    form.set_note("model.cutoff", "half the cell is 4.1 Å")
    assert form.cell("model.cutoff").message.text() == "! half the cell is 4.1 Å"
    assert form.is_valid
    form.set_value("model.cutoff", 4.0)
    assert not form.cell("model.cutoff").message.text()


def test_every_editor_is_named_and_explained(form):
    for path in ("model.cutoff", "model.parity", "training.scheduler"):
        control = form.editor(path).control()
        assert control.accessibleName()
        assert control.accessibleDescription()
        assert path in control.toolTip()
    assert form.editor("model.cutoff").control().accessibleName() == "Cutoff, Å"


def test_the_wheel_scrolls_the_page_not_the_choice(qtbot, form):
    box = form.editor("training.scheduler").control()
    before = box.currentIndex()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, event)
    assert box.currentIndex() == before


def test_columns_follow_the_width(qtbot, form):
    grid = form._grids[0]
    form.resize(800, 600)
    qtbot.waitUntil(lambda: grid._n_columns == 3)
    form.resize(300, 600)
    qtbot.waitUntil(lambda: grid._n_columns == 1)


def test_values_may_be_several(qtbot):
    form = SettingsForm(SimulationSpec, [Section("", ["analysis"])])
    qtbot.addWidget(form)
    form.set_value("analysis", ["msd"])
    assert form.values()["analysis"] == ["msd"]


def test_files_are_asked_for(qtbot):
    form = SettingsForm(SimulationSpec, [Section("", ["model"])])
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.browse_requested) as asked:
        form.editor("model").button.click()
    assert asked.args == ["model"]
