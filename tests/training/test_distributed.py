"""Two processes learn what one learns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from nequip_openmm.training import train
from nequip_openmm.training.checkpoints import load_checkpoint

from .conftest import TINY, Config
from .test_resume import metric_rows


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path, cluster_file, tiny: Config):
    """18 frames in batches of 5: shares are unequal, by frames and by atoms."""
    changes = ["training.batch_size=5", "training.dtype=float64", "training.max_epochs=2"]
    train(tiny(*changes), tmp_path / "one")
    command = [
        *(sys.executable, "-m", "nequip_openmm", "train", "--preset", "quick"),
        *("--dataset", str(cluster_file), "--output", str(tmp_path / "two")),
        *(*TINY, *changes, "training.devices=2", "training.strategy=ddp"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    one, two = (
        load_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("one", "two")
    )
    assert one["position"]["step"] == two["position"]["step"] == 8
    for first, second in zip(one["ema"]["average"], two["ema"]["average"], strict=True):
        torch.testing.assert_close(first, second, rtol=1e-8, atol=1e-10)
    for row_one, row_two in zip(
        metric_rows(tmp_path / "one")[1:], metric_rows(tmp_path / "two")[1:], strict=True
    ):
        numbers = [[float(cell) for cell in row] for row in (row_one, row_two)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-6)
