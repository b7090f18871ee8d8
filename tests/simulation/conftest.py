"""A small model, structures, and a cheap stand-in for the potential where only the runner is under test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import openmm
import pytest
import torch
from openmm import app

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.simulation import SimulationSpec, system

pytest.importorskip("openmm")


def _save_model(path: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    config = ModelConfig(
        species=("H", "C", "O"),
        cutoff=4.0,
        l_max=1,
        num_layers=2,
        num_features=4,
        radial_mlp_width=8,
        avg_num_neighbors=5.0,
        per_type_energy_scales=0.1,
    )
    save_model(path, NequIP(config, dtype), {})


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A NequIP model with random weights and weak forces."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    _save_model(path, torch.float64)
    return path


@pytest.fixture
def methanol_file(tmp_path: Path) -> Path:
    path = tmp_path / "methanol.xyz"
    ase.io.write(path, ase.build.molecule("CH3OH"))
    return path


@pytest.fixture
def box_file(tmp_path: Path) -> Path:
    """Two methanol molecules in a triclinic cell of any orientation."""
    atoms = ase.build.molecule("CH3OH")
    atoms.set_cell([7.0, 7.5, 8.0, 80.0, 95.0, 100.0])
    atoms.pbc = True
    other = atoms.copy()
    other.translate([0.3, 3.6, 3.8])
    atoms += other
    atoms.rotate(35, (1, 2, 3), rotate_cell=True)
    path = tmp_path / "box.extxyz"
    ase.io.write(path, atoms)
    return path


@pytest.fixture
def make_spec(
    model_file: Path, methanol_file: Path, request: pytest.FixtureRequest
) -> Callable[..., SimulationSpec]:
    """Return a specification of a short run of methanol; keywords change it."""
    # springs take the place of the model, which then need not get fast
    engine = {"engine": "reference"} if "springs" in request.fixturenames else {}

    def make(**changes: Any) -> SimulationSpec:
        values: dict[str, Any] = {
            "model": model_file,
            "structure": methanol_file,
            "steps": 60,
            "thermo_interval": 5,
            "trajectory_interval": 10,
            "checkpoint_interval": 20,
            "platform": "Reference",
            **engine,
        }
        return SimulationSpec.model_validate(values | changes)

    return make


@pytest.fixture
def springs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the potential by springs between all atoms of methanol: fast, stable, no torch."""
    atoms = ase.build.molecule("CH3OH")
    distances = 0.1 * atoms.get_all_distances()

    def make_system(spec: SimulationSpec, topology: app.Topology, potential: Any) -> openmm.System:
        result = openmm.System()
        for atom in topology.atoms():
            result.addParticle(atom.element.mass)
        bonds = openmm.HarmonicBondForce()
        for i, j in zip(*np.triu_indices(len(atoms), 1)):
            bonds.addBond(int(i), int(j), distances[i, j], 50_000.0)
        result.addForce(bonds)
        if spec.beads == 1:
            result.addForce(openmm.CMMotionRemover())
        return result

    monkeypatch.setattr(system, "make_system", make_system)


@pytest.fixture(scope="session")
def single_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kind of model in single precision."""
    path = tmp_path_factory.mktemp("model") / "single.safetensors"
    _save_model(path, torch.float32)
    return path
