"""Structures in the form that OpenMM wants: its orientation of a cell, its topology.

OpenMM describes a periodic cell by lattice vectors a = (aₓ, 0, 0), b = (bₓ, b_y, 0), c = (cₓ, c_y, c_z) with positive diagonal
and |bₓ| ≤ aₓ/2, |cₓ| ≤ aₓ/2, |c_y| ≤ b_y/2. A cell in any other orientation is turned together with its atoms, and its
vectors are then replaced by shorter ones of the same lattice, so energies do not change and forces turn with the atoms.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import ase
import numpy as np
import openmm
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray
from openmm import app, unit

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import StructureError, UserError
from nequip_openmm.units import ANGSTROM_TO_NM

__all__ = [
    "Structure",
    "add_bonds",
    "box_vectors_nm",
    "from_ase",
    "reduced_cell",
    "reoriented",
    "topology_of",
]

FloatArray = NDArray[np.float64]
_BOND_STRETCH = 1.15  # of the sum of covalent radii


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms as OpenMM sees them.

    Attributes
    ----------
    topology
        Elements, names, residues, bonds where known, cell.
    frame
        Numbers, positions (Å) and cell (Å) in OpenMM's orientation.
    rotation
        (3, 3); positions in this orientation = positions in the file @ rotation.
    """

    topology: app.Topology
    frame: Frame
    rotation: FloatArray

    @property
    def is_periodic(self) -> bool:
        """Whether the structure repeats along its three lattice vectors."""
        return bool(self.frame.pbc.all())

    @property
    def positions(self) -> Any:
        """(N, 3) positions as a Quantity in nm."""
        return self.frame.positions * ANGSTROM_TO_NM * unit.nanometer

    @classmethod
    def from_frame(cls, frame: Frame) -> Structure:
        """Turn a frame into OpenMM's orientation and give it a topology without bonds.

        Raises
        ------
        StructureError
            If it repeats along one or two vectors only, or its cell has no volume.
        """
        turned, rotation = reoriented(frame)
        return cls(topology_of(turned), turned, rotation)


def from_ase(atoms: ase.Atoms, bonds: bool = False) -> Structure:
    """Return ASE Atoms as OpenMM wants them: topology and positions, both turned into OpenMM's orientation of the cell.

    Parameters
    ----------
    bonds
        Whether the topology gets bonds between atoms as close as covalent radii tell, for ``hydrogenMass`` and
        ``moleculesFromTopology``.

    Raises
    ------
    StructureError
        For atoms without an element, positions that are not finite, a structure that repeats along one or two vectors only or
        whose cell has no volume, and where bonds are wanted but no two atoms are close.

    Examples
    --------
    >>> structure = from_ase(ase.io.read("ice.cif"))  # doctest: +SKIP
    >>> system = NequIPPotential("model.safetensors").createSystem(structure.topology)  # doctest: +SKIP
    >>> simulation.context.setPositions(structure.positions)  # doctest: +SKIP
    """
    if not isinstance(atoms, ase.Atoms):
        raise UserError(f"expected ase.Atoms, got {type(atoms).__name__}")
    dummies = np.flatnonzero(atoms.numbers == 0)
    if len(dummies):
        shown = ", ".join(str(i) for i in dummies[:8])
        raise StructureError(f"atoms {shown} (counted from 0) have no element; remove them")
    structure = Structure.from_frame(Frame.from_ase(atoms))
    if bonds:
        add_bonds(structure)
    return structure


def reduced_cell(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a lattice in OpenMM's reduced form and the rotation that turns positions into it.

    Parameters
    ----------
    cell
        (3, 3) lattice vectors as rows, any unit, any orientation or handedness.

    Returns
    -------
    (3, 3) reduced vectors as rows and the proper rotation R with ``lattice(cell @ R) == lattice(reduced)``.
    """
    right_handed = cell if np.linalg.det(cell) > 0 else -cell  # the same lattice
    q, r = np.linalg.qr(right_handed.T)  # right_handed = r.T @ q.T, r.T lower triangular
    signs = np.sign(np.diag(r))
    rotation = q * signs
    a, b, c = np.tril(right_handed @ rotation)
    c = c - b * np.round(c[1] / b[1])
    c = c - a * np.round(c[0] / a[0])
    b = b - a * np.round(b[0] / a[0])
    return _within_bounds(np.stack([a, b, c])), rotation


def topology_of(frame: Frame) -> app.Topology:
    """Return a topology without bonds: one chain, atoms named by element and number.

    Names in a PDB file have four characters and must differ within a residue, so large structures have several residues.
    """
    topology = app.Topology()
    chain = topology.addChain()
    residue, count = topology.addResidue("MOL", chain), Counter[str]()
    for symbol, number in zip(frame.symbols, frame.numbers):
        if len(f"{symbol}{count[symbol] + 1}") > 4:
            residue, count = topology.addResidue("MOL", chain), Counter()
        count[symbol] += 1
        element = app.Element.getByAtomicNumber(int(number))
        topology.addAtom(f"{symbol}{count[symbol]}", element, residue)
    if frame.pbc.all():
        topology.setPeriodicBoxVectors(box_vectors_nm(frame.cell) * unit.nanometer)
    return topology


def add_bonds(structure: Structure) -> None:
    """Give a topology without bonds those between atoms as close as covalent radii tell.

    Raises
    ------
    StructureError
        If no two atoms are that close.
    """
    frame, topology = structure.frame, structure.topology
    if topology.getNumBonds() > 0:
        return
    atoms = ase.Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=_BOND_STRETCH))
    named = list(topology.atoms())
    for i, j in sorted({(int(i), int(j)) for i, j in zip(first, second) if i < j}):
        topology.addBond(named[i], named[j])
    if topology.getNumBonds() == 0:
        raise StructureError(
            "the structure has no bonds, which heavier hydrogens and whole molecules need"
        )


def box_vectors_nm(cell: FloatArray) -> list[openmm.Vec3]:
    """Return a reduced cell (Å, rows) as OpenMM vectors in nm."""
    return [openmm.Vec3(*row) for row in cell * ANGSTROM_TO_NM]


def reoriented(frame: Frame) -> tuple[Frame, FloatArray]:
    """Return a frame with its cell in the reduced form, its atoms turned with it, and the rotation.

    Raises
    ------
    StructureError
        If it repeats along one or two vectors only, its cell has no volume, or a position is not finite.
    """
    if not np.isfinite(frame.positions).all():
        atom = int(np.flatnonzero(~np.isfinite(frame.positions).all(axis=1))[0])
        raise StructureError(f"the position of atom {atom} (counted from 0) is not finite")
    if not frame.pbc.any():
        return Frame.create(frame.numbers, frame.positions), np.eye(3)
    if not frame.pbc.all():
        periodic = ", ".join(name for name, p in zip("abc", frame.pbc) if p)
        raise StructureError(
            f"the structure repeats along {periodic} only; OpenMM repeats along all three vectors or none: "
            "make the others longer than the atoms' extent plus the cutoff and set pbc to all"
        )
    if not abs(np.linalg.det(frame.cell)) > 1e-6:
        raise StructureError("the structure is periodic but its cell has no volume")
    cell, rotation = reduced_cell(frame.cell)
    return Frame.create(frame.numbers, frame.positions @ rotation, cell, True), rotation


def _within_bounds(cell: FloatArray) -> FloatArray:
    """Take away the last digit by which a component may exceed half an edge, which OpenMM would refuse."""
    result = cell.copy()
    for row, column in ((1, 0), (2, 0), (2, 1)):
        limit = 0.5 * cell[column, column]
        result[row, column] = np.clip(cell[row, column], -limit, limit)
    return result
