"""The harmonic potential as i-PI loads it from a file: our PES around an evaluator of the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipi_driver.pes import PES
from tests.ipi_driver.with_ipi.pes import Harmonic, Recorded

__DRIVER_NAME__ = "harmonic"
__DRIVER_CLASS__ = "HarmonicPES"


class HarmonicPES(PES):
    """E = k/2 Σ r²."""

    def __init__(self, n_atoms: int, record: str = "calls.txt", **of_ipi: Any) -> None:
        super().__init__(evaluator=Recorded(Harmonic(int(n_atoms)), Path(record)), **of_ipi)
