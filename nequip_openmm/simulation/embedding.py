"""A potential inside a force field: particles, the System of both, and which atoms are whose."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import BackendError, ConfigError, StructureError
from nequip_openmm.potential import Potential
from nequip_openmm.simulation.mixed import Mixed
from nequip_openmm.simulation.platforms import choose_backend
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure
from nequip_openmm.units import ANGSTROM_TO_NM, NM_TO_ANGSTROM

__all__ = [
    "ML_GROUP",
    "MM_GROUP",
    "NONBONDED_GROUP",
    "make_mixed_system",
    "ml_atoms",
    "with_virtual_sites",
]

MM_GROUP, ML_GROUP, NONBONDED_GROUP = 0, 1, 2
LAMBDA = "lambda_interpolate"  # openmm-ml's name
_CONSTRAINTS = {"none": None, "hbonds": app.HBonds, "allbonds": app.AllBonds}


def with_virtual_sites(structure: Structure, mixed: Mixed) -> Structure:
    """Return the structure with the particles that the force field adds to its molecules; number 0 in the frame.

    Raises
    ------
    StructureError, ConfigError
        If the force field cannot be read, or does not know a residue.
    """
    frame = structure.frame
    modeller = app.Modeller(structure.topology, frame.positions * ANGSTROM_TO_NM * unit.nanometer)
    field = _field(mixed)
    try:
        modeller.addExtraParticles(field)
    except (ValueError, KeyError) as error:
        raise _unknown(error) from error
    if modeller.topology.getNumAtoms() == len(frame):
        return structure
    numbers = [
        0 if a.element is None else a.element.atomic_number for a in modeller.topology.atoms()
    ]
    positions = np.array(modeller.positions.value_in_unit(unit.nanometer)) * NM_TO_ANGSTROM
    larger = Frame.create(numbers, positions, frame.cell if frame.pbc.any() else None, frame.pbc)
    return Structure(modeller.topology, larger, structure.rotation)


def ml_atoms(mixed: Mixed, topology: app.Topology) -> list[int]:
    """Return the indices of the atoms that the potential describes.

    Raises
    ------
    ConfigError
        If there is no such residue or atom.
    """
    if mixed.atoms:
        count = topology.getNumAtoms()
        if outside := [i for i in mixed.atoms if not 0 <= i < count]:
            raise ConfigError(f"mixed.atoms: {outside[0]} is not among the atoms, 0 to {count - 1}")
        return sorted(set(mixed.atoms))
    known = {residue.name for residue in topology.residues()}
    if missing := [name for name in mixed.residues if name not in known]:
        raise ConfigError(
            f"mixed.residues: no residue is called {missing[0]}; there are {', '.join(sorted(known))}"
        )
    return [atom.index for atom in topology.atoms() if atom.residue.name in mixed.residues]


def make_mixed_system(
    spec: SimulationSpec, mixed: Mixed, topology: app.Topology, potential: Potential
) -> openmm.System:
    """Return the System of force field and potential; the potential's force has the group `ML_GROUP`, all else `MM_GROUP`.

    With a contraction the nonbonded forces have `NONBONDED_GROUP`.

    Raises
    ------
    BackendError
        If openmm-ml is not installed.
    StructureError, ConfigError
        If the force field cannot be read, or does not know a residue; if there are no such ML atoms.
    """
    atoms = ml_atoms(mixed, topology)
    _refuse_sites(topology)
    system = _mm_system(spec, mixed, topology)
    interpolate = mixed.coupling < 1.0
    result = (
        _openmmml()
        .MLPotential("nequip-openmm", modelPath=potential)
        .createMixedSystem(
            topology,
            system,
            atoms,
            forceGroup=ML_GROUP,
            interpolate=interpolate,
            backend=choose_backend(spec).name,
        )
    )
    if interpolate:
        _set_coupling(result, mixed.coupling)
    if mixed.contraction is not None:
        for force in result.getForces():
            if isinstance(force, openmm.NonbondedForce):
                force.setForceGroup(NONBONDED_GROUP)
    result.addForce(_bonds(topology, atoms, system.usesPeriodicBoundaryConditions()))
    return result


def _mm_system(spec: SimulationSpec, mixed: Mixed, topology: app.Topology) -> openmm.System:
    is_periodic = topology.getPeriodicBoxVectors() is not None
    try:
        system = _field(mixed).createSystem(
            topology,
            nonbondedMethod=app.PME if is_periodic else app.NoCutoff,
            nonbondedCutoff=mixed.cutoff * ANGSTROM_TO_NM,
            constraints=_CONSTRAINTS[mixed.constraints],
            rigidWater=mixed.rigid_water,
            hydrogenMass=spec.hydrogen_mass,
            removeCMMotion=spec.beads == 1,
        )
    except (ValueError, KeyError) as error:
        raise _unknown(error) from error
    for force in system.getForces():  # right also where a molecule is split over the boundary
        if isinstance(force, openmm.NonbondedForce) and is_periodic:
            force.setExceptionsUsePeriodicBoundaryConditions(True)
    return system


def _bonds(topology: app.Topology, atoms: list[int], is_periodic: bool) -> openmm.Force:
    """Return bonds without strength between ML atoms, whose own openmm-ml takes away: barostats then move whole molecules."""
    inside = set(atoms)
    force = openmm.HarmonicBondForce()
    for first, second in topology.bonds():
        if first.index in inside and second.index in inside:
            force.addBond(first.index, second.index, 0.1, 0.0)
    force.setUsesPeriodicBoundaryConditions(is_periodic)
    force.setName("molecules")
    return force


def _set_coupling(system: openmm.System, value: float) -> None:
    for force in system.getForces():
        if isinstance(force, openmm.CustomCVForce):
            for index in range(force.getNumGlobalParameters()):
                if force.getGlobalParameterName(index) == LAMBDA:
                    force.setGlobalParameterDefaultValue(index, value)


def _field(mixed: Mixed) -> app.ForceField:
    try:
        return app.ForceField(*mixed.forcefield)
    except Exception as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"mixed.forcefield: cannot be read: {detail}") from error


def _refuse_sites(topology: app.Topology) -> None:
    """Raise `BackendError` for virtual sites where openmm-ml asks every particle for its element."""
    _openmmml()
    version = metadata.version("openmmml")
    is_newer = tuple(int(n) for n in version.split(".")[:2]) >= (1, 8)
    if is_newer and any(atom.element is None for atom in topology.atoms()):
        raise BackendError(
            f"mixed: openmm-ml {version} cannot do with virtual sites; install openmmml 1.7, or take water without"
        )


def _unknown(error: Exception) -> StructureError:
    detail = " ".join(str(error).split())
    return StructureError(f"structure: the force field cannot describe it: {detail}")


def _openmmml() -> Any:
    try:
        import openmmml
    except ImportError as error:
        raise BackendError(
            f"mixed: openmm-ml is needed ({error}): pip install 'nequip-openmm[mixed]'"
        ) from error
    return openmmml
