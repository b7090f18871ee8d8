"""Which engine a training uses, and that it makes no difference to what is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nequip_openmm.errors import BackendError, ConfigError
from nequip_openmm.kernels.training import FusedNequIP
from nequip_openmm.training import train
from nequip_openmm.training.checkpoints import FOLDER, LAST, load_checkpoint
from nequip_openmm.training.engine import choose_evaluation
from nequip_openmm.training.fit import choose_accelerator
from tests.model import cases

from .conftest import Config

NO_COMPILER = "NEQUIP_OPENMM_CC", "no-such-compiler"


def weights(tiny: Config, output: Path, *overrides: str) -> dict[str, torch.Tensor]:
    """Train, and return what was learnt."""
    train(tiny("training.dtype=float64", "training.max_epochs=2", *overrides), output)
    return load_checkpoint(output / FOLDER / LAST)["model"]


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_both_engines_learn_the_same(tiny: Config, tmp_path: Path, loss: str) -> None:
    learnt = [
        weights(tiny, tmp_path / engine, f"training.engine={engine}", f"training.loss={loss}")
        for engine in ("reference", "fused")
    ]
    for name, wanted in learnt[0].items():
        torch.testing.assert_close(learnt[1][name], wanted, rtol=1e-7, atol=1e-9)


def test_auto_takes_the_fused_engine_on_the_cpu() -> None:
    evaluation = choose_evaluation(cases.build())
    assert isinstance(getattr(evaluation, "__self__", None), FusedNequIP)


def test_without_a_compiler_auto_takes_the_reference_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _without_compiler(monkeypatch, tmp_path)
    with caplog.at_level("INFO"):
        evaluation = choose_evaluation(cases.build(l_max=3), "auto")
    assert not isinstance(getattr(evaluation, "__self__", None), FusedNequIP)
    assert "no-such-compiler" in caplog.text


def test_without_a_compiler_fused_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _without_compiler(monkeypatch, tmp_path)
    with pytest.raises(BackendError, match="no-such-compiler"):
        choose_evaluation(cases.build(l_max=3), "fused")


def test_what_cannot_be_is_said_before_anything_is_written(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    _without_compiler(monkeypatch, tmp_path)
    with pytest.raises(BackendError, match="no-such-compiler"):
        train(tiny("training.engine=fused"), output)
    assert not output.exists()


def test_fused_chooses_the_cpu(tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    chosen = [
        choose_accelerator(tiny("training.accelerator=auto", f"training.engine={engine}").training)
        for engine in ("fused", "auto")
    ]
    assert chosen == ["cpu", "gpu"]


def test_fused_on_a_gpu_is_refused(tiny: Config) -> None:
    with pytest.raises(ConfigError, match="engine fused runs on the CPU"):
        tiny("training.engine=fused", "training.accelerator=gpu")


def _without_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nequip_openmm.kernels import compiler, library

    monkeypatch.setenv(*NO_COMPILER)
    monkeypatch.setattr(compiler, "cache_folder", lambda: tmp_path)
    for cached in (compiler._load, library.library):
        cached.cache_clear()
        monkeypatch.setattr(f"{cached.__module__}.{cached.__name__}", cached.__wrapped__)
