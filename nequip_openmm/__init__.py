"""NequIP interatomic potentials for OpenMM, i-PI and ASE.

`load` reads a trained potential; `Potential.evaluate` gives energies, forces and virials of ASE Atoms or of a `Frame` of
plain arrays; `NequIPPotential` puts it into OpenMM, where `NequIPReporter` and `ExtendedXYZReporter` write what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nequip_openmm._version import __version__

if TYPE_CHECKING:
    from nequip_openmm.data.frame import Frame
    from nequip_openmm.forces import NequIPPotential
    from nequip_openmm.potential import Evaluation, Potential, load
    from nequip_openmm.simulation.reporters import ExtendedXYZReporter, NequIPReporter

__all__ = [
    "Evaluation",
    "ExtendedXYZReporter",
    "Frame",
    "NequIPPotential",
    "NequIPReporter",
    "Potential",
    "__version__",
    "load",
]

_HOME = {
    "Evaluation": "nequip_openmm.potential",
    "ExtendedXYZReporter": "nequip_openmm.simulation.reporters",
    "Frame": "nequip_openmm.data.frame",
    "NequIPPotential": "nequip_openmm.forces",
    "NequIPReporter": "nequip_openmm.simulation.reporters",
    "Potential": "nequip_openmm.potential",
    "load": "nequip_openmm.potential",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: torch takes seconds, and the window must not load it at all."""
    if name not in _HOME:
        raise AttributeError(f"module 'nequip_openmm' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
