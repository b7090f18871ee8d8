"""What cannot be used is refused before anything is written; what breaks on the way keeps what was there."""

from __future__ import annotations

import errno
import pickle

import ase.io
import numpy as np
import pytest
import torch

from nequip_openmm.errors import ConfigError, DataError, RunFailed, UserError
from nequip_openmm.runs.events import read_events
from nequip_openmm.training import checkpoints, train
from nequip_openmm.training.checkpoints import load_checkpoint
from nequip_openmm.training.module import TrainingModule

from .conftest import Config, clusters


def written(path, frames):
    ase.io.write(path, frames, format="extxyz")
    return path


def without_forces(frames):
    for atoms in frames[3:5]:
        del atoms.calc.results["forces"]
    return frames


def with_nan(frames):
    frames[7].calc.results["forces"][1, 2] = np.nan
    return frames


@pytest.mark.parametrize(
    ("spoil", "part"),
    [(without_forces, "no forces in frames 3, 4"), (with_nan, "forces not finite in frame 7")],
)
def test_bad_data_are_named_and_nothing_is_written(tmp_path, tiny: Config, spoil, part):
    path = written(tmp_path / "bad.xyz", spoil(clusters(28)))
    with pytest.raises(DataError, match=part) as caught:
        train(tiny(f"data.path={path}"), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_frames_may_lack_labels_on_request(tmp_path, tiny: Config):
    path = written(tmp_path / "some.xyz", without_forces(clusters(28)))
    config = tiny(f"data.path={path}", "data.allow_missing_labels=true", "training.max_epochs=1")
    assert train(config, tmp_path / "run").reason == "finished"
    path = written(tmp_path / "nan.xyz", with_nan(clusters(28)))
    with pytest.raises(DataError, match="frame 7"):
        train(tiny(f"data.path={path}", "data.allow_missing_labels=true"), tmp_path / "other")


@pytest.mark.parametrize(
    ("overrides", "error", "part"),
    [
        (["data.n_train=100"], DataError, "28 frames"),
        (["data.n_train=null", "data.n_valid=20", "data.n_test=20"], DataError, "28 frames"),
        (["model.species=[O]"], ConfigError, "lacks H"),
        (["model.per_type_energy_shifts={O: 1.0}"], ConfigError, "H"),
        (["data.path=nowhere.xyz"], DataError, "nowhere.xyz"),
        (["model.cutoff=0.5"], DataError, "no atom has a neighbour"),
    ],
)
def test_settings_that_do_not_fit_the_data(tmp_path, tiny: Config, overrides, error, part):
    with pytest.raises(error, match=part) as caught:
        train(tiny(*overrides), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there(tmp_path, tiny: Config):
    with pytest.raises(ConfigError, match="0 CUDA GPUs"):
        train(tiny("training.accelerator=gpu"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_existing_folder_is_not_touched(tmp_path, tiny: Config):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists"):
        train(tiny(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path, tiny: Config, monkeypatch):
    plain = TrainingModule.training_step

    def spoilt(self, batch, batch_idx):
        if self.position.step == 7:  # in the second epoch
            batch.positions[0] = torch.nan
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", spoilt)
    with pytest.raises(RunFailed, match="loss became NaN or infinite at step 8") as caught:
        train(tiny(), tmp_path / "run")
    assert caught.value.code == "nan-loss"
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert state["position"]["step"] == 5
    assert all(torch.isfinite(w).all() for w in state["model"].values())
    assert (tmp_path / "run" / "model.safetensors").is_file()
    *_, error, done = read_events(tmp_path / "run" / "events.jsonl")
    assert (error["ev"], error["code"], done["reason"]) == ("error", "nan-loss", "failed")


def test_weights_that_are_not_finite_are_not_saved(tmp_path, tiny: Config, monkeypatch):
    plain = TrainingModule.optimizer_step

    def spoilt(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        if self.position.step == 5:  # the last of the epoch: validation and checkpoint follow
            self.trainable[0].data[0] = torch.inf

    monkeypatch.setattr(TrainingModule, "optimizer_step", spoilt)
    with pytest.raises(RunFailed, match="weights became NaN or infinite"):
        train(tiny(), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_a_full_disk_keeps_what_is_there(tmp_path, tiny: Config, monkeypatch):
    plain, calls = torch.save, []

    def full(state, path):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        plain(state, path)

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(RunFailed, match=r"the disk is full \(.*checkpoints.*\)") as caught:
        train(tiny(), tmp_path / "run")
    assert caught.value.code == "disk-full"
    assert "--resume" in caught.value.hint
    folder = tmp_path / "run" / "checkpoints"
    assert load_checkpoint(folder / "last.ckpt")["position"]["epoch"] == 1
    assert {p.name for p in folder.iterdir()} == {"last.ckpt", "best.ckpt"}


def test_too_little_memory(tmp_path, tiny: Config, monkeypatch):
    def hungry(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TrainingModule, "training_step", hungry)
    with pytest.raises(RunFailed, match="not enough memory") as caught:
        train(tiny(), tmp_path / "run")
    assert "batch_size" in caught.value.hint


# --- resuming


def test_only_a_training_can_be_resumed(tmp_path, tiny: Config):
    with pytest.raises(UserError, match="not a run folder"):
        train(tiny(), tmp_path, resume=True)


def test_a_damaged_checkpoint_is_named(tmp_path, tiny: Config):
    config = tiny("training.max_epochs=1")
    train(config, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"last.ckpt .* damaged"):
        train(config, tmp_path / "run", resume=True)


def test_other_data_cannot_continue_a_run(tmp_path, tiny: Config):
    path = written(tmp_path / "data.xyz", clusters(28))
    config = tiny("training.max_epochs=1", f"data.path={path}")
    train(config, tmp_path / "run")
    written(path, clusters(28, seed=1))
    with pytest.raises(UserError, match="has changed"):
        train(config, tmp_path / "run", resume=True)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_checkpoint_executes_nothing(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"format_version": 1, "bomb": Bomb()}, path)
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path)


def test_a_newer_checkpoint_is_refused(tmp_path):
    torch.save({"format_version": 99}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="format 99"):
        load_checkpoint(tmp_path / "last.ckpt")
