"""What differs between the settings of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

__all__ = ["Row", "compare_settings", "flat", "read_settings"]


class Row(NamedTuple):
    """One setting of some runs.

    Attributes
    ----------
    name
        With dots between levels: ``model.cutoff``.
    values
        As text, one a run; "" where a run does not have it.
    differs
        Whether they are not all the same.
    """

    name: str
    values: tuple[str, ...]
    differs: bool


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a run; nothing where they cannot be read."""
    try:
        settings = yaml.safe_load((folder / "spec.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return settings if isinstance(settings, dict) else {}


def flat(settings: Any, prefix: str = "") -> dict[str, str]:
    """Return settings on one level, values as a person would write them."""
    if isinstance(settings, dict) and settings:
        result: dict[str, str] = {}
        for name, value in settings.items():
            result |= flat(value, f"{prefix}.{name}" if prefix else str(name))
        return result
    if isinstance(settings, list) and any(isinstance(item, dict) for item in settings):
        result = {}
        for number, item in enumerate(settings, start=1):
            result |= flat(item, f"{prefix}.{number}")
        return result
    return {prefix: _text(settings)}


def compare_settings(settings: Sequence[dict[str, Any]]) -> list[Row]:
    """Return all settings of some runs, in the order in which they are first met."""
    columns = [flat(one) for one in settings]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = []
    for name in names:
        values = tuple(column.get(name, "") for column in columns)
        rows.append(Row(name, values, len(set(values)) > 1))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value) or "–"
    return str(value) if value != {} else "–"
