"""Runs: what they leave, what they refuse, how they go on."""

from __future__ import annotations

import io
import json
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import mdtraj
import numpy as np
import openmm
import pytest
from ase import Atoms

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.errors import BackendError, ConfigError, StructureError, UserError
from nequip_openmm.runs import Command, read_events
from nequip_openmm.simulation import SimulationSpec, resume_simulation, run_simulation
from nequip_openmm.simulation import reporters as reporters_module

MakeSpec = Callable[..., SimulationSpec]


def _events(folder: Path) -> list[dict[str, Any]]:
    return list(read_events(folder / "events.jsonl"))


def _kinds(folder: Path) -> list[str]:
    return [event["ev"] for event in _events(folder)]


def _final_positions(folder: Path) -> np.ndarray:
    """Positions at the end, every bit of them."""
    (name,) = [path for path in folder.iterdir() if path.suffix == ".chk"]
    return np.frombuffer(name.read_bytes(), dtype=np.uint8)


class _Orders:
    """Commands that come after so many looks."""

    def __init__(self, *orders: tuple[int, Command]) -> None:
        self.orders = list(orders)
        self.looks = 0

    def poll(self) -> Command | None:
        self.looks += 1
        if self.orders and self.orders[0][0] <= self.looks:
            return self.orders.pop(0)[1]
        return None

    def poll_unknown(self) -> str | None:
        return None


# --- what a run leaves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_a_run_of_the_model_leaves_everything(
    make_spec: MakeSpec, tmp_path: Path, ensemble: str, platform: str
) -> None:
    spec = make_spec(ensemble=ensemble, platform=platform, steps=40)
    result = run_simulation(spec, tmp_path / "run")
    assert (result.reason, result.step, result.signal) == ("finished", 40, None)
    names = {path.name for path in result.folder.iterdir()}
    assert names == {
        "spec.yaml",
        "events.jsonl",
        "log.txt",
        "thermo.csv",
        "trajectory.dcd",
        "topology.pdb",
        "start.xml",
        "model.safetensors",
        "simulate.py",
        "checkpoint.json",
        "checkpoint-40.chk",
    }
    thermo = read_thermo(result.folder / "thermo.csv")
    np.testing.assert_array_equal(thermo["step"], np.arange(5, 41, 5))
    trajectory = mdtraj.load(
        str(result.folder / "trajectory.dcd"), top=str(result.folder / "topology.pdb")
    )
    assert trajectory.n_frames == 4
    kinds = _kinds(result.folder)
    assert kinds[0] == "hello"
    assert kinds[-1] == "done"
    assert {"status", "progress", "sample", "frame", "checkpoint"} <= set(kinds)
    samples = [event for event in _events(result.folder) if event["ev"] == "sample"]
    assert {"step", "t_ps", "epot", "ekin", "etot", "temp"} <= set(samples[0])


def test_constant_pressure_runs_in_any_cell(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path
) -> None:
    spec = make_spec(
        structure=box_file, ensemble="npt", steps=30, barostat_interval=2, pressure=5000.0
    )
    result = run_simulation(spec, tmp_path / "run")
    thermo = read_thermo(result.folder / "thermo.csv")
    assert len(np.unique(thermo["volume_A3"])) > 1
    assert np.isfinite(thermo["pressure_bar"]).all()
    mass = 2 * sum(ase.build.molecule("CH3OH").get_masses())
    np.testing.assert_allclose(
        thermo["density_g_per_cm3"], mass * 1.66053906660 / thermo["volume_A3"], rtol=1e-3
    )


@pytest.mark.usefixtures("springs")
def test_seeds_decide_the_trajectory(make_spec: MakeSpec, tmp_path: Path) -> None:
    ends = [
        _final_positions(run_simulation(make_spec(seed=seed), tmp_path / name).folder)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert (ends[0] == ends[1]).all()
    assert (ends[0] != ends[2]).any()


@pytest.mark.usefixtures("springs")
def test_extended_xyz_holds_energy_and_forces(make_spec: MakeSpec, tmp_path: Path) -> None:
    result = run_simulation(make_spec(trajectory_format="xyz"), tmp_path / "run")
    frames = ase.io.read(result.folder / "trajectory.xyz", ":")
    thermo = read_thermo(result.folder / "thermo.csv")
    at_frames = thermo["step"] % 10 == 0
    energies = [frame.get_potential_energy() for frame in frames]
    np.testing.assert_allclose(energies, thermo["potential_eV"][at_frames], atol=1e-9)
    forces = [np.linalg.norm(frame.get_forces(), axis=1).max() for frame in frames]
    np.testing.assert_allclose(forces, thermo["max_force_eV_per_A"][at_frames], atol=1e-7)


def test_relaxation_lowers_the_energy_and_is_told(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(minimise=True, minimise_iterations=60, temperature=0.0, ensemble="nve")
    result = run_simulation(spec, tmp_path / "run")
    states = [event["state"] for event in _events(result.folder) if event["ev"] == "status"]
    assert states == ["minimising", "running"]
    (told,) = [event["msg"] for event in _events(result.folder) if event["ev"] == "log"]
    before, after = (float(told.split()[k]) for k in (2, 4))
    assert after < before
    thermo = read_thermo(result.folder / "thermo.csv")
    assert thermo["potential_eV"][0] == pytest.approx(after, abs=1e-4)
    assert (thermo["temperature_K"] < 5).all()


# --- the script ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "structure"),
    [
        ({"ensemble": "nve"}, "molecule"),
        ({"ensemble": "nvt", "minimise": True, "minimise_iterations": 20}, "molecule"),
        ({"ensemble": "nvt", "platform": "CPU"}, "box"),
        ({"ensemble": "npt", "barostat_interval": 5}, "box"),
    ],
)
def test_the_script_repeats_the_run_bit_for_bit(
    make_spec: MakeSpec,
    methanol_file: Path,
    box_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    structure: str,
) -> None:
    file = box_file if structure == "box" else methanol_file
    folder = run_simulation(make_spec(structure=file, steps=40, **changes), tmp_path / "run").folder
    monkeypatch.setattr(sys, "argv", ["simulate.py"])
    runpy.run_path(str(folder / "simulate.py"))
    first, second = (
        bytearray(path.read_bytes())
        for path in (folder / "trajectory.dcd", folder / "repeated" / "trajectory.dcd")
    )
    first[180:260] = second[180:260] = b""  # the date
    assert first == second
    rows = np.loadtxt(folder / "repeated" / "thermo.csv", delimiter=",", skiprows=1)
    thermo = read_thermo(folder / "thermo.csv")
    np.testing.assert_allclose(rows[:, 5], thermo["temperature_K"], rtol=1e-6)


def test_the_script_needs_openmm_and_the_potential_only(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    folder = run_simulation(make_spec(steps=1), tmp_path / "run").folder
    lines = (folder / "simulate.py").read_text().splitlines()
    imports = {
        line.split()[1].split(".")[0] for line in lines if line.startswith(("from", "import"))
    }
    assert imports == {"pathlib", "openmm", "nequip_openmm"}
    assert max(map(len, lines)) <= 140


# --- resuming ------------------------------------------------------------------------------------------------------------


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
    _assert_same_outputs(whole, broken)


def _assert_same_outputs(whole: Path, broken: Path) -> None:
    assert (_final_positions(whole) == _final_positions(broken)).all()
    assert (whole / "thermo.csv").read_bytes() == (broken / "thermo.csv").read_bytes()
    for path in whole.glob("trajectory.*"):
        contents = [bytearray((folder / path.name).read_bytes()) for folder in (whole, broken)]
        if path.suffix == ".dcd":
            for content in contents:
                content[180:260] = b""
        assert contents[0] == contents[1]


def test_the_model_resumes_bit_for_bit(make_spec: MakeSpec, tmp_path: Path) -> None:
    whole = run_simulation(make_spec(steps=40, platform="CPU"), tmp_path / "whole").folder
    broken = run_simulation(make_spec(steps=23, platform="CPU"), tmp_path / "broken").folder
    resume_simulation(broken, steps=40)
    _assert_same_outputs(whole, broken)


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
    _assert_same_outputs(whole, killed)


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
    _assert_same_outputs(whole, other)


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


# --- orders --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("springs")
def test_stop_keeps_a_state_to_go_on_from(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(steps=700, checkpoint_interval=1000)
    whole = run_simulation(spec, tmp_path / "whole").folder
    orders: Any = _Orders((3, Command("stop")))
    result = run_simulation(spec, tmp_path / "run", commands=orders)
    assert result.reason == "stopped"
    assert 0 < result.step < 700
    assert _events(result.folder)[-1]["reason"] == "stopped"
    assert resume_simulation(result.folder).reason == "finished"
    _assert_same_outputs(whole, result.folder)


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_in_order(make_spec: MakeSpec, tmp_path: Path, number: int) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()
    result = run_simulation(
        make_spec(
            steps=10**9, thermo_interval=1000, trajectory_interval=1000, checkpoint_interval=10**6
        ),
        tmp_path / "run",
    )
    assert (result.reason, result.signal) == ("stopped", number)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    checkpoint = json.loads((result.folder / "checkpoint.json").read_text())
    assert checkpoint["step"] == result.step


@pytest.mark.usefixtures("springs")
def test_pause_waits_and_resume_goes_on(make_spec: MakeSpec, tmp_path: Path) -> None:
    orders: Any = _Orders((2, Command("pause")), (8, Command("checkpoint")), (9, Command("resume")))
    start = time.perf_counter()
    result = run_simulation(make_spec(), tmp_path / "run", commands=orders)
    assert time.perf_counter() - start > 0.2
    states = [event["state"] for event in _events(result.folder) if event["ev"] == "status"]
    assert states == ["running", "paused", "running"]
    assert result.reason == "finished"


@pytest.mark.usefixtures("springs")
def test_the_thermostat_can_be_set_and_survives_a_resume(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    orders: Any = _Orders((1, Command("set", {"temperature": 3000, "friction": 50})))
    spec = make_spec(steps=400, friction=20.0, checkpoint_interval=1000)
    folder = run_simulation(spec, tmp_path / "run", commands=orders).folder
    resume_simulation(folder, steps=3000)
    thermo = read_thermo(folder / "thermo.csv")
    assert thermo["temperature_K"][thermo["step"] > 400].mean() > 1500
    assert {"ev": "set", "temperature": 3000.0, "friction": 50.0, "step": 0}.items() <= next(
        event for event in _events(folder) if event["ev"] == "set"
    ).items()


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize(
    ("ensemble", "values", "message"),
    [
        ("nve", {"temperature": 400}, "a running nve simulation can change nothing"),
        ("nvt", {"temperatur": 400}, "did you mean 'temperature'"),
        ("nvt", {"temperature": -1}, "temperature = -1: must be a number"),
        ("nvt", {"pressure": 1}, "a running nvt simulation can change temperature, friction"),
    ],
)
def test_orders_that_make_no_sense_are_warnings(
    make_spec: MakeSpec, tmp_path: Path, ensemble: str, values: dict[str, Any], message: str
) -> None:
    orders: Any = _Orders((1, Command("set", values)))
    folder = run_simulation(make_spec(ensemble=ensemble), tmp_path / "run", commands=orders).folder
    (warning,) = [event for event in _events(folder) if event["ev"] == "warning"]
    assert message in warning["msg"]


# --- refusals: nothing is written ----------------------------------------------------------------------------------------


def _one_atom(path: Path) -> None:
    ase.io.write(path, Atoms("H"))


def _unknown_element(path: Path) -> None:
    ase.io.write(path, Atoms("HSH", [[0, 0, 0], [0, 0, 1.3], [0, 1.3, 1.3]]))


def _overlapping(path: Path) -> None:
    ase.io.write(path, Atoms("H3", [[0, 0, 0], [0, 0, 1], [0, 0, 1.2]]))


def _missing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_one_atom, "has 1 atom; molecular dynamics with a potential needs two or more"),
        (_unknown_element, r"knows H, C, O but not S \(atoms 1"),
        (
            _overlapping,
            r"atoms 1 \(H\) and 2 \(H\), counted from 0, overlap: they are 0.200 Å apart",
        ),
        (_missing, "no such file"),
    ],
)
def test_structures_that_cannot_run_leave_nothing(
    make_spec: MakeSpec, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "start.xyz"
    make(path)
    with pytest.raises(StructureError, match=message) as caught:
        run_simulation(make_spec(structure=path), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_settings_that_cannot_run_leave_nothing(make_spec: MakeSpec, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], type[UserError], str]] = [
        ({"ensemble": "npt"}, ConfigError, "has no periodic cell, so no pressure"),
        ({"platform": "HIP"}, BackendError, "platform HIP: this OpenMM has"),
        ({"model": tmp_path / "no.safetensors"}, UserError, "no.safetensors"),
        ({"max_force": 1e-6}, StructureError, "above max_force = 1e-06 eV/Å; relax it first"),
        ({"device": "cuda:77"}, UserError, "cuda:77"),
    ]
    for changes, kind, message in cases:
        with pytest.raises(kind, match=message):
            run_simulation(make_spec(**changes), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_an_existing_folder_is_not_touched(make_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("x")
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        run_simulation(make_spec(), tmp_path / "run")
    assert os.listdir(tmp_path / "run") == ["precious"]


def test_odd_choices_are_warned_about(make_spec: MakeSpec, box_file: Path, tmp_path: Path) -> None:
    atoms = ase.io.read(box_file)[:6]
    atoms.set_cell([3.5, 6, 6])
    atoms.wrap()
    path = tmp_path / "narrow.extxyz"
    ase.io.write(path, atoms)
    spec = make_spec(structure=path, steps=1, timestep=1.5, guard_interval=1000)
    folder = run_simulation(spec, tmp_path / "run").folder
    codes = [event["code"] for event in _events(folder) if event["ev"] == "warning"]
    assert codes == ["long-timestep", "small-cell"]


def test_openmm_version_is_recorded(make_spec: MakeSpec, tmp_path: Path) -> None:
    folder = run_simulation(make_spec(steps=1), tmp_path / "run").folder
    hello = _events(folder)[0]
    assert hello["openmm"] == openmm.__version__
    assert hello["kind"] == "md"
    assert hello["spec"]["steps"] == 1
    assert io.StringIO((folder / "log.txt").read_text()).readline().endswith("on Reference\n")
