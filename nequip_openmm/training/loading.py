"""From a preset, a YAML file and the command line to one checked configuration."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from nequip_openmm.errors import ConfigError, nearest
from nequip_openmm.settings import apply_overrides, load_yaml, validate
from nequip_openmm.training.config import TrainingConfig

__all__ = ["DEFAULT_PRESET", "load_config", "preset_names"]

DEFAULT_PRESET = "balanced"
SECTIONS = ("data", "model", "training")


def preset_names() -> list[str]:
    """Return the names of the presets, by themselves complete but for the data set."""
    folder = resources.files(__package__) / "presets"
    return sorted(
        Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load_config(
    path: Path | str | None = None,
    preset: str | None = None,
    overrides: Iterable[str] = (),
    dataset: Path | str | None = None,
) -> TrainingConfig:
    """Merge settings; what comes later wins: preset, file, data set, overrides.

    Parameters
    ----------
    path
        YAML file with any of the sections ``data``, ``model``, ``training`` and, on request, ``preset``.
    preset
        Name of the preset to begin with; None takes the file's, else ``balanced``.
    overrides
        ``section.key=value``, values read as YAML.
    dataset
        Takes the place of ``data.path``.

    Raises
    ------
    ConfigError
        One line: which setting, its value, what is allowed; also where no data set is named.
    """
    given = {} if path is None else load_yaml(path)
    given.pop("kind", None)  # the spec.yaml of a run folder says what kind of run it was
    name = preset or given.get("preset") or DEFAULT_PRESET
    merged = _merge(_read_preset(name), given) | {"preset": name}
    if dataset is not None:
        merged = _merge(merged, {"data": {"path": str(dataset)}})
    config = _check(merged, list(overrides), "settings" if path is None else str(path))
    if config.data.path is None:
        raise ConfigError("no data set: give --dataset FILE, or data.path in the YAML file")
    return config


def _read_preset(name: str) -> dict[str, Any]:
    names = preset_names()
    if name not in names:
        raise ConfigError(
            f"unknown preset {name!r}{nearest(str(name), names)}; known are {', '.join(names)}"
        )
    with resources.as_file(resources.files(__package__) / "presets" / f"{name}.yaml") as path:
        return load_yaml(path)


def _merge(base: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``new``, section by section; nothing is merged inside a section's value."""
    merged = {**base, **new}
    for section in SECTIONS:
        old, fresh = base.get(section), new.get(section, {})
        if isinstance(old, dict) and isinstance(fresh, dict):
            merged[section] = {**old, **fresh}
        elif fresh is None:  # a section with every line commented out
            merged[section] = old or {}
    return merged


def _check(merged: dict[str, Any], overrides: list[str], where: str) -> TrainingConfig:
    """Validate with overrides; blame those that are at fault if the rest is right without."""
    if _is_valid(merged, overrides):
        return validate(TrainingConfig, apply_overrides(merged, overrides), where)
    validate(TrainingConfig, merged, where)
    guilty = overrides
    for k in reversed(range(len(overrides))):
        fewer = guilty[:k] + guilty[k + 1 :]
        if not _is_valid(merged, fewer):
            guilty = fewer
    return validate(TrainingConfig, apply_overrides(merged, guilty), " ".join(guilty))


def _is_valid(merged: dict[str, Any], overrides: list[str]) -> bool:
    try:
        validate(TrainingConfig, apply_overrides(merged, overrides), "")
    except ConfigError:
        return False
    return True
