"""Starting structures from files, in the form that OpenMM wants; see `nequip_openmm.forces.structures`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.data
import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from openmm import app, unit

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import StructureError
from nequip_openmm.forces.structures import (
    Structure,
    add_bonds,
    box_vectors_nm,
    reduced_cell,
    reoriented,
    topology_of,
)
from nequip_openmm.units import NM_TO_ANGSTROM

__all__ = [
    "Structure",
    "add_bonds",
    "box_vectors_nm",
    "read_structure",
    "reduced_cell",
    "topology_of",
]

FloatArray = NDArray[np.float64]
_PDB_SUFFIXES = {
    ".pdb": app.PDBFile,
    ".ent": app.PDBFile,
    ".cif": app.PDBxFile,
    ".pdbx": app.PDBxFile,
    ".mmcif": app.PDBxFile,
}


def read_structure(path: Path, index: int = 0) -> Structure:
    """Read one structure from a PDB or PDBx/mmCIF file (with residues and bonds) or any file that ASE reads.

    Parameters
    ----------
    index
        Which structure of a file with several, counted from 0; negative from the end.

    Raises
    ------
    StructureError
        If the file is missing, not understood, has no such structure, or holds something that OpenMM cannot simulate.
    """
    if not path.is_file():
        raise StructureError(f"structure {path}: no such file")
    reader = _PDB_SUFFIXES.get(path.suffix.lower())
    if reader is not None and not _is_small_molecule_cif(path):
        return _read_pdb(path, index, reader)
    return Structure.from_frame(Frame.from_ase(_read_ase(path, index)))


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_ase(path: Path, index: int) -> Atoms:
    try:
        atoms = ase.io.read(path, index=index)
    except (IndexError, StopIteration) as error:
        raise StructureError(f"structure {path}: has no frame {index}") from error
    except Exception as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        raise StructureError(f"structure {path}: cannot be read: {detail}") from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise StructureError(f"structure {path}: holds no atoms")
    if (atoms.numbers == 0).any():
        dummies = ", ".join(str(i) for i in np.flatnonzero(atoms.numbers == 0)[:8])
        raise StructureError(f"structure {path}: atoms {dummies} (counted from 0) have no element")
    return atoms


def _read_pdb(path: Path, index: int, reader: Any) -> Structure:
    try:
        pdb = reader(str(path))
        frames = range(pdb.getNumFrames())
        positions = pdb.getPositions(asNumpy=True, frame=frames[index])
    except IndexError as error:
        raise StructureError(f"structure {path}: has no frame {index}") from error
    except Exception as error:
        raise StructureError(f"structure {path}: cannot be read: {error}") from error
    topology = pdb.topology
    if topology.getNumAtoms() == 0:
        raise StructureError(f"structure {path}: holds no atoms")
    cell = _pdb_cell(topology)
    frame = Frame.create(
        _numbers(topology, path),
        positions.value_in_unit(unit.nanometer) * NM_TO_ANGSTROM,
        cell,
        cell is not None,
    )
    turned, rotation = reoriented(frame)
    vectors = box_vectors_nm(turned.cell) * unit.nanometer if cell is not None else None
    topology.setPeriodicBoxVectors(vectors)
    return Structure(topology, turned, rotation)


def _pdb_cell(topology: app.Topology) -> FloatArray | None:
    """Return the cell in Å; a cube of 1 Å is the format's way to say that there is none."""
    vectors = topology.getPeriodicBoxVectors()
    if vectors is None:
        return None
    cell = np.array(vectors.value_in_unit(unit.nanometer)) * NM_TO_ANGSTROM
    return None if np.allclose(cell, np.eye(3)) else cell


def _numbers(topology: app.Topology, path: Path) -> list[int]:
    atoms = list(topology.atoms())
    nameless = [atom for atom in atoms if atom.element is None]
    if nameless:
        shown = ", ".join(f"{atom.index} ({atom.name})" for atom in nameless[:8])
        raise StructureError(f"structure {path}: atoms {shown}, counted from 0, have no element")
    return [atom.element.atomic_number for atom in atoms]


def _is_small_molecule_cif(path: Path) -> bool:
    """Return whether a .cif is a crystallographer's file, which ASE reads, and not a macromolecule's mmCIF."""
    if path.suffix.lower() != ".cif":
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return "_atom_site." not in text
