"""A made-up simulation for demos, tests and pictures."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.core.simulation_record import SimulationRecord

if TYPE_CHECKING:
    from gui.jobs import Job
    from gui.session import Session

__all__ = ["demo_events", "demo_job", "demo_record"]

TIMESTEP_FS, INTERVAL = 0.5, 50


def demo_events(
    steps: int = 24_800, total: int = 100_000, *, is_periodic: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield the events of a run that has come some way."""
    spec = {"timestep": TIMESTEP_FS, "steps": total, "ensemble": "npt" if is_periodic else "nvt", "temperature": 300.0, "friction": 1.0, "pressure": 1.0}  # fmt: skip
    yield {"ev": "hello", "t": 10.0, "kind": "md", "n_atoms": 192, "spec": spec}
    yield {"ev": "status", "t": 13.0, "state": "running"}
    random = np.random.default_rng(3)
    target, noise = 300.0, 0.0
    for step in range(0, steps + 1, INTERVAL):
        time_ps = step * TIMESTEP_FS / 1000
        if step == 200 * INTERVAL:
            target = 340.0
            yield {"ev": "set", "t": 20.0, "step": step, "temperature": target}
        noise = 0.9 * noise + random.normal()
        relaxing = math.exp(-time_ps / 0.4)
        temperature = target - 130 * relaxing + 5 * noise + 2 * random.normal()
        kinetic = 1.5 * 192 * 8.617e-5 * temperature
        yield {
            "ev": "sample", "t": 20.0, "step": step, "t_ps": time_ps,
            "epot": -29_431.2 + kinetic - 2 * relaxing, "ekin": kinetic, "etot": -29_431.2 + 2 * kinetic - 2 * relaxing,
            "temp": temperature, "temp_target": target,
            "pressure": 400 * random.normal() + 30 * noise if is_periodic else None,
            "volume": 1928 + 6 * noise + 40 * relaxing if is_periodic else None,
            "density": 0.993 - 0.003 * noise if is_periodic else None,
            "max_force": abs(2.4 + 0.3 * random.normal()), "rms_force": 0.71 + 0.02 * random.normal(),
            "conserved": None, "stage": 1,
        }  # fmt: skip
    yield from _averages(steps)
    yield {"ev": "checkpoint", "t": 30.0, "path": "checkpoint.chk", "step": steps - steps % 1000}
    yield {
        "ev": "progress",
        "t": 30.0,
        "done": steps,
        "total": total,
        "eta_s": 372.0,
        "ns_per_day": 8.6,
    }


def _averages(step: int) -> Iterator[dict[str, Any]]:
    r = np.linspace(0.05, 6, 120)
    peaks = {"H-H": (1.55, 2.4), "H-O": (0.98, 1.8), "O-O": (2.75, 4.5)}
    pairs = {
        name: (1 / (1 + np.exp(-(r - a) * 9)) + 1.8 * np.exp(-((r - a) ** 2) / 0.02) + 0.4 * np.exp(-((r - b) ** 2) / 0.1)).round(4).tolist()
        for name, (a, b) in peaks.items()
    }  # fmt: skip
    yield {"ev": "rdf", "t": 30.0, "step": step, "frames": 496, "r_A": r.tolist(), "pairs": pairs}
    lag = np.arange(1, 51) * 0.05
    curves = {
        "H": (0.5 * (1 - np.exp(-lag / 0.05)) + 1.1 * lag).tolist(),
        "O": (0.1 + 1.05 * lag).tolist(),
    }
    yield {
        "ev": "msd",
        "t": 30.0,
        "step": step,
        "frames": 496,
        "lag_ps": lag.tolist(),
        "elements_A2": curves,
    }


def demo_record(**options: Any) -> SimulationRecord:
    """Return what the demo's events tell."""
    record = SimulationRecord(Path("water-npt"))
    record.begin(5.0)
    for event in demo_events(**options):
        record.take(event)
    return record


def demo_job(session: Session, **options: Any) -> Job:
    """Return a run of the session, at work, that has told the demo's events."""
    from gui.jobs.follower import Follower

    folder = session.settings.runs_folder / "water-npt"
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text("kind: md\n", encoding="utf-8")
    told = {"v": 1, "pid": os.getpid(), "t": time.time()}
    lines = [json.dumps({**event, **told}) + "\n" for event in demo_events(**options)]
    (folder / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    job = session.jobs.attach(folder)
    for follower in job.findChildren(Follower):
        follower.look_to_end()
    return job
