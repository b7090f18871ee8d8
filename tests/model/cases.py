"""Models and structures on which laws are tested."""

from __future__ import annotations

from functools import cache
from typing import Any

import ase
import ase.build
import numpy as np
import torch

from nequip_openmm.data.frame import Frame
from nequip_openmm.engines import EngineName
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.potential import Potential

SPECIES = ("H", "C", "O")

MODELS: dict[str, dict[str, Any]] = {
    "invariant": {"l_max": 0},
    "l1": {"l_max": 1, "parity": False, "bessel_trainable": True},
    "l2-parity": {"l_max": 2, "num_layers": 4, "num_features": (6, 4, 3)},
    "l3": {"l_max": 3, "parity": False, "num_features": 3, "num_layers": 2},
    "pair-cutoffs": {
        "l_max": 1,
        "per_edge_type_cutoff": {"H": 2.2, "C": {"O": 3.1}},
        "avg_num_neighbors": {"H": 3.0, "C": 6.0, "O": 4.0},
        "readout_mlp_depth": 1,
    },
    "zbl": {"l_max": 1, "parity": False, "num_layers": 2, "zbl": True},
}


def config(**settings: Any) -> ModelConfig:
    """Return settings of a small model, with some replaced."""
    small: dict[str, Any] = {
        "species": SPECIES,
        "cutoff": 3.5,
        "avg_num_neighbors": 5.0,
        "num_layers": 3,
        "num_features": 5,
        "radial_mlp_width": 8,
        "per_type_energy_shifts": {"H": -0.3, "C": 0.7, "O": 0.2},
        "per_type_energy_scales": {"H": 1.1, "C": 0.8, "O": 1.4},
    }
    return ModelConfig(**{**small, **settings})


def build(seed: int = 0, dtype: torch.dtype = torch.float64, **settings: Any) -> NequIP:
    """Return a small model with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NequIP(config(**settings), dtype).eval()


@cache
def potential(name: str, engine: EngineName = "auto") -> Potential:
    """Return the float64 potential of one of `MODELS`."""
    return Potential(build(**MODELS[name]), engine=engine)


def ethanol(spread: float = 0.05) -> ase.Atoms:
    """Return a distorted molecule without symmetry."""
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.positions += np.random.default_rng(1).normal(scale=spread, size=atoms.positions.shape)
    return atoms


def triclinic() -> ase.Atoms:
    """Return a crystal whose cell is lower than the cutoff in every direction."""
    return ase.Atoms(
        "COH2",
        positions=[[0.1, 0, 0], [1.4, 0.2, 0.1], [2.1, 1.5, 0.3], [0.4, 1.6, 1.9]],
        cell=[[3.1, 0.0, 0.0], [0.9, 2.9, 0.0], [-0.6, 0.8, 3.2]],
        pbc=True,
    )


def slab() -> ase.Atoms:
    """Return a layer that repeats in two directions, one of them short."""
    atoms = triclinic()
    atoms.pbc = [True, False, True]
    return atoms


def chain() -> ase.Atoms:
    """Return a chain that repeats in one direction and has no other lattice vectors."""
    return ase.Atoms(
        "CHO", [[0, 0, 0], [0.3, 1.1, 0.2], [-0.4, 0.1, 1.3]], cell=[0, 0, 2.6], pbc=[0, 0, 1]
    )


def single_atom_crystal() -> ase.Atoms:
    """Return a cell with one atom, which sees only images of itself."""
    return ase.Atoms("C", cell=[[2.1, 0, 0], [0.4, 2.3, 0], [0.3, -0.2, 2.2]], pbc=True)


STRUCTURES = {
    "ethanol": ethanol,
    "triclinic": triclinic,
    "slab": slab,
    "chain": chain,
    "one-atom": single_atom_crystal,
}


def frame(name: str) -> Frame:
    """Return one of `STRUCTURES` as a frame."""
    return Frame.from_ase(STRUCTURES[name]())
