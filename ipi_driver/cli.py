"""The ``nequip-ipi-driver`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Say that the driver is not part of this release; exits with code 2."""
    print(
        "nequip-ipi-driver: not yet in this release; use nequip_openmm.ase.NequIPCalculator with ASE's i-PI socket client",
        file=sys.stderr,
    )
    sys.exit(2)
