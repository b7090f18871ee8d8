"""What is read of a run's folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from gui.core.curves import read_curves
from gui.core.run_summary import summarise
from gui.core.settings_difference import compare_settings, flat, read_settings
from gui.demo.runs import write_md, write_pimd, write_train


def alive(pid: int, since: float | None) -> bool:
    return True


def dead(pid: int, since: float | None) -> bool:
    return False


def add(folder: Path, *events: dict) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps({"v": 1, "t": time.time(), **event}) + "\n" for event in events)


@pytest.mark.parametrize(
    ("reason", "error", "is_running", "state"),
    [
        ("finished", "", dead, "FINISHED"),
        ("stopped", "", dead, "STOPPED"),
        ("failed", "too hot", dead, "FAILED"),
        (None, "", alive, "RUNNING"),
        (None, "", dead, "LOST"),
        (None, "too hot", dead, "FAILED"),
    ],
)
def test_states(tmp_path: Path, reason: str | None, error: str, is_running, state: str) -> None:  # type: ignore[no-untyped-def]
    write_md(tmp_path / "a", time.time(), temperature=300, reason=reason, error=error)
    run = summarise(tmp_path / "a", is_running)
    assert run is not None
    assert (run.state, run.error) == (state, error)
    assert run.is_alive == (state == "RUNNING")


def test_a_paused_run_and_one_that_goes_on(tmp_path: Path) -> None:
    write_md(tmp_path / "a", time.time(), temperature=300, reason=None)
    add(tmp_path / "a", {"ev": "status", "state": "paused"})
    assert summarise(tmp_path / "a", alive).state == "PAUSED"  # type: ignore[union-attr]
    add(tmp_path / "a", {"ev": "done", "reason": "stopped"})
    assert summarise(tmp_path / "a", alive).state == "STOPPED"  # type: ignore[union-attr]
    add(tmp_path / "a", {"ev": "hello", "kind": "md", "pid": 1})
    assert summarise(tmp_path / "a", alive).state == "RUNNING"  # type: ignore[union-attr]


def test_figures(tmp_path: Path) -> None:
    write_train(tmp_path / "t", 0.0, force=20.0, l_max=1)
    write_md(tmp_path / "m", 0.0, temperature=350)
    write_pimd(tmp_path / "p", 0.0, beads=16)
    train, md, pimd = (summarise(tmp_path / name, dead) for name in "tmp")
    assert train.figures.startswith("F ")  # type: ignore[union-attr]
    assert train.rank == pytest.approx(20, rel=0.2)  # type: ignore[union-attr]
    assert train.model == tmp_path / "t" / "model.safetensors"  # type: ignore[union-attr]
    assert md.figures == "NVT · 350 K · 2 ps · 38.2 ns/day"  # type: ignore[union-attr]
    assert pimd.figures == "PIMD · 16 beads · 300 K · 1 ps · 3.3 ns/day"  # type: ignore[union-attr]


def test_a_training_that_goes_on_shows_its_best(tmp_path: Path) -> None:
    write_train(tmp_path / "t", 0.0, force=20.0, l_max=1, reason=None)
    best = {"valid_forces_mae_mev_per_angstrom": 12.3, "valid_energy_mae_mev_per_atom": 0.5}
    worse = {"valid_forces_mae_mev_per_angstrom": 99.0, "valid_energy_mae_mev_per_atom": 9.0}
    add(
        tmp_path / "t",
        {"ev": "epoch", "is_best": True, **best},
        {"ev": "epoch", "is_best": False, **worse},
    )
    assert summarise(tmp_path / "t", alive).figures == "F 12.3 meV/Å · E 0.5 meV/atom"  # type: ignore[union-attr]


def test_damaged_folders(tmp_path: Path) -> None:
    assert summarise(tmp_path, dead) is None
    (tmp_path / "spec.yaml").write_text("kind: [")
    assert summarise(tmp_path, dead) is None
    (tmp_path / "spec.yaml").write_text("kind: md\n")
    assert summarise(tmp_path, dead).state == "STARTING"  # type: ignore[union-attr]
    (tmp_path / "events.jsonl").write_text("")
    assert summarise(tmp_path, dead).state == "STARTING"  # type: ignore[union-attr]
    (tmp_path / "events.jsonl").write_text(
        '{"ev": "hello", "t": 1, "pid": 1}\n{"ev": "done", "rea\n{"ev": "progress", "done": 4'
    )
    assert summarise(tmp_path, dead).state == "LOST"  # type: ignore[union-attr]


def test_large_logs_are_not_read_whole(tmp_path: Path) -> None:
    write_md(tmp_path / "a", time.time(), temperature=300, reason=None)
    line = json.dumps({"v": 1, "t": 1.0, "ev": "sample", "step": 1, "temp": 300.0}) + "\n"
    with (tmp_path / "a" / "events.jsonl").open("a") as file:
        file.write(line * 200_000)
    begin = time.process_time()
    run = summarise(tmp_path / "a", alive)
    assert time.process_time() - begin < 0.5
    assert run is not None
    assert run.done == 4000


def test_curves(tmp_path: Path) -> None:
    write_train(tmp_path / "t", 0.0, force=20.0, l_max=1)
    write_md(tmp_path / "m", 0.0, temperature=350)
    write_pimd(tmp_path / "p", 0.0, beads=16)
    train = read_curves(tmp_path / "t", "train")
    assert train is not None
    assert train.x_title == "epoch"
    assert np.array_equal(train.x, np.arange(1, 61))
    assert {"force_mae", "energy_mae", "valid_loss", "learning_rate"} <= set(train.values)
    md, pimd = read_curves(tmp_path / "m", "md"), read_curves(tmp_path / "p", "pimd")
    assert md is not None
    assert pimd is not None
    assert {"temperature", "potential", "kinetic"} <= set(md.values) & set(pimd.values)
    assert md.x[-1] == pytest.approx(2.0)
    assert read_curves(tmp_path / "t", "md") is None
    assert read_curves(tmp_path / "t", "other") is None


def test_empty_fields_and_half_lines(tmp_path: Path) -> None:
    (tmp_path / "thermo.csv").write_text(
        "step,time_ps,temperature_K,volume_A3\n10,0.1,300,\n20,0.2,,\n30,0.3,3"
    )
    curves = read_curves(tmp_path, "md")
    assert curves is not None
    assert np.array_equal(curves.values["temperature"], [300, np.nan], equal_nan=True)
    assert "volume" not in curves.values


def test_pressures_are_in_bar(tmp_path: Path) -> None:
    (tmp_path / "simulation.out").write_text(
        "# column   1     --> time{picosecond} : t\n# column   2     --> pressure_cv{megapascal} : p\n 0.0 0.1\n 1.0 0.2\n"
    )
    curves = read_curves(tmp_path, "pimd")
    assert curves is not None
    assert np.allclose(curves.values["pressure"], [1.0, 2.0])


def test_long_tables_are_thinned_to_the_last_row(tmp_path: Path) -> None:
    rows = "".join(f"{k},{0.1 * k},300\n" for k in range(50_001))
    (tmp_path / "thermo.csv").write_text("step,time_ps,temperature_K\n" + rows)
    curves = read_curves(tmp_path, "md")
    assert curves is not None
    assert len(curves.x) <= 20_000
    assert curves.x[-1] == pytest.approx(5000.0)


def test_differences_of_settings() -> None:
    first = {
        "kind": "md",
        "temperature": 300.0,
        "stages": [{"steps": 10}],
        "model": {"cutoff": 5.0},
    }
    second = {"kind": "md", "temperature": 350.0, "stages": [], "device": None}
    rows = {row.name: row for row in compare_settings([first, second])}
    assert not rows["kind"].differs
    assert rows["temperature"].values == ("300", "350")
    assert rows["stages.1.steps"].values == ("10", "")
    assert rows["model.cutoff"].differs
    assert rows["device"].values == ("", "–")
    assert not any(row.differs for row in compare_settings([first]))
    assert flat({"a": {"b": [1, 2.5, True]}}) == {"a.b": "1, 2.5, yes"}


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {}
    (tmp_path / "spec.yaml").write_text("- a\n")
    assert read_settings(tmp_path) == {}


def test_the_process_of_a_demo_is_this_one(tmp_path: Path) -> None:
    write_md(tmp_path / "a", time.time(), temperature=300, reason=None)
    assert summarise(tmp_path / "a", alive).pid == os.getpid()  # type: ignore[union-attr]
