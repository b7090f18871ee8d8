"""Models of the quantum mode whose runs are made up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shiboken6 import delete

from gui.jobs.jobs import Jobs
from gui.viewmodels.quantum import QuantumModel

FAKE = Path(__file__).with_name("fake_ipi.py")
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def make_model(
    tmp_path: Path, qapp: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., QuantumModel]]:
    """``make_model(behaviour, **settings)``: a model with a model file and a structure, whose runs behave as `fake_ipi` says."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    made: list[Jobs] = []
    models: list[QuantumModel] = []

    def make(behaviour: str = "ok", /, **values: object) -> QuantumModel:
        jobs = Jobs([sys.executable, str(FAKE), behaviour])
        made.append(jobs)
        model = QuantumModel(jobs, lambda: tmp_path / "runs")
        models.append(model)
        model.set_model(tmp_path / "model.safetensors")
        model.set_structure(tmp_path / "methanol.xyz")
        model.set_values({**model.values, "beads": 4, "steps": 1000, **values})
        return model

    yield make
    for model in models:
        delete(model)
    for jobs in made:
        for job in jobs.running():
            job.kill()
            job.wait(5)
        jobs.close(0)
        delete(jobs)
