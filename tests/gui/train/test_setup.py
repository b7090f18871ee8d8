"""Setting up a training, without widgets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gui.demo.training import FOUND
from gui.viewmodels.training_setup import PRESETS, Check, TrainingSetup, preset_values
from nequip_openmm.errors import UserError
from nequip_openmm.settings import load_yaml
from nequip_openmm.training.config import TrainingConfig
from nequip_openmm.training.loading import load_config, preset_names


@pytest.fixture
def setup(make_trainer):
    return TrainingSetup(make_trainer())


def test_every_preset_has_a_title():
    assert set(PRESETS) == set(preset_names())


def test_the_data_set_that_is_open_is_trained_on(setup):
    assert setup.has_data
    assert setup.spec["data"]["path"].endswith("water_trimer.xyz")
    assert setup.data_facts == ["60 frames", "H O", "48 train · 6 validate · 6 test"]
    assert setup.is_valid


def test_without_data_nothing_can_start(make_trainer):
    setup = TrainingSetup(make_trainer(with_data=False))
    assert not setup.has_data
    assert not setup.is_valid
    assert setup.data_facts == []


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_give_the_settings_of_the_command_line(setup, preset):
    setup.choose_preset(preset)
    expected = load_config(preset=preset, dataset=setup.data["path"])
    config = TrainingConfig.model_validate(setup.spec)
    assert (config.model, config.training) == (expected.model, expected.training)
    assert config.data.n_valid == 6  # the division that was chosen on the Data page


def test_an_edit_that_is_wrong_makes_it_invalid(setup):
    values = preset_values("quick")
    values["training"]["lr"] = 7.0
    setup.edit(values)
    assert not setup.is_valid


def test_exported_settings_are_those_of_the_command_line(setup, tmp_path):
    setup.choose_preset("quick")
    setup.export(tmp_path / "training.yaml")
    assert load_config(tmp_path / "training.yaml") == TrainingConfig.model_validate(setup.spec)
    assert "nequip-openmm train training.yaml" in (tmp_path / "training.yaml").read_text()
    with pytest.raises(UserError, match="cannot write"):
        setup.export(tmp_path / "nowhere" / "training.yaml")


def test_settings_come_back_from_a_file(setup, make_trainer, tmp_path):
    setup.choose_preset("accurate")
    values = setup.values
    values["training"]["batch_size"] = 3
    setup.edit(values)
    setup.export(tmp_path / "training.yaml")
    other = TrainingSetup(make_trainer(with_data=False))
    other.load(tmp_path / "training.yaml")
    assert other.preset == "accurate"
    assert other.values["training"]["batch_size"] == 3
    assert other.has_data


def test_files_that_are_no_settings_are_refused(setup, tmp_path):
    (tmp_path / "bad.yaml").write_text("training: {lr: 9}")
    with pytest.raises(UserError, match="must be a number"):
        setup.load(tmp_path / "bad.yaml")


def test_data_paths_in_a_file_are_relative_to_it(setup, tmp_path):
    (tmp_path / "data.xyz").touch()
    (tmp_path / "training.yaml").write_text("data: {path: data.xyz}")
    setup.load(tmp_path / "training.yaml")
    assert setup.data["path"] == str(tmp_path / "data.xyz")


def test_a_check_tells_what_the_training_would_be(setup, qtbot):
    setup.start_check()
    assert setup.check is Check.RUNNING
    qtbot.waitUntil(lambda: setup.check is Check.DONE)
    assert setup.found["n_weights"] == FOUND["n_weights"]
    setup.edit(setup.values)
    assert setup.check is Check.NONE  # of other settings


def test_a_check_that_fails_says_why(make_trainer, qtbot):
    setup = TrainingSetup(make_trainer("check-fail"))
    setup.start_check()
    qtbot.waitUntil(lambda: setup.check is Check.FAILED)
    assert setup.failure["title"] == "no frame has forces"


def test_a_check_can_be_cancelled(make_trainer, qtbot):
    setup = TrainingSetup(make_trainer("check-hang"))
    setup.start_check()
    qtbot.waitUntil(lambda: setup.check_text == "Timing steps")
    setup.cancel_check()
    assert setup.check is Check.NONE


def test_the_spec_that_is_sent_is_the_one_that_is_shown(setup, qtbot):
    setup.choose_preset("quick")
    setup.start_check()
    sent = load_yaml(setup._scratch.name + "/settings.yaml")
    assert TrainingConfig.model_validate(sent) == TrainingConfig.model_validate(setup.spec)
    setup.cancel_check()


def test_no_torch_and_no_widgets():
    code = (
        "import sys, gui.viewmodels.training, gui.core.comparison\n"
        "heavy = {'torch', 'openmm', 'ipi', 'e3nn', 'lightning'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
