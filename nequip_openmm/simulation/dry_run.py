"""What a run would be, without any trace on disk: for a person who is not sure, and for a window that shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from openmm import app

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import ConfigError, ModelFileError, StructureError, UserError
from nequip_openmm.potential import Potential
from nequip_openmm.settings import find_problems
from nequip_openmm.simulation import system
from nequip_openmm.simulation.checks import check_start, smallest_height, warnings_about
from nequip_openmm.simulation.platforms import choose_backend, choose_platform
from nequip_openmm.simulation.prepare import load_potential, read_start_of
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure
from nequip_openmm.simulation.thermo import forces_ev_per_angstrom, max_norm, potential_ev

__all__ = ["DryRun", "dry_run"]

_TRIALS = 3
_MOVED_NM = 1e-6
_EXPLAINS = ((ModelFileError, "model"), (StructureError, "structure"), (ConfigError, "ensemble"))


@dataclass
class DryRun:
    """What is known of a run; None for what could not be found out because of an error before.

    Attributes
    ----------
    errors
        ``field`` (a setting, or empty) and ``msg``; empty if the run can be started.
    warnings
        ``code`` and ``msg``.
    n_atoms, elements, is_periodic, cell_height_A
        Of the structure: elements with their counts, smallest distance between opposite faces of the cell.
    species, cutoff_A, dtype, unknown_elements
        Of the model, and what of the structure it does not know.
    platform, backend, engine, device, reasons
        What computes, and why each was taken.
    energy_eV, max_force_eV_per_A
        Of the start.
    ms_per_step, wall_time_s
        Of an evaluation of energy and forces (of every bead), the least of three, and of as many as there are steps; output not counted.
    steps, time_ps
        Of the whole run.
    """

    errors: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    n_atoms: int | None = None
    elements: dict[str, int] | None = None
    is_periodic: bool | None = None
    cell_height_A: float | None = None
    species: list[str] | None = None
    cutoff_A: float | None = None
    dtype: str | None = None
    unknown_elements: list[str] | None = None
    platform: str | None = None
    backend: str | None = None
    engine: str | None = None
    device: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    energy_eV: float | None = None
    max_force_eV_per_A: float | None = None
    ms_per_step: float | None = None
    wall_time_s: float | None = None
    steps: int | None = None
    time_ps: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the run can be started."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"ok": self.ok, **asdict(self)}

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note an error of the user instead of raising it."""
        try:
            yield
        except UserError as error:
            self.errors.append({"field": _field(error), "msg": str(error)})


def dry_run(settings: dict[str, Any]) -> DryRun:
    """Check the settings of a run as far as they go, and make the first step's evaluation.

    Parameters
    ----------
    settings
        As in the YAML file; they need not be sound.
    """
    found = DryRun()
    for problem in find_problems(SimulationSpec, settings):
        name = ".".join(str(part) for part in problem.location)
        found.errors.append({"field": name, "msg": problem.message})
    if found.errors:
        return found
    spec = SimulationSpec.model_validate(settings)
    found.steps, found.time_ps = spec.steps, spec.time_ps(spec.steps)
    structure = potential = None
    with found.noting():
        structure = read_start_of(spec)
        _describe_structure(found, structure)
    with found.noting():
        _choose(found, spec)
        potential = load_potential(spec.model, spec)
        _describe_potential(found, potential)
    if structure is not None and potential is not None and found.ok:
        with found.noting():
            _try(found, spec, structure, potential)
    return found


def _describe_structure(found: DryRun, structure: Structure) -> None:
    frame = structure.frame
    found.n_atoms, found.is_periodic = len(frame), structure.is_periodic
    found.elements = dict(Counter(frame.symbols))
    if structure.is_periodic:
        found.cell_height_A = smallest_height(frame.cell)


def _choose(found: DryRun, spec: SimulationSpec) -> None:
    found.platform, found.reasons["platform"] = choose_platform(spec)
    found.backend, found.reasons["backend"] = choose_backend(spec)


def _describe_potential(found: DryRun, potential: Potential) -> None:
    found.species, found.cutoff_A = list(potential.species), potential.cutoff
    found.dtype = str(potential.dtype).removeprefix("torch.")
    found.device = str(potential.device)
    found.engine, found.reasons["engine"] = potential.engine, potential.engine_reason
    if found.elements is not None:
        found.unknown_elements = [e for e in found.elements if e not in potential.species]


def _try(found: DryRun, spec: SimulationSpec, structure: Structure, potential: Potential) -> None:
    check_start(spec, structure, potential)
    found.warnings = [
        {"code": code, "msg": msg}
        for code, msg in warnings_about(spec, structure, potential.cutoff)
    ]
    simulation = system.make_simulation(spec, structure, potential, spec.phases[0])
    state = simulation.context.getState(energy=True, forces=True)
    found.energy_eV = potential_ev(state)
    found.max_force_eV_per_A = max_norm(forces_ev_per_angstrom(state))
    seconds = spec.beads * _seconds_per_evaluation(simulation, structure.frame)
    found.ms_per_step, found.wall_time_s = 1e3 * seconds, seconds * spec.steps


def _seconds_per_evaluation(simulation: app.Simulation, frame: Frame) -> float:
    """Return the shortest of a few evaluations, each of another structure: the same one would not be evaluated again."""
    context, times = simulation.context, []
    positions = context.getState(positions=True).getPositions(asNumpy=True)
    for trial in range(_TRIALS):
        moved = positions._value + _MOVED_NM * (trial + 1)
        context.setPositions(moved)
        begin = time.perf_counter()
        context.getState(energy=True, forces=True)
        times.append(time.perf_counter() - begin)
    return float(np.min(times))


def _field(error: UserError) -> str:
    """Return the setting that an error is about: messages begin with its name, or their kind tells."""
    first = str(error).split()[0].rstrip(":,") if str(error) else ""
    if first.partition(".")[0] in SimulationSpec.model_fields:
        return first
    return next((name for kind, name in _EXPLAINS if isinstance(error, kind)), "")
