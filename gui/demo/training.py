"""A made-up training: run folder, events and predictions that look like those of a real one."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gui.core.comparison import Comparison
from gui.jobs import Jobs
from gui.jobs.follower import Follower
from gui.viewmodels.training_run import TrainingRun
from nequip_openmm.training.loading import load_config

__all__ = ["FOUND", "demo_comparison", "demo_events", "demo_run", "write_run"]

FORCES, ENERGY = "forces_mae_mev_per_angstrom", "energy_mae_mev_per_atom"
EPOCHS = 220
SPECIES = {"H": 0.8, "C": 1.6, "O": 1.3}

FOUND: dict[str, Any] = {
    "frames": {"train": 288, "valid": 36, "test": 36, "total": 360},
    "atoms": {"min": 6, "mean": 6.0, "max": 6},
    "model": {"species": ["H", "C", "O"], "cutoff": 4.0, "per_type_energy_scales": 1.31},
    "mean_neighbours": 5.0,
    "n_weights": 42_304,
    "device": "cpu",
    "engine": "fused",
    "steps_per_epoch": 29,
    "cost": {
        "step_s": 0.0071,
        "valid_s": 0.02,
        "epoch_s": 0.23,
        "total_s": 50.0,
        "limit": "max_epochs",
        "memory": 900_000_000,
        "gpu_memory": None,
        "lists": 4_000_000,
    },
    "lint": {
        "errors": 0,
        "warnings": 1,
        "findings": [
            {
                "severity": "warning",
                "code": "duplicates",
                "message": "4 frames are copies of others; they weigh twice",
                "n_frames": 4,
                "frames": [3, 17, 80, 81],
            }
        ],
    },
    "notes": ["compositions determine 1 of 3 energy shifts (H, C, O); give isolated-atom energies"],
}
"""What a rehearsal finds."""


def demo_events(
    n_epochs: int = 137, end: str = "", error: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return the events of a training of which ``n_epochs`` are done; ``end`` is the reason of its last one."""
    rng = np.random.default_rng(4)
    now = time.time()
    events: list[dict[str, Any]] = [
        {
            "ev": "hello",
            "kind": "train",
            "pid": os.getpid(),
            "n_weights": 42_304,
            "frames": {"train": 288, "valid": 36, "test": 36},
        },
        {"ev": "status", "state": "training"},
    ]
    best = np.inf
    for epoch in range(1, n_epochs + 1):
        row = _row(epoch, rng)
        row["is_best"] = row["valid_loss"] < best
        best = min(best, row["valid_loss"])
        events += [{"ev": "checkpoint", "path": "checkpoints/last.ckpt", "step": row["step"]}, row]
    left = 0.23 * (EPOCHS - n_epochs)
    events.append(
        {
            "ev": "progress",
            "done": 29 * n_epochs,
            "total": 29 * EPOCHS,
            "eta_s": left,
            "epoch": n_epochs + 1,
            "epochs": EPOCHS,
            "memory_bytes": 830_000_000,
        }
    )
    if end == "paused":
        events.append({"ev": "status", "state": "paused"})
    elif end:
        events += [{"ev": "error", **error}] if error else []
        events.append({"ev": "done", "reason": end, "why": "all epochs done"})
    return [{"v": 1, "t": now, **event} for event in events]


def _row(epoch: int, rng: np.random.Generator) -> dict[str, Any]:
    rate = 1e-5 + 0.02 * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
    wobble = 0.4 * rate / 0.02
    forces = 18.0 + 640.0 / (1.0 + 0.25 * epoch) ** 1.1

    def about(value: float, scale: float = 1.0) -> float:
        return float(value * np.exp(scale * wobble * rng.normal() * 0.5))

    row = {
        "ev": "epoch",
        "epoch": epoch,
        "step": 29 * epoch,
        "elapsed_s": round(0.23 * epoch + 0.02 * rng.normal(), 3),
        "learning_rate": rate,
        "train_loss": about(forces**1.6 * 2e-6),
        "valid_loss": about(forces**1.6 * 2.6e-6, 1.4),
        f"train_{FORCES}": about(0.92 * forces),
        f"valid_{FORCES}": about(forces, 1.3),
        f"train_{ENERGY}": about(0.030 * forces, 2.0),
        f"valid_{ENERGY}": about(0.034 * forces, 2.6),
        "memory_bytes": 830_000_000,
    }
    for symbol, factor in SPECIES.items():
        row[f"train_{FORCES}_{symbol}"] = factor * row[f"train_{FORCES}"]
        row[f"valid_{FORCES}_{symbol}"] = factor * row[f"valid_{FORCES}"]
    return row


def write_run(folder: Path, events: list[dict[str, Any]], preset: str = "quick") -> Path:
    """Write the folder of a run with these events."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    spec = load_config(preset=preset, dataset="methanol.xyz").model_dump(mode="json")
    (folder / "spec.yaml").write_text(yaml.safe_dump({"kind": "train", **spec}))
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(lines)
    return folder


def demo_comparison(n_frames: int = 36, error: float = 0.03, seed: int = 2) -> Comparison:
    """Return predictions for frames of methanol."""
    rng = np.random.default_rng(seed)
    numbers = np.array([6, 8, 1, 1, 1, 1])
    n = len(numbers)
    place = np.array(
        [[0, 0, 0], [1.4, 0, 0], [-0.4, 1, 0], [-0.4, -0.5, 0.9], [-0.4, -0.5, -0.9], [1.7, 0.9, 0]]
    )
    forces = rng.normal(scale=1.3, size=(n_frames * n, 3)) * rng.choice(
        [0.4, 1.0, 1.8], (n_frames * n, 1)
    )
    energies = -3140.0 + 0.35 * rng.gamma(2.0, size=n_frames)
    arrays: dict[str, NDArray[Any]] = {
        "frames": rng.permutation(10 * n_frames)[:n_frames],
        "offsets": np.arange(n_frames + 1) * n,
        "numbers": np.tile(numbers, n_frames),
        "positions": (place + rng.normal(scale=0.05, size=(n_frames, n, 3))).reshape(-1, 3),
        "cells": np.zeros((n_frames, 3, 3)),
        "pbc": np.zeros((n_frames, 3), dtype=bool),
        "energies": energies,
        "predicted_energies": energies + n * rng.normal(scale=error / 20, size=n_frames),
        "forces": forces,
        "predicted_forces": forces + rng.normal(scale=error, size=forces.shape),
    }
    return Comparison(arrays, {"frames": n_frames})


def demo_run(
    n_epochs: int = 137, end: str = "", error: dict[str, str] | None = None
) -> TrainingRun:
    """Return a training that has told what `demo_events` says."""
    folder = Path(tempfile.mkdtemp(prefix="nequip-openmm-demo-")) / "methanol-quick"
    jobs = Jobs()
    job = jobs.attach(write_run(folder, demo_events(n_epochs, end, error)))
    for follower in job.findChildren(Follower):
        follower.look()
    run = TrainingRun(job)
    jobs.setParent(run)
    return run
