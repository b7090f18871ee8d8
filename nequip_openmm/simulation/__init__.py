"""Molecular dynamics in OpenMM: from a validated specification to a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nequip_openmm.errors import BackendError
from nequip_openmm.simulation.spec import SimulationSpec

if TYPE_CHECKING:
    from nequip_openmm.simulation.run import SimulationResult, resume_simulation, run_simulation

__all__ = ["SimulationResult", "SimulationSpec", "resume_simulation", "run_simulation"]


def __getattr__(name: str) -> Any:
    """Import what needs OpenMM when it is first used: a specification can be checked without."""
    if name not in __all__:
        raise AttributeError(f"module 'nequip_openmm.simulation' has no attribute {name!r}")
    try:
        from nequip_openmm.simulation import run
    except ModuleNotFoundError as error:
        if error.name != "openmm":
            raise
        raise BackendError(
            "OpenMM is not installed; pip install 'nequip-openmm[openmm]'"
        ) from error
    return getattr(run, name)
