"""Runs in i-PI, models for them, and the run that others are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import BEADS, BRIEF
from tests.ipi_driver.with_ipi.processes import Processes
from tests.ipi_driver.with_ipi.run import Run


@pytest.fixture(scope="session", autouse=True)
def _ipi_is_here() -> None:
    pytest.importorskip("ipi", reason="needs i-PI: pip install 'nequip-openmm[ipi]'")


@pytest.fixture
def new_run(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Make the folder of a run; its name is short because the path of a socket must be. Whatever runs at the end is killed."""
    processes, count = Processes(), itertools.count()

    def make() -> Run:
        folder = tmp_path / str(next(count))
        folder.mkdir()
        return Run(processes, folder)

    yield make
    processes.end()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What i-PI writes in the brief run when nothing goes wrong."""
    processes = Processes()
    run = Run(processes, tmp_path_factory.mktemp("undisturbed"))
    try:
        yield run.write(BRIEF, Connection(batch_size=BEADS)).start().finish()
    finally:
        processes.end()


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two NequIP models with random weights, in double precision."""
    import torch

    from nequip_openmm.model.config import ModelConfig
    from nequip_openmm.model.file import save_model
    from nequip_openmm.model.nequip import NequIP

    config = ModelConfig(
        species=("H", "C", "O"),
        cutoff=4.0,
        l_max=1,
        num_layers=2,
        num_features=4,
        radial_mlp_width=8,
        avg_num_neighbors=5.0,
    )
    paths = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        paths.append(tmp_path_factory.mktemp("model") / "model.safetensors")
        save_model(paths[-1], NequIP(config, torch.float64), {})
    return paths[0], paths[1]


@pytest.fixture(scope="session")
def model_file(model_files: tuple[Path, Path]) -> Path:
    """One of the models."""
    return model_files[0]
