"""The answer of ``nequip-openmm md --check`` in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gui.core.wording import duration

__all__ = ["verification_text"]


def verification_text(answer: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return tone, text and details of an answer (`nequip_openmm.simulation.dry_run.DryRun`)."""
    errors = [str(item.get("msg", "")) for item in answer.get("errors") or ()]
    warnings = [str(item.get("msg", "")) for item in answer.get("warnings") or ()]
    if errors or answer.get("ok") is False:
        return "error", "This run would be refused", "\n".join([*errors, *warnings])
    details = "\n".join([*warnings, *filter(None, (_start(answer), _where(answer)))])
    tone = "warn" if warnings else "ok"
    return tone, " ".join(filter(None, ("Ready to run.", _speed(answer)))), details


def _speed(answer: Mapping[str, Any]) -> str:
    milliseconds, seconds, time_ps = (
        answer.get(k) for k in ("ms_per_step", "wall_time_s", "time_ps")
    )
    if not milliseconds or not seconds:
        return ""
    speed = f", {time_ps * 1e-3 / (seconds / 86_400):.3g} ns/day" if time_ps else ""
    return f"About {duration(seconds)} in all: {milliseconds:.3g} ms a step{speed}."


def _start(answer: Mapping[str, Any]) -> str:
    energy, force = answer.get("energy_eV"), answer.get("max_force_eV_per_A")
    if energy is None or force is None:
        return ""
    return f"Start: energy {energy:.4f} eV, largest force {force:.3g} eV/Å"


def _where(answer: Mapping[str, Any]) -> str:
    """Return a line about where and with what it would run."""
    names = {
        "platform": "OpenMM on",
        "engine": "engine",
        "backend": "through",
        "device": "model on",
    }
    parts = [f"{word} {answer[name]}" for name, word in names.items() if answer.get(name)]
    return "  ·  ".join(parts)
