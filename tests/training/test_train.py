"""A whole training: what it learns and what it leaves behind."""

from __future__ import annotations

import csv
import io
import json
import logging
import warnings

import numpy as np
import pytest
import torch
from rich.console import Console

import nequip_openmm
from nequip_openmm.data import read_dataset
from nequip_openmm.data.split import Split
from nequip_openmm.runs.commands import Commands
from nequip_openmm.runs.events import read_events
from nequip_openmm.training import TrainingResult, evaluate_model, load_config, train
from nequip_openmm.training.checkpoints import load_checkpoint
from nequip_openmm.training.table import column_names

from .conftest import Config


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cluster_file) -> TrainingResult:
    from .conftest import TINY

    overrides = [*TINY, "training.max_epochs=40", "training.tensorboard=true"]
    config = load_config(preset="quick", dataset=cluster_file, overrides=overrides)
    return train(config, tmp_path_factory.mktemp("runs") / "run")


def rows(result: TrainingResult) -> list[dict[str, str]]:
    with (result.output / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_learns(finished):
    losses = [float(row["train_loss"]) for row in rows(finished)]
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    assert finished.reason == "finished"
    assert (finished.epoch, finished.step) == (40, 200)


def test_the_folder_holds_what_is_promised(finished):
    names = {path.name for path in finished.output.iterdir()}
    assert names == {
        "spec.yaml",
        "events.jsonl",
        "metrics.csv",
        "checkpoints",
        "model.safetensors",
        "split.json",
        "log.txt",
        "tensorboard",
    }
    assert {p.name for p in (finished.output / "checkpoints").iterdir()} == {
        "last.ckpt",
        "best.ckpt",
    }
    assert any("tfevents" in p.name for p in (finished.output / "tensorboard").iterdir())
    assert "epoch 40" in (finished.output / "log.txt").read_text()


def test_metrics_are_complete(finished):
    assert list(rows(finished)[0]) == column_names(("H", "O"))
    assert [int(row["epoch"]) for row in rows(finished)] == list(range(1, 41))
    assert all(np.isfinite(float(cell)) for row in rows(finished) for cell in row.values())


def test_the_settings_can_be_run_again(finished, tiny: Config):
    again = load_config(finished.output / "spec.yaml")
    assert again.training == tiny("training.max_epochs=40", "training.tensorboard=true").training


def test_events_tell_the_story(finished):
    events = list(read_events(finished.output / "events.jsonl"))
    kinds = [event["ev"] for event in events]
    assert kinds[0] == "hello"
    assert kinds[-1] == "done"
    assert kinds.count("epoch") == 40
    assert {"status", "progress", "checkpoint"} < set(kinds)
    epoch = next(event for event in events if event["ev"] == "epoch")
    assert epoch["epoch"] == 1
    assert epoch["valid_forces_mae_mev_per_angstrom"] > 0.0
    assert "nonfinite" not in epoch


def test_the_model_file_holds_the_best_average_weights(finished, cluster_file):
    """What the file predicts on validation and test frames are the errors that the run reports."""
    potential = nequip_openmm.load(finished.model, device="cpu")
    dataset = read_dataset(cluster_file)
    split = Split.load(finished.output / "split.json")
    for name, reported in (("valid", finished.valid), ("test", finished.test)):
        errors = evaluate_model(potential, dataset.subset(getattr(split, name))).to_dict()
        key = "forces_mae_mev_per_angstrom"
        assert errors[key] == pytest.approx(reported[key], rel=1e-5)
    best = min(rows(finished), key=lambda row: float(row["valid_loss"]))
    assert int(best["epoch"]) == finished.best_epoch == potential.info.training["epoch"]
    checkpoint = load_checkpoint(finished.output / "checkpoints" / "best.ckpt")
    assert checkpoint["best"]["epoch"] == finished.best_epoch


def test_the_model_file_says_where_it_comes_from(finished, cluster_file):
    info = nequip_openmm.load(finished.model, device="cpu").info
    assert info.training["dataset"]["name"] == cluster_file.name
    assert len(info.training["dataset"]["sha256"]) == 64
    assert info.training["split"]["n_train"] == 18
    assert info.training["settings"]["training"]["max_epochs"] == 40
    assert torch.__version__.startswith(info.training["versions"]["torch"])
    assert info.metrics["test"]["forces_mae_mev_per_angstrom"] > 0.0
    assert set(info.metrics) == {"validation", "test"}


def test_weights_are_float32_and_energies_float64(finished):
    potential = nequip_openmm.load(finished.model, device="cpu")
    assert potential.dtype == torch.float32
    assert potential.info.config.per_type_energy_scales > 0.0


def test_the_same_seed_gives_the_same_weights(tmp_path, tiny: Config):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(
            tiny(f"training.seed={seed}", "training.max_epochs=1", "data.split_seed=0"),
            tmp_path / name,
        )
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.loss=huber", "training.grad_clip=1.0", "training.scheduler=exponential"],
        ["training.optimizer=adamw", "training.dtype=float64", "training.amsgrad=false"],
        ["training.energy_weight=0", "training.ema_decay=0", "training.scheduler=constant"],
        ["training.forces_weight=0", "training.per_atom_energy=false", "data.split=block"],
        ["model.bessel_trainable=true", "model.per_type_energy_shifts_trainable=true"],
        ["model.l_max=0", "model.zbl=true", "data.isolated_atom_energies={H: -1.0, O: -2.0}"],
    ],
)
def test_settings_that_must_work_together(tmp_path, tiny: Config, overrides):
    result = train(tiny("training.max_epochs=2", *overrides), tmp_path / "run")
    assert np.isfinite(result.test["forces_mae_mev_per_angstrom"])


def test_early_stopping(tmp_path, tiny: Config):
    config = tiny(
        "training.max_epochs=50",
        "training.lr=1e-9",
        "training.lr_final=1e-12",
        "training.early_stopping_patience=2",
        "training.scheduler=constant",
    )
    result = train(config, tmp_path / "run")
    assert result.epoch < 50
    assert "no better validation loss" in result.why


def test_the_plateau_schedule_ends_the_run(tmp_path, tiny: Config):
    config = tiny(
        "training.max_epochs=50",
        "training.scheduler=plateau",
        "training.plateau_patience=0",
        "training.plateau_factor=0.01",
        "training.lr_final=0.001",
        "training.lr=0.9",
    )
    assert train(config, tmp_path / "run").why == "learning rate at its end"


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_time_ends_the_run(tmp_path, tiny: Config, schedule):
    config = tiny(
        "training.max_epochs=100000", "training.max_time=3", f"training.scheduler={schedule}"
    )
    result = train(config, tmp_path / "run")
    assert result.reason == "finished"
    assert 1.0 < result.elapsed < 6.0
    if schedule == "cosine":  # annealed all the same
        assert float(rows(result)[-1]["learning_rate"]) < 0.1 * config.training.lr


def test_commands(tmp_path, tiny: Config):
    lines = [
        '{"cmd": "pause"}',
        '{"cmd": "resume"}',
        '{"cmd": "set", "lr": 1}',
        "nonsense",
        '{"cmd": "checkpoint"}',
    ]
    commands = Commands(io.StringIO("\n".join(lines) + "\n"), stop_at_end=False)
    extra = tmp_path / "events"
    result = train(tiny(), tmp_path / "run", commands=commands, events=str(extra))
    assert result.reason == "finished"
    events = list(read_events(extra))
    assert [e["state"] for e in events if e["ev"] == "status"] == [
        "training",
        "paused",
        "training",
        "testing",
    ]
    assert [e["code"] for e in events if e["ev"] == "warning"].count("unknown-command") == 2
    assert extra.read_text() == (tmp_path / "run" / "events.jsonl").read_text()


def test_a_closed_window_stops_the_run(tmp_path, tiny: Config):
    result = train(tiny(), tmp_path / "run", commands=Commands(io.StringIO("")))
    assert result.reason == "stopped"
    assert (
        json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])["reason"]
        == "stopped"
    )


def test_it_is_quiet(tmp_path, tiny: Config, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(tiny(), tmp_path / "run")
    assert [str(w.message) for w in caught] == []
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("nequip_openmm").handlers


def test_progress_is_shown_on_a_terminal(tmp_path, tiny: Config):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    train(tiny(), tmp_path / "run", console=console)
    assert "epoch 3/3" in stream.getvalue()
    assert "F MAE" in stream.getvalue()


def test_no_empty_line_without_a_terminal(tmp_path, tiny: Config):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False, width=120)
    train(tiny("training.max_epochs=1"), tmp_path / "run", console=console)
    assert stream.getvalue() == ""


def test_stress_is_learnt_from_crystals(tmp_path):
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    from .conftest import TINY

    rng = np.random.default_rng(0)
    frames = []
    for _ in range(12):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        atoms.rattle(0.05, rng=rng)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    write(tmp_path / "cu.xyz", frames, format="extxyz")
    overrides = [
        *TINY,
        "data.n_train=8",
        "data.n_valid=2",
        "data.n_test=2",
        "training.stress_weight=100",
        "training.max_epochs=15",
    ]
    result = train(
        load_config(preset="quick", dataset=tmp_path / "cu.xyz", overrides=overrides),
        tmp_path / "run",
    )
    assert float(rows(result)[-1]["train_loss"]) < float(rows(result)[0]["train_loss"])
