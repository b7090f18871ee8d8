"""``nequip-openmm md --check``: what a run would be, for people, as JSON, or as events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from nequip_openmm.errors import BackendError

if TYPE_CHECKING:
    from nequip_openmm.simulation.dry_run import DryRun

__all__ = ["print_dry_run"]


def print_dry_run(settings: dict[str, Any], as_json: bool, events: str | None) -> int:
    """Check a run and say what was found; whoever listens to events hears it as ``result``.

    Returns
    -------
    The exit code: 0 if the run can be started, else 2.
    """
    from nequip_openmm.cli.watched import watched

    try:
        from nequip_openmm.simulation.dry_run import dry_run
    except ModuleNotFoundError as error:
        if error.name != "openmm":
            raise
        raise BackendError(
            "OpenMM is not installed; pip install 'nequip-openmm[openmm]'"
        ) from error
    with watched("md-check", events) as stream:
        found = dry_run(settings)
        stream.emit("result", **found.to_json())
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    elif events is None:
        typer.echo("\n".join(_lines(found)))
    return 0 if found.ok else 2


def _lines(found: DryRun) -> list[str]:
    lines = []
    if found.elements is not None:
        elements = " ".join(f"{symbol}{count}" for symbol, count in found.elements.items())
        lines.append(f"structure: {found.n_atoms} atoms ({elements}){_cell(found)}")
    if found.species is not None:
        known = ", ".join(found.species)
        lines.append(f"model: {known}; cutoff {found.cutoff_A:g} Å, {found.dtype}, {found.device}")
    for part, reason in found.reasons.items():
        lines.append(f"{part}: {getattr(found, part)} ({reason})")
    if found.ms_per_step is not None and found.wall_time_s is not None:
        lines.append(
            f"start: {found.energy_eV:.6f} eV, largest force {found.max_force_eV_per_A:.3g} eV/Å"
        )
        lines.append(
            f"time: {found.ms_per_step:.3g} ms a step, about {_duration(found.wall_time_s)} for {found.steps} steps "
            f"({found.time_ps:g} ps), without output"
        )
    lines += [f"warning: {warning['msg']}" for warning in found.warnings]
    lines += [f"error: {_named(problem)}" for problem in found.errors]
    return [*lines, "can be run" if found.ok else "cannot be run"]


def _cell(found: DryRun) -> str:
    if not found.is_periodic:
        return ", not periodic"
    return f", periodic, {found.cell_height_A:.2f} Å at its narrowest"


def _named(problem: dict[str, str]) -> str:
    """Return the message of a problem, after the setting's name unless it begins with it."""
    name, message = problem["field"], problem["msg"]
    return message if message.startswith(name) else f"{name}: {message}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds > 2.0 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
