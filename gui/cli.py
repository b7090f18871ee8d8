"""The ``nequip-openmm-gui`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Say that the window is not part of this release; exits with code 2."""
    print(
        "nequip-openmm-gui: not yet in this release; use 'nequip-openmm train' and 'nequip-openmm md'",
        file=sys.stderr,
    )
    sys.exit(2)
