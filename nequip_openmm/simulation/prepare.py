"""From a specification to a simulation that may be run; leaves nothing on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from openmm import app

from nequip_openmm.potential import Potential, load
from nequip_openmm.simulation import system
from nequip_openmm.simulation.checks import check_start, warnings_about
from nequip_openmm.simulation.embedding import with_virtual_sites
from nequip_openmm.simulation.platforms import choose_platform, model_device
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure, add_bonds, read_structure

__all__ = ["Prepared", "load_potential", "prepare", "read_start_of", "with_absolute_paths"]


class Prepared(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    warnings
        (code, message) of what is allowed but seldom meant.
    """

    potential: Potential
    simulation: app.Simulation
    warnings: list[tuple[str, str]]


def prepare(spec: SimulationSpec, tell: Callable[[str], None]) -> Prepared:
    """Read, load, check and build what a run needs.

    Parameters
    ----------
    tell
        Is told what begins now: ``"loading"``, ``"checking"``, ``"building"``.

    Raises
    ------
    UserError
        For input that cannot be simulated.
    """
    tell("loading")
    structure = read_start_of(spec)
    potential = load_potential(spec.model, spec)
    tell("checking")
    check_start(spec, structure, potential)
    warnings = warnings_about(spec, structure, potential.cutoff)
    tell("building")
    simulation = system.make_simulation(spec, structure, potential, spec.phases[0])
    return Prepared(potential, simulation, warnings)


def read_start_of(spec: SimulationSpec) -> Structure:
    """Return the structure that a run starts from, with bonds where they are needed."""
    structure = read_structure(spec.structure, spec.frame)
    if spec.mixed is not None:
        return with_virtual_sites(structure, spec.mixed)
    if spec.hydrogen_mass is not None or spec.molecules:
        add_bonds(structure)
    return structure


def load_potential(model: Path, spec: SimulationSpec) -> Potential:
    """Return the potential of a run, read from ``model``, where and as precise as the settings say."""
    dtype = None if spec.dtype == "auto" else spec.dtype
    device = model_device(choose_platform(spec).name, spec)
    return load(model, device, dtype, spec.engine, spec.threads)


def with_absolute_paths(spec: SimulationSpec) -> SimulationSpec:
    """Return the settings with paths that mean the same from any working directory."""
    paths: dict[str, Any] = {
        "mixed": None if spec.mixed is None else spec.mixed.with_files(),
        "model": Path(os.path.abspath(spec.model)),
        "structure": Path(os.path.abspath(spec.structure)),
    }
    return spec.model_copy(update=paths)
