"""Analytic potentials behind the interface of our evaluators: eV, Å, virial -dE/dε in eV."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from ipi_driver.evaluator import Results

SPRING = 0.36
"""hartree/bohr², what i-PI's own harmonic potential is given as an oracle."""
STIFFNESS = 1e-6
"""hartree/bohr⁶ of the potential of the volume."""
REST_VOLUME = 7.0e3
"""bohr³ at which that potential is lowest."""


def results(energies: np.ndarray, forces: np.ndarray, virials: np.ndarray) -> Results:
    """Return what evaluators return, with the energy of every structure as its extras."""
    from ipi_driver.evaluator import Results

    extras = [json.dumps({"potential": energy}) for energy in energies.tolist()]
    return Results(energies, forces, virials, extras)


class Harmonic:
    """E = k/2 Σ r², an external field: the virial is zero, as in i-PI."""

    def __init__(self, n_atoms: int, spring: float = SPRING) -> None:
        self.n_atoms = n_atoms
        self.k = spring * HARTREE_TO_EV / BOHR_TO_ANGSTROM**2

    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        # one sum per structure: the same digits whatever the batch
        energies = np.array([0.5 * self.k * np.sum(r**2) for r in positions])
        return results(energies, -self.k * positions, np.zeros((len(positions), 3, 3)))


class OfVolume:
    """E = c/2 (V - V₀)², so W = -V dE/dV 1 and the pressure is -dE/dV."""

    def __init__(self, n_atoms: int) -> None:
        self.n_atoms = n_atoms
        self.c = STIFFNESS * HARTREE_TO_EV / BOHR_TO_ANGSTROM**6
        self.rest = REST_VOLUME * BOHR_TO_ANGSTROM**3

    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        volumes = np.abs(np.linalg.det(cells))
        slopes = self.c * (volumes - self.rest)  # dE/dV
        virials = -(volumes * slopes)[:, None, None] * np.eye(3)
        return results(0.5 * self.c * (volumes - self.rest) ** 2, np.zeros_like(positions), virials)


class Recorded:
    """Another evaluator, watched and disturbed.

    Writes a line when an evaluation begins and another when it ends: which of the two, number of structures, time in s.

    Parameters
    ----------
    pause_at
        Number of the evaluation, from 1, that does not end before the file ``go`` appears; 0 for none.
    nan_at
        Number of the evaluation, from 1, whose energies are not numbers; 0 for none.
    """

    def __init__(
        self,
        inner: Harmonic | OfVolume,
        path: Path,
        pause_at: int = 0,
        nan_at: int = 0,
    ) -> None:
        self.n_atoms = inner.n_atoms
        self._inner, self._go = inner, path.with_name("go")
        self._record = path.open("a", buffering=1)  # lines are there as soon as they are written
        self._pause_at, self._nan_at = pause_at, nan_at
        self._calls = 0

    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        self._calls += 1
        self._write("begin", len(positions))
        while self._calls == self._pause_at and not self._go.exists():
            time.sleep(0.01)
        found = self._inner.evaluate(positions, cells)
        if self._calls == self._nan_at:
            found.energies[:] = np.nan
        self._write("end", len(positions))
        return found

    def _write(self, what: str, n_structures: int) -> None:
        self._record.write(f"{what} {n_structures} {time.perf_counter()}\n")
