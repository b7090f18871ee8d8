"""The guard that stops a run which has left physics behind: i-PI itself would go on and report success."""

from __future__ import annotations

import math

from ipi_driver.inputs.spec import PimdSpec
from nequip_openmm.errors import RunFailed

__all__ = ["blow_up", "sound_rows"]


def sound_rows(
    rows: list[dict[str, float]], spec: PimdSpec
) -> tuple[list[dict[str, float]], RunFailed | None]:
    """Return the rows before the simulation blew up, and the error (``blow-up``) that says so if it did."""
    for number, row in enumerate(rows):
        if (problem := _problem(row, spec)) is not None:
            return rows[:number], blow_up(int(row.get("step", 0)), problem, spec)
    return rows, None


def _problem(row: dict[str, float], spec: PimdSpec) -> str | None:
    """Return what shows that a row is of no physical system: a column that is not finite, or a temperature above its limit."""
    for name, value in row.items():
        if not math.isfinite(value):
            return f"{name} is not finite"
    temperature = row.get("temperature", 0.0)
    if temperature > spec.max_temperature:
        return (
            f"temperature {temperature:.4g} K, above max_temperature = {spec.max_temperature:g} K"
        )
    return None


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
