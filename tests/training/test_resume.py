"""A run that was interrupted and resumed ends with the bits of one that was not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from nequip_openmm.runs import read_events
from nequip_openmm.runs.commands import Command
from nequip_openmm.training import train
from nequip_openmm.training.checkpoints import load_checkpoint

from .conftest import Config

SCHEDULES = ["cosine", "plateau"]


class CommandsAt:
    """Acts at the n-th step: the place of a person at the keyboard."""

    def __init__(self, step: int, act) -> None:
        self.left = step
        self.act = act

    def poll(self) -> Command | None:
        self.left -= 1
        return self.act() if self.left == 0 else None

    def poll_unknown(self) -> None:
        return None


def stop() -> Command:
    return Command("stop")


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def state(folder: Path) -> dict:
    return load_checkpoint(folder / "checkpoints" / "last.ckpt")


def assert_same(first, second, path: str = "state") -> None:
    """Compare nested states to the last bit, times apart."""
    if isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first.keys() - {"elapsed"}:
            assert_same(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), path
        for k, (a, b) in enumerate(zip(first, second)):
            assert_same(a, b, f"{path}[{k}]")
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    else:
        assert first == second, path


def metric_rows(folder: Path) -> list[list[str]]:
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    when = rows[0].index("elapsed_s")
    return [row[:when] + row[when + 1 :] for row in rows]


def assert_same_run(resumed: Path, whole: Path) -> None:
    assert_same(state(resumed), state(whole))
    assert metric_rows(resumed) == metric_rows(whole)
    assert (resumed / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("act", [stop, terminate])
@pytest.mark.parametrize(
    "step", [1, 5, 7]
)  # 5 steps an epoch: in the first, at its end, in the second
def test_interrupted_run_is_continued_bit_by_bit(tmp_path, tiny: Config, schedule, act, step):
    config = tiny(f"training.scheduler={schedule}", "training.plateau_patience=0")
    train(config, tmp_path / "whole")
    ended = train(config, tmp_path / "part", commands=CommandsAt(step, act))
    assert ended.reason == "stopped"
    assert ended.step == step
    assert ended.signal == (signal.SIGTERM if act is terminate else None)
    again = train(config, tmp_path / "part", resume=True)
    assert again.reason == "finished"
    assert_same_run(tmp_path / "part", tmp_path / "whole")


def test_a_second_ctrl_c_ends_at_once(tmp_path, tiny: Config):
    def interrupt_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), tmp_path / "run", commands=CommandsAt(2, interrupt_twice))
    assert signal.getsignal(signal.SIGINT) is before
    error, done = list(read_events(tmp_path / "run" / "events.jsonl"))[-2:]
    assert (error["code"], done["reason"]) == ("interrupted", "failed")


def test_a_run_without_a_checkpoint_begins_again(tmp_path, tiny: Config):
    """As after kill -9 in the first minute: settings and split are there, no checkpoint."""
    config = tiny()
    train(config, tmp_path / "whole")
    train(config, tmp_path / "part", commands=CommandsAt(2, stop))
    (tmp_path / "part" / "checkpoints" / "last.ckpt").unlink()
    train(config, tmp_path / "part", resume=True)
    assert_same_run(tmp_path / "part", tmp_path / "whole")


def test_a_finished_run_has_nothing_left_to_do(tmp_path, tiny: Config):
    first = train(tiny(), tmp_path / "run")
    weights = (tmp_path / "run" / "model.safetensors").read_bytes()
    again = train(tiny(), tmp_path / "run", resume=True)
    assert (again.reason, again.step, again.test) == ("finished", first.step, first.test)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights


def test_a_finished_run_can_be_made_longer(tmp_path, tiny: Config):
    train(tiny("training.max_epochs=2"), tmp_path / "run")
    longer = train(tiny("training.max_epochs=4"), tmp_path / "run", resume=True)
    assert (longer.epoch, longer.step) == (4, 20)
    epochs = [row[0] for row in metric_rows(tmp_path / "run")[1:]]
    rates = [float(row[2]) for row in metric_rows(tmp_path / "run")[1:]]
    assert epochs == ["1", "2", "3", "4"]
    assert rates[1] < rates[2] > rates[3]
