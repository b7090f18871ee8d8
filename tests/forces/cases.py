"""Random models and structures that the tests of the OpenMM side share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import ase
import ase.build
import numpy as np
import pytest
import torch

from nequip_openmm.forces.backends import available
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.potential import Potential

openmm = pytest.importorskip("openmm")
app = pytest.importorskip("openmm.app")

PLATFORMS = ("Reference", "CPU")
BACKENDS = [
    pytest.param(b.name, marks=[] if b.works else pytest.mark.skip(reason=b.reason))
    for b in available()
    if b.works or b.name != "PythonTorchForce"  # which released versions of openmmtorch lack
]

SHIFTS = {
    "H": -13.6,
    "C": -1030.5,
    "O": -2043.2,
}  # eV: totals as large as all-electron methods give
WATERS = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])


@dataclass(frozen=True)
class Case:
    """A structure as ASE and as OpenMM see it."""

    atoms: ase.Atoms
    bonds: list[tuple[int, int]] = field(default_factory=list)

    @property
    def topology(self) -> object:
        topology = app.Topology()
        chain = topology.addChain()
        residue = topology.addResidue("RES", chain)
        added = [
            topology.addAtom(f"{symbol}{i}", app.Element.getBySymbol(symbol), residue)
            for i, symbol in enumerate(self.atoms.symbols)
        ]
        for i, j in self.bonds:
            topology.addBond(added[i], added[j])
        if self.atoms.pbc.any():
            topology.setPeriodicBoxVectors(np.array(self.atoms.cell) * 0.1 * openmm.unit.nanometer)
        return topology

    @property
    def positions(self) -> np.ndarray:
        return self.atoms.positions * 0.1  # nm


def random_model(dtype: torch.dtype = torch.float64, seed: int = 1, **settings: object) -> NequIP:
    """A small network with random weights and large atomic energies."""
    defaults: dict[str, object] = {
        "species": ("H", "C", "O"),
        "cutoff": 4.0,
        "avg_num_neighbors": 8.0,
        "l_max": 2,
        "parity": False,
        "num_layers": 2,
        "num_features": 6,
        "radial_mlp_width": 16,
        "per_type_energy_scales": 0.3,
        "per_type_energy_shifts": SHIFTS,
    }
    torch.manual_seed(seed)
    return NequIP(ModelConfig(**{**defaults, **settings}), dtype)  # type: ignore[arg-type]


def random_potential(dtype: torch.dtype = torch.float64, **settings: object) -> Potential:
    return Potential(random_model(dtype, **settings))


def stable_potential() -> Potential:
    """Dynamics that neither collapse nor explode: a weak network and the repulsion of nuclei."""
    return random_potential(zbl=True, per_type_energy_scales=0.05)


def context(
    system: openmm.System, platform: str = "Reference", integrator: object = None
) -> openmm.Context:
    """One thread: the sums of OpenMM's CPU platform, and the tests of our helpers, then do not vary."""
    chosen = openmm.Platform.getPlatformByName(platform)
    settings = {"Threads": "1"} if platform == "CPU" else {}
    return openmm.Context(system, integrator or openmm.VerletIntegrator(0.0005), chosen, settings)


def energy_and_forces(context: openmm.Context) -> tuple[float, np.ndarray]:
    """In kJ/mol and kJ/mol/nm."""
    state = context.getState(energy=True, forces=True)
    unit = openmm.unit.kilojoule_per_mole
    return (
        state.getPotentialEnergy().value_in_unit(unit),
        np.array(state.getForces(asNumpy=True).value_in_unit(unit / openmm.unit.nanometer)),
    )


def methanol() -> Case:
    atoms = ase.build.molecule("CH3OH")
    return Case(atoms, [(0, 1), (0, 2), (0, 4), (0, 5), (1, 3)])


def two_far_atoms() -> Case:
    """No pair within the cutoff: forces vanish."""
    return Case(ase.Atoms("HO", [[0.0, 0.0, 0.0], [0.0, 0.0, 30.0]]))


def water_box() -> Case:
    """27 waters in an orthorhombic box wider than twice the cutoff."""
    rng = np.random.default_rng(0)
    centres = np.array([[i, j, k] for i in range(3) for j in range(3) for k in range(3)]) * 3.1
    positions = np.concatenate([WATERS @ _rotation(rng) + centre for centre in centres])
    return Case(ase.Atoms("OHH" * 27, positions, cell=[9.3, 9.4, 9.5], pbc=True))


def triclinic() -> Case:
    """A strongly tilted cell in OpenMM's reduced form, smaller than the cutoff in height."""
    cell = np.array([[6.0, 0.0, 0.0], [2.9, 5.2, 0.0], [-2.8, 2.5, 4.9]])
    rng = np.random.default_rng(1)
    fractional = np.array([[0.1, 0.1, 0.1], [0.6, 0.5, 0.4], [0.2, 0.6, 0.8]])
    positions = np.concatenate([WATERS @ _rotation(rng) + f @ cell for f in fractional])
    return Case(ase.Atoms("OHH" * 3, positions, cell=cell, pbc=True))


def tiny_cell() -> Case:
    """Two carbon atoms in a primitive cell with heights far below the cutoff: atoms meet many images of themselves."""
    cell = np.array([[2.5, 0.0, 0.0], [1.25, 2.1, 0.0], [1.25, 0.7, 2.0]])
    return Case(ase.Atoms("C2", [[0.05, 0.0, 0.02], [1.3, 0.75, 0.4]], cell=cell, pbc=True))


def unwrapped() -> Case:
    """The triclinic cell with every atom moved by lattice vectors of its own, molecules torn apart."""
    atoms = triclinic().atoms
    moves = np.random.default_rng(2).integers(-4, 5, size=(len(atoms), 3))
    atoms.positions += moves @ np.array(atoms.cell)
    return Case(atoms)


STRUCTURES: dict[str, Callable[[], Case]] = {
    "methanol": methanol,
    "far": two_far_atoms,
    "water": water_box,
    "triclinic": triclinic,
    "tiny": tiny_cell,
    "unwrapped": unwrapped,
}


def _rotation(rng: np.random.Generator) -> np.ndarray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q
