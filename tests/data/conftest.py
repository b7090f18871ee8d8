"""Small labelled structures with consistent energies and forces, and files made of them."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from nequip_openmm.data import Dataset, Frame


def labelled(atoms: ase.Atoms, stress: bool = False) -> ase.Atoms:
    """Attach EMT's energy and forces, free of constraints and of a live calculator."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if stress:
        results["stress"] = atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


@pytest.fixture(scope="session")
def molecules() -> list[ase.Atoms]:
    """Twelve rattled molecules of three compositions, 2 to 9 atoms, in no cell."""
    rng = np.random.default_rng(1)
    frames = []
    for name in ("CH3CH2OH", "H2O", "N2") * 4:
        atoms = molecule(name)
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        frames.append(labelled(atoms))
    return frames


@pytest.fixture(scope="session")
def crystals() -> list[ase.Atoms]:
    """Six rattled, strained copper cells with stress, triclinic."""
    rng = np.random.default_rng(2)
    frames = []
    for size in (1, 1, 2, 2, 3, 3):
        atoms = bulk("Cu") * (size, 1, 2)
        strain = np.eye(3) + rng.normal(scale=0.02, size=(3, 3))
        atoms.set_cell(np.array(atoms.cell) @ strain, scale_atoms=True)
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        frames.append(labelled(atoms, stress=True))
    return frames


@pytest.fixture
def xyz(tmp_path: Path, molecules: list[ase.Atoms]) -> Path:
    """The molecules as extended XYZ."""
    path = tmp_path / "molecules.xyz"
    ase.io.write(path, molecules)
    return path


@pytest.fixture(scope="session")
def copper() -> Dataset:
    """Forty rattled frames of a periodic cell of 16 copper atoms: a sound data set."""
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(40):
        atoms = bulk("Cu", cubic=True) * (2, 2, 1)
        atoms.positions += rng.normal(scale=0.08, size=atoms.positions.shape)
        frames.append(Frame.from_ase(labelled(atoms)))
    return Dataset.from_frames(frames, source="copper")
