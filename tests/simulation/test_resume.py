"""A run that was broken off and resumed equals one that was not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nequip_openmm.errors import ConfigError, UserError
from nequip_openmm.simulation import reporters as reporters_module
from nequip_openmm.simulation import resume_simulation, run_simulation

from .outputs import MakeSpec, assert_same_outputs


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("platform", ["Reference", "CPU"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
@pytest.mark.parametrize("trajectory_format", ["dcd", "xyz"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    make_spec: MakeSpec, tmp_path: Path, platform: str, ensemble: str, trajectory_format: str
) -> None:
    changes = {
        "platform": platform,
        "ensemble": ensemble,
        "trajectory_format": trajectory_format,
    }
    whole = run_simulation(make_spec(steps=90, **changes), tmp_path / "whole").folder
    broken = run_simulation(make_spec(steps=33, **changes), tmp_path / "broken").folder
    resume_simulation(broken, steps=66)
    resume_simulation(broken, steps=90)
    assert_same_outputs(whole, broken)


def test_the_model_resumes_bit_for_bit(make_spec: MakeSpec, tmp_path: Path) -> None:
    whole = run_simulation(make_spec(steps=40, platform="CPU"), tmp_path / "whole").folder
    broken = run_simulation(make_spec(steps=23, platform="CPU"), tmp_path / "broken").folder
    resume_simulation(broken, steps=40)
    assert_same_outputs(whole, broken)


class _Killed(BaseException):
    """Ends a run as a killed process would: nothing is tidied."""


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("step", [3, 20, 47])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    changes = {"steps": 60, "trajectory_interval": 1, "trajectory_format": "xyz"}
    whole = run_simulation(make_spec(**changes), tmp_path / "whole").folder
    with monkeypatch.context() as patch:
        _kill_at(step, patch)
        with pytest.raises(_Killed):
            run_simulation(make_spec(**changes), tmp_path / "killed")
    killed = tmp_path / "killed"
    with (killed / "thermo.csv").open("a") as file:
        file.write("47,0.02")
    assert 0 <= step - json.loads((killed / "checkpoint.json").read_text())["step"] <= 20
    resume_simulation(killed)
    assert_same_outputs(whole, killed)


def _kill_at(step: int, patch: pytest.MonkeyPatch) -> None:
    write = reporters_module.ExtendedXYZReporter._frame

    def frame(self: Any, simulation: Any, state: Any) -> str:
        if simulation.currentStep == step:
            self._out.write("6\nhalf a fra")
            self._out.flush()
            raise _Killed
        return write(self, simulation, state)

    patch.setattr(reporters_module.ExtendedXYZReporter, "_frame", frame)


@pytest.mark.usefixtures("springs")
def test_a_run_without_checkpoint_begins_again(make_spec: MakeSpec, tmp_path: Path) -> None:
    whole = run_simulation(make_spec(), tmp_path / "whole").folder
    other = run_simulation(make_spec(), tmp_path / "other").folder
    for path in other.glob("checkpoint*"):
        path.unlink()
    resume_simulation(other)
    assert_same_outputs(whole, other)


@pytest.mark.usefixtures("springs")
def test_a_finished_run_has_nothing_left_to_do(make_spec: MakeSpec, tmp_path: Path) -> None:
    folder = run_simulation(make_spec(), tmp_path / "run").folder
    before = (folder / "thermo.csv").read_bytes()
    result = resume_simulation(folder)
    assert (result.reason, result.step, result.ns_per_day) == ("finished", 60, None)
    assert (folder / "thermo.csv").read_bytes() == before


@pytest.mark.usefixtures("springs")
def test_what_cannot_be_resumed_is_said(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        resume_simulation(tmp_path)
    folder = run_simulation(make_spec(), tmp_path / "run").folder
    with pytest.raises(ConfigError, match="has done 60 already"):
        resume_simulation(folder, steps=10)
    with pytest.raises(
        ConfigError, match=r"temperature = 10.0.* was started with 300.0; only steps"
    ):
        run_simulation(make_spec(temperature=10), folder, resume=True)
    assert run_simulation(make_spec(steps=70), folder, resume=True).step == 70
    note = folder / "checkpoint.json"
    good = note.read_text()
    note.write_text(good.replace('"openmm": "', '"openmm": "0.'))
    with pytest.raises(
        UserError, match=r"was written by OpenMM 0\.8.* resume where it was written"
    ):
        resume_simulation(folder, steps=80)
    note.write_text(good[:50])
    with pytest.raises(UserError, match="is damaged"):
        resume_simulation(folder, steps=80)
    note.write_text(good)
    os.truncate(folder / "thermo.csv", 100)
    with pytest.raises(UserError, match="has 100 bytes, fewer than"):
        resume_simulation(folder, steps=80)
