"""Data to try everything with, which travel with the package.

`METHANOL` was computed by the scripts in ``examples/methanol_ccsd_t`` of the source, whose README says how.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["METHANOL"]

METHANOL = Path(__file__).parent / "methanol_ccsd_t.xyz"
"""360 structures of methanol with energies and forces at CCSD(T)."""
