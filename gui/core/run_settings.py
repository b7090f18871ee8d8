"""Settings of a simulation as a person thinks of them: lengths in ps where a run counts steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Stage, with_unit
from nequip_openmm.units import FS_TO_PS

__all__ = ["LENGTH_PS", "RunSettings", "StageSettings", "from_spec", "steps_of", "to_spec"]

LENGTH_PS = 10.0
TIMESTEP_FS = 0.5
_LONGEST_PS = 1e9

# What a window shows: enough rows and frames to look smooth, whatever the time step.
_WATCHED: dict[str, Any] = {
    "analysis": ("rdf", "msd"),
    "thermo_interval": 50,
    "trajectory_interval": 50,
}


class StageSettings(Stage):
    """One stage, with its length in ps."""

    steps: int = Field(1, ge=1, le=10**12)
    """Number of time steps, from length and time step."""
    length: float = Field(LENGTH_PS, gt=0, le=_LONGEST_PS, json_schema_extra=with_unit("ps"))
    """How long the stage is, ps."""


class RunSettings(SimulationSpec):
    """All settings of a run; what differs from `SimulationSpec` is ``length``, from which the number of steps follows."""

    steps: int = Field(1, ge=1, le=10**12)
    """Number of time steps, from length and time step."""
    length: float = Field(LENGTH_PS, gt=0, le=_LONGEST_PS, json_schema_extra=with_unit("ps"))
    """How long the simulation is, ps; with stages it is their sum."""
    stages: tuple[StageSettings, ...] = ()
    """Stages that follow one another, such as equilibration and production; none for a run of one stage."""

    @model_validator(mode="before")
    @classmethod
    def _steps_follow(cls, values: Any) -> Any:
        """Count steps; values that are no numbers are left to the checks of their own fields."""
        if not isinstance(values, Mapping):
            return values
        timestep = values.get("timestep", TIMESTEP_FS)
        values = dict(values)
        stages = values.get("stages") or ()
        if stages and isinstance(stages, (list, tuple)):
            values["stages"] = [_with_steps(stage, timestep) for stage in stages]
            counts = [s["steps"] for s in values["stages"] if isinstance(s, dict) and "steps" in s]
            values["steps"] = sum(counts) if len(counts) == len(stages) else 1
        else:
            values["steps"] = steps_of(values.get("length", LENGTH_PS), timestep) or 1
        return values


def steps_of(length_ps: Any, timestep_fs: Any) -> int | None:
    """Return the number of time steps of a length, at least one; None where either is no sound number."""
    try:
        count = round(float(length_ps) / (float(timestep_fs) * FS_TO_PS))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return max(1, count) if 0 <= count <= 10**12 else None


def to_spec(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as ``nequip-openmm md`` reads them, without those that have their defaults.

    Raises
    ------
    ValidationError
        If the values are not sound.
    """
    settings = RunSettings.model_validate(dict(values))
    data = settings.model_dump(mode="json", exclude_defaults=True, exclude={"length"})
    data["steps"] = settings.steps
    if settings.stages:
        data["stages"] = [_plain_stage(stage) for stage in settings.stages]
        del data["steps"]
    first = {"model": str(settings.model), "structure": str(settings.structure)}
    return first | {key: value for key, value in data.items() if key not in first}


def from_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a form for the settings of a run folder; what it cannot use is left out."""
    data = {key: value for key, value in spec.items() if key in SimulationSpec.model_fields}
    timestep = float(data.get("timestep", TIMESTEP_FS))
    stages = [dict(stage) for stage in data.get("stages") or ()]
    for stage in stages:
        stage["length"] = stage.pop("steps") * timestep * FS_TO_PS
    data["stages"] = stages
    steps = data.pop("steps", None)
    if steps is not None:
        data["length"] = steps * timestep * FS_TO_PS
    try:
        return RunSettings.model_validate(data).model_dump(mode="json", exclude={"steps"})
    except ValidationError:
        return data


def defaults() -> dict[str, Any]:
    """Return what a form begins with; model and structure are still to be chosen."""
    fields = RunSettings.model_fields.items()
    values = {name: field.default for name, field in fields if not field.is_required()}
    del values["steps"]
    return values | _WATCHED


def default_name(structure: Path | None, ensemble: str) -> str:
    """Return a name for a run of a structure, such as ``methanol-nvt``."""
    return f"{structure.stem}-{ensemble}" if structure is not None else f"md-{ensemble}"


def _with_steps(stage: Any, timestep: Any) -> Any:
    if isinstance(stage, Stage):
        stage = stage.model_dump()
    if not isinstance(stage, Mapping):
        return stage
    steps = steps_of(stage.get("length", LENGTH_PS), timestep)
    return dict(stage) | {"steps": steps or 1}


def _plain_stage(stage: StageSettings) -> dict[str, Any]:
    data = stage.model_dump(mode="json", exclude_defaults=True, exclude={"length"})
    return data | {"steps": stage.steps}
