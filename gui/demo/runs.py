"""Folders of made-up runs, in every state, for demonstrations, pictures and tests."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

if TYPE_CHECKING:
    from gui.session import Session
    from gui.viewmodels.runs import Runs

__all__ = ["demo_runs", "write_md", "write_pimd", "write_runs", "write_train"]


def demo_runs(session: Session) -> Runs:
    """Return runs of every kind and state, which have been read."""
    from gui.viewmodels.runs import Runs

    write_runs(session.settings.runs_folder)
    runs = Runs(session, session)
    runs.look()
    while runs.is_loading:
        runs._read_some()
    return runs


def write_runs(root: Path) -> None:
    """Write runs of every kind and state into a folder; the one that is running is of this process."""
    now = time.time()
    write_train(root / "methanol-quick", now - 86400 * 3, force=41.0, l_max=1)
    write_train(root / "methanol-balanced", now - 86400 * 2, force=17.9, l_max=2)
    write_train(root / "water-accurate", now - 5400, force=24.0, l_max=2, reason=None)
    write_md(root / "methanol-nvt-300K", now - 86400, temperature=300.0)
    write_md(root / "methanol-nvt-350K", now - 80000, temperature=350.0)
    error = "the temperature rose above 3,000 K at step 812"
    write_md(
        root / "methanol-2fs", now - 70000, temperature=300.0, reason="failed", error=error, n=40
    )
    write_md(root / "ice-npt", now - 40000, temperature=250.0, reason=None, pid=999_999_999, n=60)
    write_md(root / "water-nvt", now - 20000, temperature=300.0, reason="stopped", n=100)
    write_pimd(root / "methanol-pimd-8", now - 9000, beads=8)
    write_pimd(root / "methanol-pimd-32", now - 7000, beads=32)


def write_train(
    folder: Path,
    started: float,
    *,
    force: float,
    l_max: int,
    reason: str | None = "finished",
    n: int = 60,
) -> None:
    """Write a training whose force error falls to ``force`` meV/Å; ``reason`` None for one that goes on."""
    rng = np.random.default_rng(l_max)
    epochs = np.arange(1, n + 1)
    forces = force * (1 + 20 * np.exp(-epochs / 8)) * np.exp(0.05 * rng.normal(size=n))
    energies = forces / 45
    rows = np.stack(
        [epochs, forces * 1e-3, forces * 1.2e-3, energies, forces, 0.01 * 0.97**epochs], axis=1
    )
    names = "epoch,train_loss,valid_loss,valid_energy_mae_mev_per_atom,valid_forces_mae_mev_per_angstrom,learning_rate"
    spec = {
        "preset": "balanced",
        "model": {"cutoff": 5.0, "l_max": l_max, "num_layers": 4},
        "training": {"batch_size": 5, "seed": 1},
    }
    best = {
        "valid_forces_mae_mev_per_angstrom": float(forces.min()),
        "valid_energy_mae_mev_per_atom": float(energies.min()),
    }
    total = 10 * n if reason else 16 * n
    events: list[dict[str, Any]] = [
        {"ev": "epoch", "epoch": n, "is_best": True, **best},
        {"ev": "progress", "done": 10 * n, "total": total, "eta_s": 300.0},
    ]
    if reason:
        valid = {name.removeprefix("valid_"): value for name, value in best.items()}
        events.append({"ev": "done", "reason": reason, "valid": valid})
    _write(folder, "train", spec, started, events)
    (folder / "model.safetensors").write_bytes(b"")
    _table(folder / "metrics.csv", names, rows)


def write_md(
    folder: Path,
    started: float,
    *,
    temperature: float,
    reason: str | None = "finished",
    error: str = "",
    pid: int | None = None,
    n: int = 200,
) -> None:
    """Write a simulation of ``n`` samples out of 200; ``reason`` None for one that has not ended."""
    rng = np.random.default_rng(int(temperature))
    noise = np.convolve(rng.normal(size=n + 9), np.ones(10) / 10, "valid")
    temperatures = temperature * (1 + 0.35 * noise)
    kinetic = 0.5 * 18 * 8.617e-5 * temperatures
    if error:
        kinetic[-5:] *= [2, 4, 8, 16, 30]
        temperatures[-5:] *= [2, 4, 8, 16, 30]
    potential = -3140.9 + 0.3 - kinetic
    step = 20 * np.arange(1, n + 1)
    table = np.stack(
        [step, 0.0005 * step, potential, kinetic, potential + kinetic, temperatures], axis=1
    )
    spec = {
        "model": "methanol.safetensors",
        "ensemble": "nvt",
        "temperature": temperature,
        "timestep": 2.0 if error else 0.5,
        "steps": 4000,
        "friction": 10.0,
    }
    events: list[dict[str, Any]] = [
        {"ev": "progress", "done": 20 * n, "total": 4000, "eta_s": 3.0, "ns_per_day": 38.2}
    ]
    if error:
        events.append({"ev": "error", "code": "blow-up", "title": error, "detail": "", "hint": ""})
    if reason:
        events.append({"ev": "done", "reason": reason, "step": 20 * n, "ns_per_day": 38.2})
    _write(folder, "md", spec, started, events, pid)
    _table(
        folder / "thermo.csv", "step,time_ps,potential_eV,kinetic_eV,total_eV,temperature_K", table
    )


def write_pimd(folder: Path, started: float, *, beads: int, n: int = 120) -> None:
    """Write a path integral of so many beads."""
    rng = np.random.default_rng(beads)
    step = 10.0 * np.arange(n)
    kinetic = 0.9 - 1.0 / beads + 0.06 * rng.normal(size=n)
    table = np.stack(
        [
            step,
            0.00025 * step,
            300 + 40 * rng.normal(size=n),
            -3140.3 + 0.1 * rng.normal(size=n),
            kinetic,
        ],
        axis=1,
    )
    names = (
        "step",
        "time{picosecond}",
        "temperature{kelvin}",
        "potential{electronvolt}",
        "kinetic_cv{electronvolt}",
    )
    spec = {
        "model": "methanol.safetensors",
        "mode": "pimd",
        "beads": beads,
        "temperature": 300.0,
        "timestep": 0.25,
        "steps": 4000,
    }
    events = [
        {"ev": "progress", "done": 4000, "total": 4000, "eta_s": 0.0, "ns_per_day": 3.3},
        {"ev": "done", "reason": "finished", "step": 4000},
    ]
    _write(folder, "pimd", spec, started, events)
    head = [f"# column   {k + 1}     --> {name} : what it is" for k, name in enumerate(names)]
    rows = ["  ".join(f"{value: .10e}" for value in row) for row in table]
    (folder / "simulation.out").write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


def _write(
    folder: Path,
    kind: str,
    spec: dict[str, Any],
    started: float,
    events: list[dict[str, Any]],
    pid: int | None = None,
) -> None:
    folder.mkdir(parents=True)
    text = yaml.safe_dump({"kind": kind, **spec}, sort_keys=False)
    (folder / "spec.yaml").write_text(text, encoding="utf-8")
    is_over = events[-1]["ev"] == "done"
    hello: dict[str, Any] = {"ev": "hello", "kind": kind, "pid": pid or os.getpid()}
    lines = [hello, {"ev": "status", "state": "running"}, *events]
    # a process that began after it said hello is another one of the same number
    begin = started if is_over or pid else time.time()
    path = folder / "events.jsonl"
    path.write_text(
        "".join(json.dumps({"v": 1, "t": begin, **event}) + "\n" for event in lines),
        encoding="utf-8",
    )
    os.utime(path, (started, started))


def _table(path: Path, names: str, rows: np.ndarray) -> None:
    lines = [",".join(f"{value:.8g}" for value in row) for row in rows]
    path.write_text("\n".join([names, *lines]) + "\n", encoding="utf-8")
