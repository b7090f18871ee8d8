"""``nequip-openmm evaluate`` as a window uses it: events, saved arrays, an end that leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nequip_openmm.data import read_dataset
from nequip_openmm.data.split import split_indices
from nequip_openmm.training import evaluate as module
from tests.cli.test_evaluate import model_file
from tests.cli.test_train import run

__all__ = ["model_file"]


@pytest.fixture(autouse=True)
def _watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard input that stays open, as a window's does."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w"):
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, closefd=False))
        yield


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_and_arrays_hold_labels_and_predictions(model_file, cluster_file, tmp_path, capsys):
    split, log, saved = tmp_path / "split.json", tmp_path / "events", tmp_path / "saved"
    chosen = split_indices(28, 18, 6, 4, method="random", seed=3)
    chosen.save(split)
    indices = ["--indices", f"{split}:valid"]
    assert (
        run("evaluate", model_file, cluster_file, *indices, "--events", log, "--save", saved) == 0
    )
    assert capsys.readouterr().out == ""
    events = events_of(log)
    assert [e["ev"] for e in events if e["ev"] != "progress"] == ["hello", "result", "done"]
    told = [event["text"] for event in events if event["ev"] == "progress"]
    assert list(dict.fromkeys(told))[:2] == ["loading the model", "reading clusters.xyz"]
    assert told[-1] == "evaluating"
    array = {path.stem: np.load(path) for path in saved.glob("*.npy")}
    dataset = read_dataset(cluster_file).subset(chosen.valid)
    np.testing.assert_array_equal(array["frames"], chosen.valid)
    for name in ("offsets", "numbers", "positions", "cells", "energies", "forces"):
        np.testing.assert_array_equal(array[name], getattr(dataset, name))
    result = events[-2]
    per_atom = (array["predicted_energies"] - array["energies"]) / dataset.n_atoms
    assert result["energy_mae_mev_per_atom"] == pytest.approx(1e3 * np.abs(per_atom).mean())
    wrong = array["predicted_forces"] - array["forces"]
    assert result["forces_mae_mev_per_angstrom"] == pytest.approx(1e3 * np.abs(wrong).mean())
    assert json.loads((saved / "errors.json").read_text())["frames"] == result["frames"] == 6


def test_sigterm_leaves_nothing(model_file, cluster_file, tmp_path, monkeypatch):
    def killed(*args: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr(module, "evaluate_model", killed)
    log, saved = tmp_path / "events", tmp_path / "saved"
    assert run("evaluate", model_file, cluster_file, "--events", log, "--save", saved) == 143
    assert events_of(log)[-1]["reason"] == "stopped"
    assert {path.name for path in tmp_path.iterdir()} == {"events"}


def test_faults_are_told(cluster_file, tmp_path):
    log = tmp_path / "events"
    assert run("evaluate", tmp_path / "none.safetensors", cluster_file, "--events", log) == 2
    events = events_of(log)
    assert "none.safetensors" in events[-2]["title"]
    assert events[-1]["reason"] == "failed"


def test_the_folder_must_be_new(model_file, cluster_file, tmp_path, capsys):
    assert run("evaluate", model_file, cluster_file, "--save", tmp_path) == 2
    assert "exists; name a folder that does not" in capsys.readouterr().err


def test_in_the_background_it_gives_way(model_file, cluster_file, monkeypatch, capsys):
    given: list[int] = []
    monkeypatch.setattr(os, "nice", given.append)
    assert run("evaluate", model_file, cluster_file, "--background", "--json") == 0
    assert given == [10]
    assert json.loads(capsys.readouterr().out)["frames"] == 28
