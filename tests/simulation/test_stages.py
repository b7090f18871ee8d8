"""Runs of several stages, with other thermostats and barostats; they resume and are repeated bit for bit."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import pytest

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.errors import ConfigError
from nequip_openmm.runs import Command
from nequip_openmm.simulation import resume_simulation, run_simulation

from .outputs import MakeSpec, assert_same_outputs, events

HEAT = {"name": "heat", "steps": 35, "temperature": 50, "temperature_end": 400, "friction": 20}
CHAIN = {"name": "equilibration", "steps": 30, "thermostat": "nose-hoover", "friction": 50}
FREE = {"name": "production", "steps": 25, "ensemble": "nve"}


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run look for orders after every step."""
    monkeypatch.setattr("nequip_openmm.simulation.loop._CHUNK_S", 0.0)


class _OrdersAt:
    """Commands that come when the run has made so many steps."""

    def __init__(self, folder: Path, *orders: tuple[int, Command]) -> None:
        self.orders = list(orders)
        self.thermo = folder / "thermo.csv"

    def poll(self) -> Command | None:
        if self.orders and self._step() >= self.orders[0][0]:
            return self.orders.pop(0)[1]
        return None

    def poll_unknown(self) -> str | None:
        return None

    def _step(self) -> int:
        if not self.thermo.exists():
            return 0
        last = self.thermo.read_text().splitlines()[-1].split(",")[0]
        return int(last) if last.isdigit() else 0


def _repeat(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Run a folder's script; return the two trajectories."""
    monkeypatch.setattr(sys, "argv", ["simulate.py"])
    runpy.run_path(str(folder / "simulate.py"))
    (first,) = folder.glob("trajectory.*")
    (second,) = (folder / "repeated").glob("trajectory.*")
    return first, second


def _same_frames(first: Path, second: Path) -> None:
    """Compare trajectories without their headers, which hold dates."""
    skipped = 276 if first.suffix == ".dcd" else 0
    assert first.stat().st_size > skipped
    assert first.read_bytes()[skipped:] == second.read_bytes()[skipped:]


@pytest.mark.usefixtures("springs", "one_by_one")
@pytest.mark.parametrize(
    ("platform", "trajectory_format"), [("Reference", "dcd"), ("CPU", "xtc"), ("CPU", "xyz")]
)
def test_stages_resume_bit_for_bit_wherever_they_were_broken_off(
    make_spec: MakeSpec, tmp_path: Path, platform: str, trajectory_format: str
) -> None:
    changes = {
        "steps": None,
        "trajectory_format": trajectory_format,
        "platform": platform,
        "checkpoint_interval": 7,
        "trajectory_interval": 5,
    }
    stages = [HEAT, CHAIN, FREE]
    spec = make_spec(stages=stages, **changes)
    whole = run_simulation(spec, tmp_path / "whole").folder
    for step in (10, 35, 40, 65, 75):
        folder = tmp_path / f"broken-{step}"
        stop: Any = _OrdersAt(folder, (step, Command("stop")))
        result = run_simulation(spec, folder, commands=stop)
        assert result.reason == "stopped"
        assert step <= result.step < 90
        assert resume_simulation(folder).reason == "finished"
        assert_same_outputs(whole, folder)


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_a_nose_hoover_run_resumes_bit_for_bit(
    make_spec: MakeSpec, tmp_path: Path, ensemble: str
) -> None:
    changes = {"platform": "CPU", "thermostat": "nose-hoover", "ensemble": ensemble}
    whole = run_simulation(make_spec(steps=90, **changes), tmp_path / "whole").folder
    broken = run_simulation(make_spec(steps=33, **changes), tmp_path / "broken").folder
    resume_simulation(broken, steps=90)
    assert_same_outputs(whole, broken)


@pytest.mark.usefixtures("springs", "one_by_one")
def test_what_was_ordered_survives_a_resume_and_a_kill(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Orders before the checkpoint are kept, in a ramp and after it; the run equals one that was never broken off."""
    spec = make_spec(steps=None, stages=[HEAT, CHAIN, FREE], checkpoint_interval=5)
    ordered = [
        (10, Command("set", {"friction": 3.0})),
        (20, Command("set", {"temperature": 30.0})),
    ]
    whole: Any = _OrdersAt(tmp_path / "whole", *ordered)
    folder = run_simulation(spec, tmp_path / "whole", commands=whole).folder
    broken: Any = _OrdersAt(tmp_path / "broken", *ordered, (50, Command("stop")))
    run_simulation(spec, tmp_path / "broken", commands=broken)
    resume_simulation(tmp_path / "broken")
    assert_same_outputs(folder, tmp_path / "broken")
    targets = {e["step"]: e["temp_target"] for e in events(folder) if e["ev"] == "sample"}
    assert set(targets.values()) & {30.0, None}
    assert [e["name"] for e in events(folder) if e["ev"] == "stage"] == [
        "heat",
        "equilibration",
        "production",
    ]


# --- the script ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "structure"),
    [
        ({"stages": [HEAT, CHAIN, FREE], "trajectory_format": "xtc"}, "molecule"),
        ({"steps": 40, "thermostat": "nose-hoover", "temperature_end": 200.0}, "molecule"),
        (
            {"steps": 40, "ensemble": "npt", "barostat": "anisotropic", "temperature_end": 400},
            "box",
        ),
        ({"steps": 40, "ensemble": "npt", "barostat": "flexible", "molecules": True}, "box"),
        (
            {
                "stages": [
                    {"steps": 20, "save_frames": False},
                    {"steps": 20, "ensemble": "npt", "pressure": 500, "temperature_end": 250},
                    {"steps": 20, "ensemble": "nve"},
                ]
            },
            "box",
        ),
        ({"steps": 40, "hydrogen_mass": 3.0, "timestep": 1.0}, "molecule"),
    ],
)
def test_the_script_repeats_every_kind_of_run_bit_for_bit(
    make_spec: MakeSpec,
    methanol_file: Path,
    box_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    structure: str,
) -> None:
    file = box_file if structure == "box" else methanol_file
    values = {"steps": None, "structure": file, "barostat_interval": 3} | changes
    folder = run_simulation(make_spec(**values), tmp_path / "run").folder
    _same_frames(*_repeat(folder, monkeypatch))
    assert max(map(len, (folder / "simulate.py").read_text().splitlines())) <= 140


@pytest.mark.usefixtures("one_by_one")
def test_the_script_knows_what_was_ordered(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(
        structure=box_file, steps=None, ensemble="npt", barostat_interval=3, checkpoint_interval=5,
        stages=[
            {"steps": 30, "temperature_end": 500}, {"steps": 30, "thermostat": "nose-hoover"},
            {"steps": 10, "ensemble": "nve"},
        ],
    )  # fmt: skip
    orders: Any = _OrdersAt(
        tmp_path / "run",
        (5, Command("set", {"pressure": 2000, "friction": 30})),
        (15, Command("set", {"temperature": 100})),
        (40, Command("set", {"friction": 80, "temperature": 350})),
    )
    folder = run_simulation(spec, tmp_path / "run", commands=orders).folder
    assert [e["step"] for e in events(folder) if e["ev"] == "set"]
    _same_frames(*_repeat(folder, monkeypatch))


def test_a_single_precision_model_is_relaxed_in_double(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single_model: Path
) -> None:
    """To a force that single precision would hardly reach; and the script does the same."""
    spec = make_spec(
        model=single_model, steps=20, minimise=True, minimise_tolerance=1e-7, ensemble="nve",
        temperature=0.0,
    )  # fmt: skip
    folder = run_simulation(spec, tmp_path / "run").folder
    found = events(folder)
    assert not [e for e in found if e["ev"] == "warning"]
    _same_frames(*_repeat(folder, monkeypatch))


# --- what stages leave ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("trajectory_format", ["dcd", "xtc"])
def test_an_equilibration_may_leave_no_frames(
    make_spec: MakeSpec, tmp_path: Path, trajectory_format: str
) -> None:
    stages = [{"steps": 40, "save_frames": False}, {"steps": 30}]
    spec = make_spec(steps=None, stages=stages, trajectory_format=trajectory_format)
    folder = run_simulation(spec, tmp_path / "run").folder
    found = mdtraj.load(str(folder / spec.trajectory_name), top=str(folder / "topology.pdb"))
    assert found.n_frames == 3
    if trajectory_format == "xtc":
        np.testing.assert_allclose(found.time, np.array([50, 60, 70]) * 0.0005, rtol=1e-5)
    thermo = read_thermo(folder / "thermo.csv")
    np.testing.assert_array_equal(thermo["stage"], np.where(thermo["step"] <= 40, 1, 2))
    np.testing.assert_allclose(thermo["time_ps"], thermo["step"] * 0.0005, rtol=1e-12)


@pytest.mark.usefixtures("springs")
def test_xtc_holds_what_dcd_does_to_its_precision(make_spec: MakeSpec, tmp_path: Path) -> None:
    found = []
    for name in ("dcd", "xtc"):
        folder = run_simulation(make_spec(trajectory_format=name), tmp_path / name).folder
        path = folder / f"trajectory.{name}"
        found.append(mdtraj.load(str(path), top=str(folder / "topology.pdb")).xyz)
    np.testing.assert_allclose(found[1], found[0], atol=0.000501)  # nm


@pytest.mark.usefixtures("springs")
def test_the_last_stage_may_be_made_longer_and_no_other(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    stages = [HEAT, FREE]
    whole = run_simulation(
        make_spec(steps=None, stages=[HEAT, FREE | {"steps": 45}]), tmp_path / "whole"
    ).folder
    broken = run_simulation(make_spec(steps=None, stages=stages), tmp_path / "broken").folder
    with pytest.raises(ConfigError, match="has done 60 already"):
        resume_simulation(broken, steps=50)
    with pytest.raises(ConfigError, match="only steps may change"):
        run_simulation(make_spec(steps=None, stages=[HEAT, CHAIN]), broken, resume=True)
    longer = make_spec(steps=None, stages=[HEAT, FREE | {"steps": 45}])
    assert run_simulation(longer, broken, resume=True).step == 80
    assert_same_outputs(whole, broken)
