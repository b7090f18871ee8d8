"""Which settings a run that goes on may have, and how they are kept."""

from __future__ import annotations

import yaml

from nequip_openmm.errors import ConfigError
from nequip_openmm.runs import RunFolder, atomic_write
from nequip_openmm.simulation import files
from nequip_openmm.simulation.prepare import with_absolute_paths
from nequip_openmm.simulation.spec import SimulationSpec

__all__ = ["refuse_changes", "save_spec"]


def refuse_changes(spec: SimulationSpec, folder: RunFolder) -> None:
    """Raise `ConfigError` if anything but the number of steps is another than the run was started with."""
    free = ("steps", "stages") if _differ_in_length(files.read_spec(folder), spec) else ("steps",)
    before = files.read_spec(folder).model_dump()
    now = with_absolute_paths(spec).model_dump()
    changed = [name for name in before if name not in free and before[name] != now[name]]
    if changed:
        name = changed[0]
        raise ConfigError(
            f"{name} = {now[name]}: the run in {folder.path} was started with {before[name]}; "
            "only steps may change when a run is resumed"
        )


def _differ_in_length(before: SimulationSpec, now: SimulationSpec) -> bool:
    """Return whether the stages are the same but for the length of the last one."""
    if not (before.stages and now.stages) or now.steps <= before.steps - before.stages[-1].steps:
        return False
    last = {"steps": now.steps - before.steps + before.stages[-1].steps}
    return now.stages == (*before.stages[:-1], before.stages[-1].model_copy(update=last))


def save_spec(folder: RunFolder, spec: SimulationSpec) -> None:
    """Write ``spec.yaml`` anew."""
    with atomic_write(folder / "spec.yaml") as temporary:
        values = {"kind": files.KIND, **spec.model_dump(mode="json")}
        temporary.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), "utf-8")
