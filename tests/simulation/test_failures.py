"""Runs that cannot go on: stopped at once, explained, and nothing good lost."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import mdtraj
import numpy as np
import openmm
import pytest
from openmm import app

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.errors import RunFailed
from nequip_openmm.runs import read_events
from nequip_openmm.simulation import SimulationSpec, resume_simulation, run_simulation, system
from nequip_openmm.simulation import checkpoint as checkpoint_module
from nequip_openmm.simulation import reporters as reporters_module

MakeSpec = Callable[..., SimulationSpec]


def _last_events(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    events = list(read_events(folder / "events.jsonl"))
    return events[-2], events[-1]


def _fail(spec: SimulationSpec, folder: Path) -> RunFailed:
    with pytest.raises(RunFailed) as caught:
        run_simulation(spec, folder)
    assert "\n" not in str(caught.value)
    error, done = _last_events(folder)
    assert (error["ev"], error["code"]) == ("error", caught.value.code)
    assert error["title"] == str(caught.value)
    assert (done["ev"], done["reason"]) == ("done", "failed")
    assert str(caught.value) in (folder / "log.txt").read_text()
    return caught.value


# --- blow-ups -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("platform", ["Reference", "CPU"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_a_time_step_that_is_too_long_is_found(
    make_spec: MakeSpec, tmp_path: Path, platform: str, ensemble: str
) -> None:
    spec = make_spec(
        platform=platform,
        ensemble=ensemble,
        timestep=20.0,
        steps=10_000,
        trajectory_interval=1,
        trajectory_format="xyz",
        checkpoint_interval=2,
    )
    failure = _fail(spec, tmp_path / "run")
    assert failure.code == "blow-up"
    assert "a time step of 20 fs is too long" in failure.hint
    assert "--minimise" in failure.hint
    assert "training data" in failure.hint
    told = [e for e in read_events(tmp_path / "run" / "events.jsonl") if e["ev"] == "error"][-1]
    assert (told["step"], told["last_good_step"]) == tuple(failure.facts.values())
    assert told["last_good_step"] <= told["step"]
    # What is left is good: finite, below the limits, and the checkpoint can be loaded.
    frames = ase.io.read(tmp_path / "run" / "trajectory.xyz", ":")
    assert frames
    assert all(np.abs(frame.get_forces()).max() <= spec.max_force for frame in frames)
    step = json.loads((tmp_path / "run" / "checkpoint.json").read_text())["step"]
    assert frames[-1].info["step"] - 2 <= step <= frames[-1].info["step"]
    with pytest.raises(RunFailed, match="blew up"):
        resume_simulation(tmp_path / "run")


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (
            {"max_temperature": 10.0},
            r"step 0 \(0 ps\): temperature .* K, above max_temperature = 10 K",
        ),
        ({"max_force": 0.001}, "step 1 .* force .* eV/Å on an atom, above max_force = 0.001 eV/Å"),
    ],
)
def test_limits_stop_before_anything_bad_is_written(
    make_spec: MakeSpec, tmp_path: Path, limit: dict[str, float], message: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nequip_openmm.simulation.prepare.check_start", lambda *_: None)
    spec = make_spec(**limit, thermo_interval=1, trajectory_interval=1, temperature=1500.0)
    failure = _fail(spec, tmp_path / "run")
    assert re.search(message, str(failure))
    assert "1500 K is hotter than the training data" in failure.hint
    assert read_thermo(tmp_path / "run" / "thermo.csv")["step"].size == 0
    assert (tmp_path / "run" / "trajectory.dcd").stat().st_size == 0


class _NaNAfter:
    """A force that is zero and then not a number."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self, state: openmm.State) -> tuple[float, np.ndarray]:
        self.left -= 1
        shape = state.getPositions(asNumpy=True).shape
        return (0.0, np.zeros(shape)) if self.left > 0 else (np.nan, np.full(shape, np.nan))


def _nan_system(spec: SimulationSpec, topology: app.Topology, potential: Any) -> openmm.System:
    result = openmm.System()
    for atom in topology.atoms():
        result.addParticle(atom.element.mass)
    result.addForce(openmm.PythonForce(_NaNAfter(25)))
    return result


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_what_is_not_a_number_is_found_within_the_guards_interval(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(system, "make_system", _nan_system)
    spec = make_spec(
        platform=platform,
        steps=1000,
        thermo_interval=500,
        trajectory_interval=500,
        checkpoint_interval=500,
    )
    failure = _fail(spec, tmp_path / "run")
    assert failure.code == "blow-up"
    assert "not finite" in str(failure)
    step = int(str(failure).split("step ")[1].split()[0])
    assert 20 <= step <= 40


# --- the disk -------------------------------------------------------------------------------------------------------------


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("trajectory_format", ["dcd", "xyz"])
def test_a_full_disk_leaves_whole_frames_and_can_be_resumed(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trajectory_format: str
) -> None:
    changes = {"trajectory_format": trajectory_format, "trajectory_interval": 1}
    whole = run_simulation(make_spec(**changes), tmp_path / "whole").folder
    with monkeypatch.context() as patch:
        _fill_the_disk_at(50, patch)
        failure = _fail(make_spec(**changes), tmp_path / "run")
    assert failure.code == "disk-full"
    assert "--resume" in failure.hint
    trajectory = tmp_path / "run" / f"trajectory.{trajectory_format}"
    n_atoms, topology = 6, str(tmp_path / "run" / "topology.pdb")
    if trajectory_format == "dcd":
        found = mdtraj.load(str(trajectory), top=topology).n_frames
        assert trajectory.stat().st_size == 276 + found * 3 * (8 + 4 * n_atoms)
    else:
        found = len(ase.io.read(trajectory, ":"))
    assert found == 49
    resume_simulation(tmp_path / "run")
    contents = [bytearray((f / trajectory.name).read_bytes()) for f in (whole, tmp_path / "run")]
    for content in contents:
        if trajectory_format == "dcd":
            content[180:260] = b""
    assert contents[0] == contents[1]


def _fill_the_disk_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let half a frame be written and then nothing more."""
    for reporter in (reporters_module.DCDReporter, reporters_module.ExtendedXYZReporter):
        write = reporter._write_report

        def half(self: Any, simulation: Any, state: Any, write: Any = write) -> None:
            write(self, simulation, state)
            if simulation.currentStep == step:
                self._out.flush()
                self._out.truncate(self.path.stat().st_size - 30)
                _full()

        patch.setattr(reporter, "_write_report", half)


@pytest.mark.usefixtures("springs")
def test_a_disk_that_is_full_when_a_checkpoint_is_due_keeps_the_old_one(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atomic_write = checkpoint_module.atomic_write

    def full_later(path: Path) -> Any:
        if path.name == "checkpoint-40.chk":
            _full()
        return atomic_write(path)

    monkeypatch.setattr(checkpoint_module, "atomic_write", full_later)
    failure = _fail(make_spec(), tmp_path / "run")
    assert failure.code == "disk-full"
    assert json.loads((tmp_path / "run" / "checkpoint.json").read_text())["step"] == 20
    assert (tmp_path / "run" / "checkpoint-20.chk").exists()


@pytest.mark.usefixtures("springs")
def test_a_disk_too_full_for_the_event_log_still_gives_the_right_error(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequip_openmm.runs.events.EventStream._write", _full)
    with pytest.raises(RunFailed, match="the disk is full") as caught:
        run_simulation(make_spec(), tmp_path / "run")
    assert caught.value.code == "disk-full"


@pytest.mark.usefixtures("springs")
def test_a_real_full_device(make_spec: MakeSpec, tmp_path: Path) -> None:
    """/dev/full refuses every write with ENOSPC."""
    with pytest.raises(RunFailed, match="the disk is full"):
        run_simulation(make_spec(), tmp_path / "run", events="/dev/full")
