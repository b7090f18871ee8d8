"""Runs: what they leave, and the script that repeats them."""

from __future__ import annotations

import io
import runpy
import sys
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import mdtraj
import numpy as np
import openmm
import pytest

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.potential import load
from nequip_openmm.simulation import prepare as prepare_module
from nequip_openmm.simulation import run_simulation
from nequip_openmm.simulation.platforms import model_device

from .outputs import MakeSpec, events, final_state, states

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
    kinds = [event["ev"] for event in events(result.folder)]
    assert kinds[0] == "hello"
    assert kinds[-1] == "done"
    assert {"status", "progress", "sample", "frame", "checkpoint"} <= set(kinds)
    samples = [event for event in events(result.folder) if event["ev"] == "sample"]
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
@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_the_model_computes_where_the_platform_does(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)  # must not matter
    used: list[Any] = []
    monkeypatch.setattr(
        prepare_module, "load", lambda *a, **k: used.append(load(*a, **k)) or used[-1]
    )
    result = run_simulation(make_spec(platform=platform, steps=1), tmp_path / "run")
    assert used[0].device.type == "cpu"
    assert "device='cpu'" in (result.folder / "simulate.py").read_text()


@pytest.mark.parametrize(
    ("platform", "asked", "device"),
    [("CUDA", None, None), ("CUDA", "cuda:1", "cuda:1"), ("CPU", "cuda", "cuda")],
)
def test_a_device_that_is_asked_for_is_taken(
    make_spec: MakeSpec, platform: str, asked: str | None, device: str | None
) -> None:
    assert model_device(platform, make_spec(device=asked)) == device


@pytest.mark.usefixtures("springs")
def test_seeds_decide_the_trajectory(make_spec: MakeSpec, tmp_path: Path) -> None:
    ends = [
        final_state(run_simulation(make_spec(seed=seed), tmp_path / name).folder)
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
    forces = [np.sqrt((frame.get_forces() ** 2).mean()) for frame in frames]
    np.testing.assert_allclose(forces, thermo["rms_force_eV_per_A"][at_frames], atol=1e-7)


def test_relaxation_lowers_the_energy_and_is_told(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(minimise=True, minimise_iterations=60, temperature=0.0, ensemble="nve")
    result = run_simulation(spec, tmp_path / "run")
    assert states(result.folder) == ["minimising", "running"]
    (told,) = [event["msg"] for event in events(result.folder) if event["ev"] == "log"]
    before, after = (float(told.split()[k]) for k in (2, 4))
    assert after < before
    thermo = read_thermo(result.folder / "thermo.csv")
    assert thermo["potential_eV"][0] == pytest.approx(after, abs=1e-4)
    assert (thermo["temperature_K"] < 5).all()


def test_odd_choices_are_warned_about(make_spec: MakeSpec, box_file: Path, tmp_path: Path) -> None:
    atoms = ase.io.read(box_file)[:6]
    atoms.set_cell([3.5, 6, 6])
    atoms.wrap()
    path = tmp_path / "narrow.extxyz"
    ase.io.write(path, atoms)
    spec = make_spec(structure=path, steps=1, timestep=1.5, guard_interval=1000)
    folder = run_simulation(spec, tmp_path / "run").folder
    codes = [event["code"] for event in events(folder) if event["ev"] == "warning"]
    assert codes == ["long-timestep", "small-cell"]


def test_openmm_version_is_recorded(make_spec: MakeSpec, tmp_path: Path) -> None:
    folder = run_simulation(make_spec(steps=1), tmp_path / "run").folder
    hello = events(folder)[0]
    assert hello["openmm"] == openmm.__version__
    assert hello["kind"] == "md"
    assert hello["spec"]["steps"] == 1
    assert io.StringIO((folder / "log.txt").read_text()).readline().endswith("on Reference\n")


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_the_engine_is_recorded(make_spec: MakeSpec, tmp_path: Path, engine: str) -> None:
    folder = run_simulation(make_spec(steps=1, engine=engine), tmp_path / "run").folder
    hello = events(folder)[0]
    assert (hello["engine"], hello["spec"]["engine"]) == (engine, engine)
    assert f"engine {engine}: " in (folder / "log.txt").read_text()
    assert f"engine='{engine}'" in (folder / "simulate.py").read_text()


def test_both_engines_give_one_trajectory(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path
) -> None:
    """In float64, until chaos has blown rounding up: 40 steps are few."""
    last = []
    for engine in ("fused", "reference"):
        spec = make_spec(structure=box_file, ensemble="nvt", steps=40, engine=engine)
        folder = run_simulation(spec, tmp_path / engine).folder
        last.append(mdtraj.load(str(folder / "trajectory.dcd"), top=str(folder / "topology.pdb")))
    np.testing.assert_allclose(last[0].xyz, last[1].xyz, rtol=0, atol=1e-6)


# --- the script ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "structure"),
    [
        ({"ensemble": "nve"}, "molecule"),
        ({"ensemble": "nve", "engine": "reference"}, "molecule"),
        ({"ensemble": "nve", "engine": "fused", "backend": "PythonForce", "threads": 2}, "box"),
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
