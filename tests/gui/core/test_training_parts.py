"""Verdicts, restarts and comparisons are pure functions of numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gui.core.comparison import Comparison
from gui.core.restarts import suggest
from gui.core.verdict import LEVELS, Level, judge, target_error
from nequip_openmm.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("mae", "level"),
    [(10.0, Level.EXCELLENT), (40.0, Level.GOOD), (90.0, Level.FAIR), (300.0, Level.POOR)],
)
def test_errors_are_judged_against_typical_forces(mae, level):
    assert judge(mae, 1.0).level is level
    assert judge(10 * mae, 10.0).level is level


def test_without_numbers_there_is_no_verdict():
    assert judge(None, 1.0).level is Level.UNKNOWN
    assert judge(10.0, None).level is Level.UNKNOWN
    assert judge(10.0, float("nan")).level is Level.UNKNOWN


def test_the_target_line_is_where_good_begins():
    assert judge(target_error(1.3), 1.3).level is Level.GOOD
    assert judge(1.001 * target_error(1.3), 1.3).level is Level.FAIR
    assert [largest for largest, *_ in LEVELS] == sorted(largest for largest, *_ in LEVELS)


def test_remarks_say_what_limits_the_verdict():
    def remarks(**facts):
        return " ".join(judge(40.0, 1.0, **facts).remarks)

    assert remarks() == ""
    assert "below chemical accuracy" in remarks(energy_mae=2.0, n_atoms=6)
    assert "above chemical accuracy" in remarks(energy_mae=2.0, n_atoms=192)
    assert "5 frames only" in remarks(n_frames=5)
    assert "4.0 times better" in remarks(train_forces_mae=10.0)
    assert "still falling" in remarks(still_falls=True)


SETTINGS = TrainingConfig().model_dump(mode="json")


def failed(code, title="", checkpoint=True, **training):
    settings = {**SETTINGS, "training": {**SETTINGS["training"], **training}}
    return suggest({"code": code, "title": title}, settings, has_checkpoint=checkpoint)


def test_memory_asks_for_smaller_batches():
    first, *_ = failed("out-of-memory", batch_size=5)
    assert first.changes["training.batch_size"] == 2
    assert not first.continues
    first, *_ = failed("crashed", "ended unexpectedly (signal 9, SIGKILL).", batch_size=2)
    assert first.changes["training.batch_size"] == 1
    first, *_ = failed("out-of-memory", batch_size=1)
    assert list(first.changes) == ["training.validation_batch_size"]
    rest = failed("out-of-memory", batch_size=1, validation_batch_size=1, checkpoint=False)
    assert rest == []


def test_nan_asks_for_a_smaller_rate_that_the_schema_accepts():
    for rate in (1.0, 0.02, 0.01, 1e-5, 1e-6):
        (first,) = failed("nan-loss", lr=rate, lr_final=min(rate, 1e-5))
        changed = {k.removeprefix("training."): v for k, v in first.changes.items()}
        training = {**SETTINGS["training"], "lr": rate, "lr_final": min(rate, 1e-5), **changed}
        config = TrainingConfig.model_validate({"training": training})
        assert config.training.lr < rate or rate == 1e-6
        assert config.training.grad_clip == 1.0


def test_a_full_disk_can_be_continued():
    assert failed("disk-full")[0].continues
    assert failed("disk-full", checkpoint=False) == []


def test_a_crash_goes_on_from_the_checkpoint_and_wrong_settings_do_not():
    assert failed("crashed", "signal 11, SIGSEGV")[0].continues
    assert failed("lost")[0].continues
    assert failed("user-error") == []


@pytest.fixture
def comparison(tmp_path):
    """Two frames, the second without labels of forces."""
    arrays = {
        "frames": np.array([7, 3]),
        "offsets": np.array([0, 2, 5]),
        "numbers": np.array([1, 8, 1, 1, 8]),
        "positions": np.zeros((5, 3)),
        "cells": np.zeros((2, 3, 3)),
        "pbc": np.zeros((2, 3), bool),
        "energies": np.array([-4.0, -9.0]),
        "predicted_energies": np.array([-4.2, -8.7]),
        "forces": np.array([[1.0, 0, 0], [-1.0, 0, 0], *[[np.nan] * 3] * 3]),
        "predicted_forces": np.array([[1.3, 0, 0], [-1.0, 0, 0], *[[0.0] * 3] * 3]),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "errors.json").write_text(json.dumps({"frames": 2}))
    return Comparison.load(tmp_path)


def test_energies_are_per_atom_and_relative(comparison):
    energies = comparison.energies
    assert energies.reference == pytest.approx([0.5, -0.5])
    assert energies.mae == pytest.approx(0.1)
    assert energies.r2 == pytest.approx(1 - 0.02 / 0.5)


def test_force_components_know_their_atom_and_frame(comparison):
    forces = comparison.forces
    assert len(forces) == 6
    assert forces.mae == pytest.approx(0.05)
    assert list(forces.group) == [1, 1, 1, 8, 8, 8]
    assert list(forces.atom) == [0, 0, 0, 1, 1, 1]
    assert forces.worst() == 0
    assert comparison.force_rms == pytest.approx(np.sqrt(2 / 6))


def test_a_click_finds_its_point(comparison):
    forces = comparison.forces
    assert forces.nearest(1.01, 1.29, span=2.0) == 0
    assert forces.nearest(0.5, 0.9, span=2.0) is None


def test_errors_by_element(comparison):
    hydrogen, oxygen = comparison.by_element
    assert (hydrogen.symbol, hydrogen.n_atoms) == ("H", 1)
    assert hydrogen.mae == pytest.approx(100.0)
    assert oxygen.mae == 0.0


def test_a_frame_for_the_inspector(comparison):
    frame = comparison.frame(0, atom=1, source="data.xyz")
    assert frame["title"] == "data.xyz, frame 7"
    assert frame["atom"] == 1
    assert len(frame["positions"]) == 2
    assert comparison.frame(1)["forces"] is None
