"""What OpenMM's exceptions mean for a simulation."""

from __future__ import annotations

import logging

import openmm
from openmm import app

from nequip_openmm.errors import RunFailed

__all__ = ["logger", "openmm_failure"]

logger = logging.getLogger("nequip_openmm.simulation")


def openmm_failure(error: Exception, simulation: app.Simulation) -> RunFailed | None:
    """Return what an exception means; None if it is not OpenMM's."""
    if not isinstance(error, openmm.OpenMMException):
        return None
    step = simulation.currentStep
    # the end of TorchScript's traceback, without that of the operator behind it
    text = " ".join(str(error).rpartition("RuntimeError: ")[2].partition("\n\nAt:\n")[0].split())
    if "out of memory" in text:
        hint = "Use a device with more memory, --dtype float32 or a smaller structure."
        return RunFailed(
            f"out of memory at step {step}: {text[:200]}", code="out-of-memory", hint=hint
        )
    return RunFailed(f"OpenMM stopped at step {step}: {text}", code="openmm")
