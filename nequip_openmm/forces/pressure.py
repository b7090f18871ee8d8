"""An error where OpenMM's `computeCurrentPressure` would wait for ever.

A barostat keeps Python's lock while it computes the pressure. On GPU platforms OpenMM calls a PythonForce from another thread,
which waits for that lock. Nothing of it reaches the force, so the method itself is where it can be said.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from nequip_openmm.errors import BackendError
from nequip_openmm.forces.backends import import_openmm

__all__ = ["guard_pressure", "refuse_waiting"]

_SAFE = ("Reference", "CPU")
_METHOD = "computeCurrentPressure"


@functools.cache
def guard_pressure() -> None:
    """Let the barostats' method raise `BackendError` in Contexts where it would not return; elsewhere it is as it was."""
    openmm = import_openmm()
    for name in dir(openmm):
        if name.startswith("MonteCarlo") and hasattr(getattr(openmm, name), _METHOD):
            _guard(getattr(openmm, name))


def refuse_waiting(context: Any) -> None:
    """Raise `BackendError` if the pressure of a Context cannot be computed."""
    platform = context.getPlatform().getName()
    if platform in _SAFE:
        return
    python_force = import_openmm().PythonForce
    if any(isinstance(force, python_force) for force in _forces(context.getSystem())):
        raise BackendError(
            f"{_METHOD} would wait for ever on the platform {platform}, where OpenMM calls the PythonForce from a thread that "
            "waits for this one; take the virial of Potential.evaluate, or the platform CPU"
        )


def _guard(barostat: Any) -> None:
    original = getattr(barostat, _METHOD)

    @functools.wraps(original)
    def guarded(self: Any, context: Any) -> Any:
        refuse_waiting(context)
        return original(self, context)

    setattr(barostat, _METHOD, guarded)


def _forces(system: Any) -> Iterator[Any]:
    """Yield the forces of a System and those within CustomCVForces."""
    cv_force = import_openmm().CustomCVForce
    for force in system.getForces():
        yield force
        if isinstance(force, cv_force):
            for index in range(force.getNumCollectiveVariables()):
                yield force.getCollectiveVariable(index)
