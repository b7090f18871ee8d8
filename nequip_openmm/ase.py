"""NequIP as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from nequip_openmm.engines import EngineName
from nequip_openmm.evaluator import Evaluator
from nequip_openmm.potential import Potential, load

__all__ = ["NequIPCalculator"]


class NequIPCalculator(Calculator):
    """Energy, forces, stress and energies of atoms from a trained potential, in ASE's units (eV, Å).

    Stress is there for structures that repeat in all directions.

    Parameters
    ----------
    potential
        A model file or a loaded `Potential`.
    device, dtype, engine, threads
        See `nequip_openmm.load`; only for a file.

    Examples
    --------
    >>> atoms.calc = NequIPCalculator("model.safetensors")  # doctest: +SKIP
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]

    def __init__(
        self,
        potential: Potential | Path | str,
        device: torch.device | str | None = None,
        dtype: torch.dtype | str | None = None,
        engine: EngineName = "auto",
        threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(potential, Potential):
            potential = load(potential, device, dtype, engine, threads)
        self.potential: Potential = potential
        self._evaluator: Evaluator | None = None
        self._made_for: Atoms | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate the potential and fill ``results``."""
        super().calculate(atoms, list(properties), list(system_changes))
        found = self._evaluator_of(self.atoms).evaluate(self.atoms.positions, self.atoms.cell.array)
        self.results = {
            "energy": float(found.energy),
            "free_energy": float(found.energy),
            "energies": found.energies,
            "forces": found.forces,
        }
        if self.atoms.pbc.all():
            stress = -found.virial / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _evaluator_of(self, atoms: Atoms) -> Evaluator:
        """Return the evaluator with its neighbour lists, a new one when elements or periodicity are others."""
        made_for = self._made_for
        if (
            self._evaluator is None
            or made_for is None
            or not np.array_equal(made_for.numbers, atoms.numbers)
            or not np.array_equal(made_for.pbc, atoms.pbc)
        ):
            self._evaluator = self.potential.evaluator(atoms.numbers, atoms.pbc)
            self._made_for = atoms.copy()
        return self._evaluator
