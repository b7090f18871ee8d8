"""Potentials in OpenMM: `NequIPPotential` makes Systems and Forces, `from_ase` topologies, `backends` says which ways there are.

Import names from here; torch and OpenMM are loaded when the first one is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nequip_openmm.forces.backends import available, choose
    from nequip_openmm.forces.minimisation import minimise
    from nequip_openmm.forces.potential import NequIPPotential
    from nequip_openmm.forces.structures import from_ase

__all__ = ["NequIPPotential", "available", "choose", "from_ase", "minimise"]

_HOME = {
    "NequIPPotential": "nequip_openmm.forces.potential",
    "available": "nequip_openmm.forces.backends",
    "choose": "nequip_openmm.forces.backends",
    "from_ase": "nequip_openmm.forces.structures",
    "minimise": "nequip_openmm.forces.minimisation",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'nequip_openmm.forces' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
