"""Settings: what is merged, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from nequip_openmm.errors import ConfigError
from nequip_openmm.training import TrainingConfig, load_config
from nequip_openmm.training.loading import preset_names


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def message(*args, **kwargs) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_presets_are_complete():
    assert preset_names() == ["accurate", "balanced", "paper-molecule", "paper-periodic", "quick"]
    for name in preset_names():
        config = load_config(preset=name, dataset="frames.xyz")
        assert config.preset == name
        assert config.data.path == "frames.xyz"


def test_later_settings_win(tmp_path):
    file = write(
        tmp_path / "a.yaml", "preset: quick\ndata: {path: a.xyz}\ntraining: {lr: 0.002, seed: 7}\n"
    )
    config = load_config(
        file, overrides=["training.lr=0.003", "model.per_type_energy_shifts={C: -1.0}"]
    )
    assert config.preset == "quick"
    assert (config.training.lr, config.training.seed) == (0.003, 7)
    assert config.model.per_type_energy_shifts == {"C": -1.0}
    assert load_config(file, preset="balanced", dataset="b.xyz").data.path == "b.xyz"


def test_written_settings_read_back(tmp_path):
    config = load_config(
        preset="accurate", dataset="a.xyz", overrides=["training.max_time=01:00:00"]
    )
    file = write(
        tmp_path / "spec.yaml", yaml.safe_dump({"kind": "train", **config.model_dump(mode="json")})
    )
    assert load_config(file) == config


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90", 90.0), ("2:30", 150.0), ("01:00:00", 3600.0), ("2-00:00:01", 172801.0)],
)
def test_durations(given, seconds):
    config = load_config(dataset="a.xyz", overrides=[f"training.max_time={given}"])
    assert config.training.max_time == seconds


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("training: {learning_rat: 1}", ["unknown key 'training.learning_rat'"]),
        ("training: {batchsize: 1}", ["'training.batchsize'", "did you mean 'batch_size'"]),
        ("trainin: {}", ["'trainin'", "did you mean 'training'"]),
        ("training: {lr: fast}", ["training.lr = 'fast'", "must be a number > 0 and ≤ 1"]),
        ("training: {lr: -1}", ["training.lr = -1", "must be a number > 0 and ≤ 1"]),
        ("training: {lr: .nan}", ["training.lr = nan"]),
        ("model: {l_max: 9}", ["model.l_max = 9", "must be a whole number ≥ 0 and ≤ 4"]),
        (
            "model: {l_max: 2, num_features: [8, 8]}",
            ["num_features has 2 entries; l_max=2 needs 3"],
        ),
        ("model: {cutoff: 500}", ["model.cutoff = 500", "must be a number > 0 and ≤"]),
        ("model: {species: [C, Xx]}", ["not a chemical symbol: 'Xx'"]),
        ("data: {n_train: 1.5}", ["data.n_train = 1.5", "fraction between 0 and 1"]),
        ("data: {n_valid: 0}", ["data.n_valid = 0", "≥ 1"]),
        ("data: {keys: {enrgy: E}}", ["'data.keys.enrgy'", "did you mean 'energy'"]),
        ("training: {optimizer: adm}", ["training.optimizer = 'adm'", "did you mean 'adam'"]),
        ("training: {max_time: soon}", ["training.max_time = 'soon'"]),
        ("training: {lr: 0.001, lr_final: 0.01}", ["lr_final = 0.01 must not exceed lr = 0.001"]),
        ("training: {energy_weight: 0, forces_weight: 0}", ["must not be 0"]),
        ("preset: quik", ["unknown preset 'quik'", "did you mean 'quick'"]),
        ("training: [1, 2]", ["training = [1, 2]"]),
        ("training: {lr: 1\n", ["line 2"]),
    ],
)
def test_mistakes_are_named(tmp_path, text, parts):
    file = write(tmp_path / "bad.yaml", text)
    found = message(file, dataset="a.xyz")
    assert all(part in found for part in parts), found


def test_a_wrong_override_is_blamed_instead_of_the_file(tmp_path):
    file = write(tmp_path / "good.yaml", "training: {lr: 0.01}")
    assert message(file, overrides=["training.lr=7"], dataset="a.xyz").startswith("training.lr=7: ")
    assert "expected key=value" in message(file, overrides=["training.lr"], dataset="a.xyz")
    good = ["training.seed=3", "training.max_epochs=1", "training.tensorboard=false"]
    for bad in ("training.lr=7", "training.max_epoch=1"):
        mixed = [good[0], bad, *good[1:]]
        assert message(file, overrides=mixed, dataset="a.xyz").startswith(f"{bad}: ")
    pair = ["training.lr=0.001", "training.lr_final=0.01"]
    found = message(file, overrides=[pair[0], *good, pair[1]], dataset="a.xyz")
    assert found.startswith(" ".join(pair) + ": ")


def test_missing_files_and_data_sets_are_named(tmp_path):
    assert "no data set" in message()
    assert "nowhere.yaml: cannot be read" in message(tmp_path / "nowhere.yaml")


def test_every_setting_is_described_and_frozen():
    for section in (TrainingConfig, *(f.annotation for f in TrainingConfig.model_fields.values())):
        for name, field in getattr(section, "model_fields", {}).items():
            assert field.description, f"{section.__name__}.{name} says nothing"
    with pytest.raises(ValidationError):
        load_config(dataset="a.xyz").training.lr = 1.0
