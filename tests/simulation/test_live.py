"""Analysis while a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest

from nequip_openmm.analysis.live import RunningDisplacements, RunningDistances
from nequip_openmm.analysis.pairs import PairHistogram
from nequip_openmm.simulation import resume_simulation, run_simulation
from nequip_openmm.simulation.structure import read_structure

from .outputs import MakeSpec, events

CELL = np.array([[9.0, 0, 0], [2.0, 8.0, 0], [-1.0, 3.0, 10.0]])


def test_an_ideal_gas_has_no_structure() -> None:
    rng = np.random.default_rng(1)
    average = RunningDistances(["H"] * 20 + ["O"] * 20, is_periodic=True)
    for _ in range(1500):
        average.add(rng.uniform(-1, 2, (40, 3)) @ CELL, CELL)
    outer = average.radii > 2.0
    for curve in average.curves().values():
        assert curve[outer].mean() == pytest.approx(1.0, abs=0.02)
    assert set(average.curves()) == {"H-H", "H-O", "O-O"}


def test_a_cell_that_shrinks_keeps_what_was_counted() -> None:
    rng = np.random.default_rng(2)
    frames = [rng.uniform(0, 1, (15, 3)) for _ in range(4)]
    cells = [CELL * scale for scale in (1.0, 1.1, 0.8, 0.9)]
    average = RunningDistances(["O"] * 15, is_periodic=True)
    for fractional, cell in zip(frames, cells):
        average.add(fractional @ cell, cell)
    edges = np.append(0.0, average.radii + 0.025)
    expected = PairHistogram(["O"] * 15, edges, is_periodic=True)
    for fractional, cell in zip(frames, cells):
        expected.add(fractional @ cell, cell)
    np.testing.assert_allclose(average.curves()["O-O"], expected.distributions()["O", "O"])
    assert edges[-1] <= 0.5 / np.linalg.norm(np.linalg.inv(cells[2]), axis=0).max()


def test_a_random_walk_goes_as_the_time() -> None:
    """⟨Δr²⟩ = 3 σ² τ, for atoms that are put back into the cell or shifted by lattice vectors at every step."""
    rng = np.random.default_rng(3)
    average = RunningDisplacements(["H", "O"] * 100, is_periodic=True, lags=10)
    sigma = np.array([0.2, 0.1] * 100)[:, None]
    positions = rng.uniform(0, 1, (200, 3)) @ CELL
    for _ in range(400):
        positions = positions + sigma * rng.normal(size=(200, 3))
        shifts = rng.integers(-1, 2, (200, 3)) @ CELL
        average.add(positions + shifts, CELL)
    lags = np.arange(1, 11)
    for element, width in (("H", 0.2), ("O", 0.1)):
        np.testing.assert_allclose(average.curves()[element], 3 * width**2 * lags, rtol=0.05)


def test_atoms_that_follow_a_cell_do_not_move() -> None:
    average = RunningDisplacements(["O"] * 5, is_periodic=True)
    fractional = np.random.default_rng(4).uniform(0, 1, (5, 3))
    for scale in (1.0, 1.02, 0.97, 1.01):
        average.add(fractional @ (scale * CELL), scale * CELL)
    np.testing.assert_allclose(average.curves()["O"], 0, atol=1e-20)


def test_the_buffer_forgets_what_is_too_old() -> None:
    average = RunningDisplacements(["O"], is_periodic=False, lags=3)
    for k in range(10):
        average.add(np.array([[0.0, 0.0, float(k)]]), CELL)
    np.testing.assert_allclose(average.curves()["O"], [1, 4, 9])
    assert average.n_frames == 10


@pytest.mark.parametrize("periodic", [False, True])
def test_a_run_tells_distances_and_displacements(
    make_spec: MakeSpec, methanol_file: Path, box_file: Path, tmp_path: Path, periodic: bool
) -> None:
    """The last events are the averages over all frames of the trajectory."""
    file = box_file if periodic else methanol_file
    spec = make_spec(
        structure=file, analysis=["rdf", "msd"], analysis_interval=10, trajectory_format="xyz",
        engine="reference",
    )  # fmt: skip
    folder = run_simulation(spec, tmp_path / "run").folder
    rdf, msd = (
        [event for event in events(folder) if event["ev"] == kind][-1] for kind in ("rdf", "msd")
    )
    frames = ase.io.read(folder / "trajectory.xyz", ":")
    symbols = frames[0].get_chemical_symbols()
    distances = RunningDistances(symbols, periodic)
    displacements = RunningDisplacements(symbols, periodic)
    for frame in frames:
        for average in (distances, displacements):
            average.add(frame.positions, np.array(frame.cell))
    assert (rdf["step"], rdf["frames"], msd["frames"]) == (60, 6, 6)
    np.testing.assert_allclose(rdf["r_A"], distances.radii, atol=1e-5)
    for pair, curve in distances.curves().items():
        np.testing.assert_allclose(rdf["pairs"][pair], curve, atol=1e-4)
    np.testing.assert_allclose(msd["lag_ps"], 0.005 * np.arange(1, 6))
    for element, curve in displacements.curves().items():
        np.testing.assert_allclose(msd["elements_A2"][element], curve, atol=1e-5)


@pytest.mark.usefixtures("springs")
def test_a_resumed_run_goes_on_with_its_averages(make_spec: MakeSpec, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"analysis": ["rdf", "msd"], "analysis_interval": 10}
    whole = run_simulation(make_spec(steps=60, **changes), tmp_path / "whole").folder
    broken = run_simulation(make_spec(steps=40, **changes), tmp_path / "broken").folder
    resume_simulation(broken, steps=60)
    for kind in ("rdf", "msd"):
        first, second = (
            [event for event in events(folder) if event["ev"] == kind][-1]
            for folder in (whole, broken)
        )
        first.pop("t"), second.pop("t")
        assert first == second


@pytest.mark.usefixtures("springs")
def test_what_is_too_large_to_be_analysed_is_said(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequip_openmm.simulation.live.MOST_ATOMS", 5)
    spec = make_spec(steps=20, analysis=["rdf", "msd"], analysis_interval=10)
    folder = run_simulation(spec, tmp_path / "run").folder
    codes = [event["code"] for event in events(folder) if event["ev"] == "warning"]
    assert codes == ["analysis-skipped"]
    assert "rdf" not in {event["ev"] for event in events(folder)}


@pytest.mark.usefixtures("springs")
def test_averages_begin_anew_with_every_stage(make_spec: MakeSpec, tmp_path: Path) -> None:
    stages: list[Any] = [{"steps": 40}, {"steps": 30}]
    spec = make_spec(steps=None, stages=stages, analysis=["rdf", "msd"], analysis_interval=10)
    folder = run_simulation(spec, tmp_path / "run").folder
    told = [(e["step"], e["frames"]) for e in events(folder) if e["ev"] == "rdf"]
    assert (40, 4) in told
    assert told[-1] == (70, 3)


@pytest.mark.usefixtures("springs")
def test_nothing_is_analysed_unless_it_is_asked_for(make_spec: MakeSpec, tmp_path: Path) -> None:
    folder = run_simulation(make_spec(), tmp_path / "run").folder
    assert not {"rdf", "msd"} & {event["ev"] for event in events(folder)}
    assert len(read_structure(make_spec().structure).frame) == 6
