"""A data set and settings so small that a training takes about a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from nequip_openmm.training import TrainingConfig, load_config

TINY = (
    "model.cutoff=4.0",
    "model.l_max=1",
    "model.parity=false",
    "model.num_layers=2",
    "model.num_features=4",
    "model.radial_mlp_depth=1",
    "model.radial_mlp_width=8",
    "training.loss=mse",
    "training.energy_weight=1.0",
    "training.forces_weight=1.0",
    "training.scheduler=cosine",
    "training.lr_final=1.0e-5",
    "training.warmup_steps=0",
    "training.ema_decay=0.99",
    "training.grad_clip=null",
    "training.early_stopping_patience=null",
    "training.batch_size=4",
    "training.max_epochs=3",
    "training.max_time=null",
    "training.lr=0.01",
    "training.tensorboard=false",
    "training.accelerator=cpu",
    "training.threads=1",
    "data.n_train=18",
    "data.n_valid=5",
    "data.n_test=5",
)

Config = Callable[..., TrainingConfig]


def clusters(n_frames: int, seed: int = 0) -> list[Atoms]:
    """Return clusters of oxygen and hydrogen places with Lennard-Jones energies and forces."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]) * 1.6
    frames = []
    for k in range(n_frames):
        n = 4 + k % 2
        atoms = Atoms(["O", "H", "H", "O", "H"][:n], corners[:n] + rng.normal(0, 0.1, (n, 3)))
        atoms.calc = LennardJones(sigma=1.3, epsilon=0.5, rc=8.0)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    return frames


@pytest.fixture(scope="session")
def cluster_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "clusters.xyz"
    write(path, clusters(28), format="extxyz")
    return path


@pytest.fixture
def tiny(cluster_file: Path) -> Config:
    """Return settings of a training of a second; arguments are further overrides."""
    return lambda *overrides: load_config(
        preset="quick", dataset=cluster_file, overrides=(*TINY, *overrides)
    )


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
