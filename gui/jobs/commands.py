"""Argument lists of the programs that the window starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "PROGRAM", "continue_arguments", "start_arguments"]

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "nequip_openmm")
"""The command line of nequip-openmm, run by the window's own Python."""

KINDS = ("train", "md", "pimd")
"""Kinds of runs, named as their sub-commands."""


def start_arguments(kind: str, spec: Path, folder: Path) -> list[str]:
    """Return the arguments that start a run from a file of settings."""
    return [kind, str(spec), "--output", str(folder)]


def continue_arguments(kind: str, folder: Path, changes: dict[str, Any]) -> list[str]:
    """Return the arguments that continue a run with changed settings, such as ``steps=20000``."""
    return [kind, *_overrides(changes), "--resume", str(folder)]


def _overrides(changes: dict[str, Any]) -> Sequence[str]:
    return [f"{key}={value}" for key, value in changes.items()]
