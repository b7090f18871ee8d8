"""What is looked at before a run leaves anything on disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.data.frame import Frame
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.errors import ConfigError, StructureError
from nequip_openmm.potential import Potential
from nequip_openmm.simulation.embedding import ml_atoms
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure

__all__ = ["check_start", "smallest_height", "warnings_about"]

CLOSEST_ANGSTROM = 0.4  # the shortest bond there is, H-H, has 0.74 Å
SAFE_TIMESTEP_FS = {True: 1.0, False: 4.0}  # with and without hydrogen
SAFE_WITH_HEAVY_HYDROGEN_FS = 2.0
HEAVY_HYDROGEN_AMU = 2.0
_HYDROGEN = 1


def check_start(spec: SimulationSpec, structure: Structure, potential: Potential) -> None:
    """Refuse a start that cannot become a simulation.

    Raises
    ------
    ConfigError
        If constant pressure is asked of a structure without cell.
    StructureError
        For fewer than two atoms, elements the model does not know, atoms that overlap, forces above the guard's limit.
    """
    frame = _real(structure.frame)
    if any(phase.has_barostat for phase in spec.phases) and not structure.is_periodic:
        raise ConfigError(
            f"ensemble = 'npt': the structure {spec.structure} has no periodic cell, so no pressure; use nvt or nve"
        )
    if len(frame) < 2:
        raise StructureError(
            f"structure {spec.structure} has {len(frame)} atom; molecular dynamics with a potential needs two or more"
        )
    _refuse_overlaps(frame, spec)
    if spec.mixed is not None:
        frame = _chosen(structure.frame, ml_atoms(spec.mixed, structure.topology))
    elif spec.periodic is False:
        frame = Frame.create(frame.numbers, frame.positions)
    forces = potential.evaluate(frame, stress=False).forces
    if not spec.minimise:
        _refuse_strong_forces(forces, frame, spec)


def warnings_about(
    spec: SimulationSpec, structure: Structure, cutoff: float
) -> list[tuple[str, str]]:
    """Return (code, message) of what is allowed but seldom meant."""
    found = []
    has_hydrogen = bool((structure.frame.numbers == _HYDROGEN).any())
    safe = SAFE_TIMESTEP_FS[has_hydrogen]
    if has_hydrogen and (spec.hydrogen_mass or 0) >= HEAVY_HYDROGEN_AMU:
        safe = SAFE_WITH_HEAVY_HYDROGEN_FS
    if spec.timestep > safe:
        reason = " with hydrogen atoms" if has_hydrogen else ""
        text = f"a time step of {spec.timestep:g} fs is long{reason}; up to {safe:g} fs is usual"
        found.append(("long-timestep", text))
    if structure.is_periodic and (height := smallest_height(structure.frame.cell)) < cutoff:
        text = (
            f"the cell is {height:.2f} Å high at its narrowest, less than the cutoff of {cutoff:g} Å: "
            "atoms feel their own images; consider a larger cell"
        )
        found.append(("small-cell", text))
    first = spec.phases[0]
    if spec.beads > 1 and not first.has_thermostat:
        text = (
            "the beads begin in one place, and half of their kinetic energy goes into the springs: "
            "let a stage of nvt come before nve"
        )
        found.append(("cold-ring", text))
    return found


def _real(frame: Frame) -> Frame:
    """Return a frame without virtual sites, which may lie on atoms."""
    return frame if frame.numbers.all() else _chosen(frame, np.flatnonzero(frame.numbers))


def _chosen(frame: Frame, atoms: Sequence[int] | NDArray[np.intp]) -> Frame:
    index = np.asarray(atoms, dtype=np.intp)
    cell = frame.cell if frame.pbc.any() else None
    return Frame.create(frame.numbers[index], frame.positions[index], cell, frame.pbc)


def _refuse_overlaps(frame: Frame, spec: SimulationSpec) -> None:
    edges, shifts = neighbour_list(frame.positions, frame.cell, frame.pbc, CLOSEST_ANGSTROM)
    if edges.shape[1] == 0:
        return
    vectors = frame.positions[edges[1]] - frame.positions[edges[0]] + shifts @ frame.cell
    distances = np.linalg.norm(vectors, axis=1)
    closest = int(distances.argmin())
    i, j = (int(atom) for atom in edges[:, closest])
    raise StructureError(
        f"structure {spec.structure}: atoms {i} ({frame.symbols[i]}) and {j} ({frame.symbols[j]}), counted from 0, "
        f"overlap: they are {distances[closest]:.3f} Å apart; correct the structure"
    )


def _refuse_strong_forces(forces: NDArray[np.float64], frame: Frame, spec: SimulationSpec) -> None:
    norms = np.linalg.norm(forces, axis=1)
    atom = int(norms.argmax())
    if norms[atom] > spec.max_force:
        raise StructureError(
            f"structure {spec.structure}: the force on atom {atom} ({frame.symbols[atom]}, counted from 0) is "
            f"{norms[atom]:.1f} eV/Å, above max_force = {spec.max_force:g} eV/Å; relax it first with --minimise"
        )


def smallest_height(cell: NDArray[np.float64]) -> float:
    """Return the smallest distance between opposite faces of a cell, Å."""
    volume = abs(np.linalg.det(cell))
    areas = [np.linalg.norm(np.cross(cell[i - 2], cell[i - 1])) for i in range(3)]
    return float(volume / max(areas))
