"""NequIP as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from nequip_openmm.potential import Potential, load

__all__ = ["NequIPCalculator"]


class NequIPCalculator(Calculator):
    """Energy, forces, stress and energies of atoms from a trained potential, in ASE's units (eV, Å).

    Stress is there for structures that repeat in all directions.

    Parameters
    ----------
    potential
        A model file or a loaded `Potential`.
    device, dtype
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(potential, Potential):
            potential = load(potential, device, dtype)
        self.potential: Potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate the potential and fill ``results``."""
        super().calculate(atoms, list(properties), list(system_changes))
        found = self.potential.evaluate(self.atoms, stress=bool(self.atoms.pbc.all()))
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.energies,
            "forces": found.forces,
        }
        if found.stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(found.stress)
