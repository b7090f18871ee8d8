"""The official nequip package in i-PI's stock driver: a PES file for ``i-pi-driver-py -m custom``.

i-PI's own ASE driver with the official calculator in it, as i-PI's files for other models do; used by ``ipi_step.py``.
"""

from __future__ import annotations

from typing import Any

from ipi.pes._ase import ASEDriver
from nequip.ase import NequIPCalculator

__DRIVER_NAME__ = "nequip_ase"
__DRIVER_CLASS__ = "NequIPASE"


class NequIPASE(ASEDriver):  # type: ignore[misc]
    """Compiled official model, one structure at a time."""

    def __init__(self, template: str, model: str, **of_ipi: Any) -> None:
        self._model = model
        super().__init__(template, **of_ipi)

    def check_parameters(self) -> None:
        """Load the model."""
        super().check_parameters()
        self.ase_calculator = NequIPCalculator.from_compiled_model(
            self._model, chemical_species_to_atom_type_map=True
        )
