"""The guard that stops a run which has left physics behind: i-PI itself would go on and report success."""

from __future__ import annotations

import math

from ipi_driver.inputs.spec import PimdSpec
from nequip_openmm.errors import RunFailed

__all__ = ["blow_up", "check_row"]


def check_row(row: dict[str, float], spec: PimdSpec) -> None:
    """Raise `RunFailed` (``blow-up``) if a column is not finite or the temperature above its limit."""
    step = int(row.get("step", 0))
    for name, value in row.items():
        if not math.isfinite(value):
            raise blow_up(step, f"{name} is not finite", spec)
    temperature = row.get("temperature", 0.0)
    if temperature > spec.max_temperature:
        problem = (
            f"temperature {temperature:.4g} K, above max_temperature = {spec.max_temperature:g} K"
        )
        raise blow_up(step, problem, spec)


def blow_up(step: int, problem: str, spec: PimdSpec) -> RunFailed:
    """Return the error that says what happened when, and what the cause may be."""
    causes = [
        f"a time step of {spec.timestep:g} fs is too long (0.25 fs is safe with hydrogen)",
        "atoms too close together at the start (try --mode minimise first)",
        "the structure went where the potential saw no training data",
    ]
    if spec.temperature > 1000:
        causes.append(f"{spec.temperature:g} K is hotter than the training data")
    return RunFailed(
        f"the simulation blew up at step {step} ({spec.time_ps(step):.4g} ps): {problem}; "
        "all frames before and the last checkpoint are kept",
        code="blow-up",
        hint=f"Likely causes: {'; '.join(causes)}.",
    )
