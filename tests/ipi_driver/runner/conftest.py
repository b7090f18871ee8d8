"""Runs of i-PI that take seconds: the potential's place is taken by springs, whose driver needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import pytest

from ipi_driver.inputs import PimdSpec
from ipi_driver.runner import drivers as drivers_module
from ipi_driver.runner import files as files_module
from ipi_driver.runner import plan as plan_module
from ipi_driver.runner import session as session_module
from nequip_openmm.runs import read_events

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 300.0  # for what takes seconds on a machine at rest


@pytest.fixture
def methanol(tmp_path: Path) -> Path:
    path = tmp_path / "methanol.xyz"
    ase.io.write(path, ase.build.molecule("CH3OH"))
    return path


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """One methanol in a triclinic cell of any orientation."""
    atoms = ase.build.molecule("CH3OH")
    atoms.set_cell([7.0, 7.5, 8.0, 80.0, 95.0, 100.0])
    atoms.pbc = True
    atoms.rotate(35, (1, 2, 3), rotate_cell=True)
    path = tmp_path / "box.extxyz"
    ase.io.write(path, atoms)
    return path


@pytest.fixture
def make_spec(tmp_path: Path, methanol: Path) -> Callable[..., PimdSpec]:
    """Return the specification of a short run of methanol; keywords change it."""
    (tmp_path / "model").write_bytes(b"springs")

    def make(**changes: Any) -> PimdSpec:
        values: dict[str, Any] = {
            "model": tmp_path / "model",
            "structure": methanol,
            "beads": 4,
            "steps": 60,
            "thermo_interval": 5,
            "trajectory_interval": 10,
            "checkpoint_interval": 20,
        }
        return PimdSpec.model_validate(values | changes)

    return make


@pytest.fixture
def springs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let springs take the place of the model in runs of this process and of those it starts."""
    pytest.importorskip("ipi", reason="needs i-PI: pip install 'nequip-openmm[ipi]'")
    monkeypatch.setattr(drivers_module, "CLIENT", "tests.ipi_driver.runner.springs")
    monkeypatch.setattr(files_module, "PES_FILE", Path(__file__).with_name("springs_pes.py"))
    monkeypatch.setattr(plan_module, "check_start", lambda *_: None)
    monkeypatch.setattr(plan_module, "warnings_about", lambda *_: [])
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def events_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder / "events.jsonl") if event["ev"] == kind]


def steps_of(folder: Path) -> list[int]:
    lines = (folder / "simulation.out").read_text().splitlines()
    return [int(float(line.split()[0])) for line in lines if not line.startswith("#")]


def frame_steps(path: Path) -> list[int]:
    words = path.read_text().split()
    return [int(words[i + 1]) for i, word in enumerate(words) if word == "Step:"]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def started(folder: Path) -> dict[str, Any]:
    """Return the event that names the children of a run, once the run makes steps."""

    def look() -> dict[str, Any] | None:
        if not (folder / "events.jsonl").exists() or not events_of(folder, "sample"):
            return None
        return next(e for e in events_of(folder, "status") if e["state"] == "starting")

    return wait_for(look, "the first sample")


class Runner:
    """A run in a process of its own, which signals can be sent to."""

    def __init__(self, spec: PimdSpec, folder: Path, *arguments: str) -> None:
        self.folder = folder
        source = folder.parent / f"{folder.name}.json"
        source.write_text(json.dumps(spec.model_dump(mode="json")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(source), str(folder), *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def children(self) -> list[int]:
        """Return the processes that the run has started, once it makes steps."""
        event = started(self.folder)
        return [event["server"], *event["drivers"]]

    def warnings(self, code: str) -> list[dict[str, Any]]:
        return [event for event in self._events("warning") if event["code"] == code]

    def states(self, driver: int) -> list[str]:
        """Return what has become of a driver so far."""
        return [event["state"] for event in self._events("driver") if event["number"] == driver]

    def _events(self, kind: str) -> list[dict[str, Any]]:
        return events_of(self.folder, kind) if (self.folder / "events.jsonl").exists() else []

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def order(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said


@pytest.fixture
def start_run(springs: None, tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    runs: list[Runner] = []

    def start(spec: PimdSpec, *arguments: str) -> Runner:
        runs.append(Runner(spec, tmp_path / f"run{len(runs)}", *arguments))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()


def socket_of(folder: Path) -> Path:
    (hello, *_) = events_of(folder, "hello")
    return Path(hello["address"])


def leaves_nothing(folder: Path, children: list[int]) -> bool:
    return not any(is_alive(pid) for pid in children) and not socket_of(folder).exists()


def _main() -> None:
    """Run as ``nequip-openmm pimd`` would, with springs: ``conftest SPEC.json FOLDER``."""
    from nequip_openmm.cli.app import main

    session_module._END_S = 3600.0  # no test waits for it
    drivers_module.CLIENT = "tests.ipi_driver.runner.springs"
    plan_module.check_start = lambda *_: None  # type: ignore[assignment]
    plan_module.warnings_about = lambda *_: []  # type: ignore[assignment]
    source, folder, *arguments = sys.argv[1:]
    target = [] if "--resume" in arguments else [source, "--output", folder]
    main(["pimd", *target, *arguments])


if __name__ == "__main__":
    _main()
