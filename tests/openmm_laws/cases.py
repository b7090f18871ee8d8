"""The ways through OpenMM that are tested, and potentials whose dynamics has an exact answer.

A way is a backend on a platform. OpenCL is tested where a driver is installed; one for the CPU will do (Debian:
``pocl-opencl-icd``), and only with PythonForce: openmmtorch 1.5 calls something on OpenCL that OpenMM 8.5 does not have. CUDA is
tested where there is a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ase
import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.evaluator import Evaluated
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.backends import available
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM
from tests.forces.cases import Case, energy_and_forces, openmm, random_model

unit = openmm.unit
SETTINGS = {
    "CPU": {"Threads": "1"},  # sums of several threads vary in the last digit
    "OpenCL": {"Precision": "double"},
    "CUDA": {"Precision": "double"},
}


@dataclass(frozen=True)
class Way:
    """A backend on a platform."""

    backend: str
    platform: str

    def __str__(self) -> str:
        return f"{self.backend}-{self.platform}"

    def system(self, potential: Potential, case: Case, **options: Any) -> openmm.System:
        made = NequIPPotential(potential)
        return made.createSystem(case.topology, backend=self.backend, **options)

    def context(self, system: openmm.System, integrator: Any = None) -> openmm.Context:
        return openmm.Context(
            system,
            integrator or openmm.VerletIntegrator(0.0005),
            openmm.Platform.getPlatformByName(self.platform),
            SETTINGS.get(self.platform, {}),
        )

    def evaluate(self, potential: Potential, case: Case) -> tuple[float, NDArray[np.float64]]:
        """In kJ/mol and kJ/mol/nm."""
        context = self.context(self.system(potential, case))
        context.setPositions(case.positions)
        return energy_and_forces(context)


def _ways() -> list[Any]:
    names = {
        openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())
    }
    found = []
    for platform in ("Reference", "CPU", "OpenCL", "CUDA"):
        for backend in available():
            if (backend.name, platform) == ("TorchForce", "OpenCL"):
                continue
            if backend.name == "PythonTorchForce" and not backend.works:  # is in no release yet
                continue
            marks = {"CUDA": [pytest.mark.gpu], "OpenCL": [pytest.mark.slow]}.get(platform, [])
            if not backend.works:
                marks = [*marks, pytest.mark.skip(reason=backend.reason)]
            elif platform not in names:
                absent = pytest.mark.skip(reason=f"OpenMM finds no platform {platform} here")
                marks = [*marks, absent]
            way = Way(backend.name, platform)
            found.append(pytest.param(way, marks=marks, id=str(way)))
    return found


WAYS = _ways()
ON_THE_CPU = [way for way in WAYS if way.values[0].platform in ("Reference", "CPU")]
ON_REFERENCE = [way for way in WAYS if way.values[0].platform == "Reference"]


def strong_potential(engine: str = "fused", dtype: torch.dtype = torch.float64) -> Potential:
    """Random weights, and so strong forces: nothing is zero by accident."""
    return Potential(random_model(dtype), engine=engine)  # type: ignore[arg-type]


def value(quantity: Any, in_unit: Any) -> Any:
    return quantity.value_in_unit(in_unit) if unit.is_quantity(quantity) else quantity


def positions_of(context: openmm.Context) -> NDArray[np.float64]:
    """In nm, as they are kept, not wrapped."""
    found = context.getState(positions=True).getPositions(asNumpy=True)
    return np.array(found.value_in_unit(unit.nanometer))


def velocities_of(context: openmm.Context) -> NDArray[np.float64]:
    found = context.getState(velocities=True).getVelocities(asNumpy=True)
    return np.array(found.value_in_unit(unit.nanometer / unit.picosecond))


def box_of(context: openmm.Context) -> NDArray[np.float64]:
    vectors = context.getState().getPeriodicBoxVectors(asNumpy=True)
    return np.array(vectors.value_in_unit(unit.nanometer))


# --- potentials with an exact answer


class Zero:
    """An evaluator without any interaction; atoms may come as close as they like, as in an ideal gas.

    Attributes
    ----------
    cells
        The cells it was called with, Å.
    """

    def __init__(self) -> None:
        self.cells: list[NDArray[np.float64]] = []

    def evaluate(self, positions: ArrayLike, cells: ArrayLike | None = None) -> Evaluated:
        x = np.asarray(positions)
        self.cells.append(np.array(cells))
        return Evaluated(np.float64(0.0), np.zeros_like(x), np.zeros((3, 3)), np.zeros(len(x)))


class Harmonic:
    """Every atom is held to the origin by a spring, in eV/Å²."""

    def __init__(self, spring: float) -> None:
        self.spring = spring

    def evaluate(self, positions: ArrayLike, cells: ArrayLike | None = None) -> Evaluated:
        x = np.asarray(positions)
        energies = 0.5 * self.spring * (x**2).sum(axis=1)
        virial = -self.spring * x.T @ x
        return Evaluated(energies.sum(), -self.spring * x, virial, energies)


class StandIn(Potential):
    """A potential of another physics: all else, from OpenMM to the operator, is as it is for a network."""

    def __init__(self, evaluator: Any) -> None:
        super().__init__(random_model(num_features=2, num_layers=1, l_max=0, radial_mlp_width=4))
        self.stand_in = evaluator

    def evaluator(self, *_: Any, **__: Any) -> Any:
        return self.stand_in


def gas(n_atoms: int, edge: float) -> Case:
    """Atoms of oxygen at random places of a cube; Å."""
    places = np.random.default_rng(6).uniform(0.0, edge, (n_atoms, 3))
    return Case(ase.Atoms(f"O{n_atoms}", places, cell=[edge] * 3, pbc=True))


def in_nm(atoms: ase.Atoms) -> NDArray[np.float64]:
    return atoms.positions * ANGSTROM_TO_NM
