"""From an OpenMM topology to what a potential and a System need: elements, masses, box."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nequip_openmm.data.batch import species_to_types
from nequip_openmm.errors import StructureError, UserError
from nequip_openmm.forces.backends import import_openmm
from nequip_openmm.units import ANGSTROM_TO_NM

__all__ = [
    "SMALLEST_VOLUME_PER_ATOM",
    "atom_types",
    "box_vectors",
    "chosen_atoms",
    "masses",
    "molecule_bonds",
]

SMALLEST_VOLUME_PER_ATOM = 1.0
"""Å³; below it a box is in the wrong unit (diamond, the densest packing of atoms at normal pressure, has 5.7)."""


def atom_types(
    topology: Any, species: tuple[str, ...], atoms: list[int] | None = None
) -> NDArray[np.int64]:
    """Return the model's type of every atom, or of the chosen ones.

    Raises
    ------
    StructureError
        For atoms without an element (virtual sites, extra particles) and for elements that the model does not know, with
        their indices; for no atoms at all.
    """
    every = topology_atoms(topology)
    picked = every if atoms is None else [every[i] for i in atoms]
    if not picked:
        raise StructureError(
            "there are no atoms to evaluate: the topology or the list of atoms is empty"
        )
    massless = [atom for atom in picked if atom.element is None]
    if massless:
        raise StructureError(
            f"{_listed(massless)} no element (virtual sites or extra particles), which the potential cannot evaluate; "
            "remove them from the topology or leave them out of atoms="
        )
    numbers = np.array([atom.element.atomic_number for atom in picked], dtype=np.int64)
    try:
        return species_to_types(numbers, species)
    except StructureError:
        known = {atomic_numbers[symbol] for symbol in species}
        unknown = [atom for atom in picked if atom.element.atomic_number not in known]
        named = ", ".join(sorted({atom.element.symbol for atom in unknown}))
        raise StructureError(
            f"the model knows {', '.join(species)} but not {named}: {_listed(unknown)} this element; "
            "train a model on data with it, or leave these atoms out"
        ) from None


def chosen_atoms(atoms: Iterable[int] | None, n_particles: int) -> list[int] | None:
    """Return a subset of the topology's atoms as a list of plain whole numbers, checked; None stays None.

    Raises
    ------
    UserError
        For indices that are no whole numbers, out of range or given twice.
    """
    if atoms is None:
        return None
    given = np.array(list(atoms))
    if len(given) and not np.issubdtype(given.dtype, np.integer):
        raise UserError(f"atoms must be whole numbers counted from 0, got {given.dtype} values")
    outside = sorted({int(i) for i in given if not 0 <= i < n_particles})
    if outside:
        raise UserError(
            f"atoms {_some(outside)} are not in the topology, which has {n_particles} atoms, 0 to {n_particles - 1}"
        )
    indices, times = np.unique(given, return_counts=True)
    if (times > 1).any():
        raise UserError(f"atoms {_some(indices[times > 1].tolist())} are given more than once")
    return [int(i) for i in given]


def box_vectors(topology: Any, n_atoms: int) -> NDArray[np.float64] | None:
    """Return the box (3, 3) in nm, in the reduced form that OpenMM's topologies insist on, or None where there is none.

    Raises
    ------
    StructureError
        For a box too small to be in nm.
    """
    vectors = topology.getPeriodicBoxVectors()
    if vectors is None:
        return None
    box = np.array(vectors.value_in_unit(import_openmm().unit.nanometer), dtype=np.float64)
    volume = abs(np.linalg.det(box)) / ANGSTROM_TO_NM**3
    if not volume > SMALLEST_VOLUME_PER_ATOM * n_atoms:  # also true for NaN
        raise StructureError(
            f"the periodic box {box.tolist()} nm holds {volume:.3g} Å³ for {n_atoms} atoms; are its vectors in nm?"
        )
    return box


def masses(topology: Any, hydrogen_mass: Any = None) -> list[float]:
    """Return the mass in dalton of every atom.

    With ``hydrogen_mass`` every hydrogen bound to a heavy atom gets that mass, taken from the heavy atom, as in OpenMM's
    `ForceField.createSystem`.

    Raises
    ------
    UserError
        If the mass is not positive, or leaves a heavy atom without mass.
    """
    every = topology_atoms(topology)
    unit = import_openmm().unit
    found = [
        0.0 if a.element is None else float(a.element.mass.value_in_unit(unit.dalton))
        for a in every
    ]
    if hydrogen_mass is None:
        return found
    wanted = _as_dalton(hydrogen_mass, unit)
    for hydrogen, heavy in _hydrogen_bonds(topology):
        found[heavy.index] -= wanted - found[hydrogen.index]
        found[hydrogen.index] = wanted
        if found[heavy.index] <= 0.0:
            raise UserError(
                f"hydrogenMass={wanted:g} leaves atom {heavy.index} ({heavy.name}) a mass of {found[heavy.index]:.3g} Da; "
                "choose a smaller one (1.5 to 3)"
            )
    return found


def molecule_bonds(topology: Any) -> Any:
    """Return a force of bonds without strength, by which OpenMM knows what belongs to one molecule.

    Barostats then move whole molecules, and positions are wrapped into the box by molecules.

    Raises
    ------
    UserError
        If the topology has no bonds.
    """
    force = import_openmm().HarmonicBondForce()
    for first, second in topology.bonds():
        force.addBond(first.index, second.index, 0.1, 0.0)
    if force.getNumBonds() == 0:
        raise UserError(
            "moleculesFromTopology=True needs bonds, and the topology has none: read a file with CONECT records, or call "
            "topology.createStandardBonds() or from_ase(atoms, bonds=True)"
        )
    force.setName("molecules")
    return force


def topology_atoms(topology: Any) -> list[Any]:
    """Return the atoms; raises `UserError` for what is not a topology."""
    if isinstance(topology, Atoms):
        raise UserError(
            "ASE Atoms have to be turned into OpenMM's orientation, positions too: "
            "structure = nequip_openmm.forces.from_ase(atoms); pass structure.topology and set structure.positions"
        )
    if not hasattr(topology, "getPeriodicBoxVectors"):
        hint = "; pass its .topology" if hasattr(topology, "topology") else ""
        raise UserError(f"expected an openmm.app.Topology, got {type(topology).__name__}{hint}")
    return list(topology.atoms())


def _hydrogen_bonds(topology: Any) -> list[tuple[Any, Any]]:
    """Return (hydrogen, heavy atom) of every bond between the two."""
    pairs = []
    for first, second in topology.bonds():
        symbols = [None if a.element is None else a.element.symbol for a in (first, second)]
        if None in symbols or symbols.count("H") != 1:
            continue
        pairs.append((first, second) if symbols[0] == "H" else (second, first))
    return pairs


def _as_dalton(mass: Any, unit: Any) -> float:
    try:
        value = float(mass.value_in_unit(unit.dalton) if unit.is_quantity(mass) else mass)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0.0):
        raise UserError(f"hydrogenMass must be a positive mass in dalton, got {mass!r}")
    return value


def _listed(atoms: list[Any]) -> str:
    names = _some([f"{atom.index} ({atom.name})" for atom in atoms])
    return f"atom {names} has" if len(atoms) == 1 else f"atoms {names} have"


def _some(items: list[Any], most: int = 8) -> str:
    return ", ".join(str(item) for item in items[:most]) + (", ..." if len(items) > most else "")
