"""``nequip-openmm train --check``: what a training would be, without one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch

from nequip_openmm.cli.app import main
from nequip_openmm.training import load_config, rehearsal, train
from tests.training.conftest import TINY, clusters


@pytest.fixture(autouse=True)
def _watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard input that stays open, as a window's does; little time for steps."""
    monkeypatch.setattr(rehearsal, "SECONDS", 0.01)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w"):
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, closefd=False))
        yield


def check(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--check", *(str(argument) for argument in arguments)])
    return int(ended.value.code or 0)


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_tells_what_the_training_itself_finds(cluster_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert check("--dataset", cluster_file, "--preset", "quick", *TINY, "--json") == 0
    assert not list(tmp_path.iterdir())
    found = json.loads(capsys.readouterr().out)
    config = load_config(preset="quick", dataset=cluster_file, overrides=TINY)
    log = tmp_path / "events"
    train(config, tmp_path / "run", events=str(log))
    hello = events_of(log)[0]
    assert found["n_weights"] == hello["n_weights"]
    assert found["frames"] == {**hello["frames"], "total": 28}
    assert found["steps_per_epoch"] == 5
    header = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert f"{found['model']['avg_num_neighbors']}".encode() in header
    assert found["engine"] == "fused"
    cost = found["cost"]
    assert 0.0 < cost["step_s"] < 10.0
    assert cost["epoch_s"] == pytest.approx(5 * cost["step_s"] + cost["valid_s"])
    assert cost["total_s"] == pytest.approx(3 * cost["epoch_s"])
    assert cost["limit"] == "max_epochs"
    assert 2**26 < cost["memory"] < 2**36


def test_events(cluster_file, tmp_path):
    log = tmp_path / "events"
    assert check("--dataset", cluster_file, *TINY, "--events", log) == 0
    events = events_of(log)
    assert [e["ev"] for e in events if e["ev"] != "progress"] == ["hello", "result", "done"]
    assert events[0]["kind"] == "train-check"
    told = list(dict.fromkeys(e["text"] for e in events if e["ev"] == "progress"))
    assert told[0] == "starting"
    assert told[-1] == "timing steps"
    result = events[-2]
    assert result["settings"]["training"]["batch_size"] == 4
    assert result["lint"]["errors"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"events"}


def test_the_time_limit_counts(cluster_file, capsys):
    assert check("--dataset", cluster_file, *TINY, "training.max_time=0.001", "--json") == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    assert (cost["limit"], cost["total_s"]) == ("max_time", 0.001)


def test_a_table_for_people(cluster_file, capsys):
    assert check("--dataset", cluster_file, *TINY) == 0
    text = capsys.readouterr().out
    assert "18 for training, 5 for validation, 5 for the test" in text
    assert "engine fused" in text


def test_one_batch_an_epoch_and_all_frames_in_it(cluster_file, capsys):
    options = ["training.batch_size=100", "training.validation_batch_size=100", "--json"]
    assert check("--dataset", cluster_file, *TINY, *options) == 0
    assert json.loads(capsys.readouterr().out)["steps_per_epoch"] == 1


def test_lint_is_part_of_it(tmp_path, capsys):
    path = tmp_path / "doubled.xyz"
    ase.io.write(path, clusters(14) * 2, format="extxyz")
    assert check("--dataset", path, *TINY, "--json") == 0
    findings = json.loads(capsys.readouterr().out)["lint"]["findings"]
    assert "duplicates" in {finding["code"] for finding in findings}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training.lr=5"], "training.lr = 5: must be a number > 0 and ≤ 1"),
        (["data.n_train=1000"], "holds 28 frames"),
        (["data.path=nowhere.xyz"], "nowhere.xyz"),
        (["--resume", "run"], "a run that has begun needs no check"),
        (["--output", "."], "exists and is not an empty folder"),
    ],
)
def test_faults(cluster_file, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "something").touch()
    given = [] if "data.path" in arguments[0] else ["--dataset", cluster_file]
    assert check(*given, *TINY, *arguments) == 2
    assert message in capsys.readouterr().err


def test_json_belongs_to_the_check(cluster_file, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--dataset", str(cluster_file), "--json"])
    assert ended.value.code == 2
    assert "--json goes with --check" in capsys.readouterr().err


def test_faults_are_told_to_the_window(tmp_path):
    log = tmp_path / "events"
    assert check("--dataset", tmp_path / "nowhere.xyz", *TINY, "--events", log) == 2
    events = events_of(log)
    assert events[-2]["ev"] == "error"
    assert "nowhere.xyz" in events[-2]["title"]
    assert events[-1]["reason"] == "failed"


def test_too_little_memory_says_what_to_do(cluster_file, monkeypatch, capsys):
    def starved(*args: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(rehearsal, "fit_briefly", starved)
    assert check("--dataset", cluster_file, *TINY) == 3
    assert "Lower training.batch_size" in " ".join(capsys.readouterr().err.split())
