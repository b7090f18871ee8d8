"""Structures in OpenMM's form: the same lattice, the same energy, turned forces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import openmm
import pytest
from ase import Atoms
from ase.cell import Cell
from openmm import app, unit

import nequip_openmm
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import StructureError
from nequip_openmm.simulation.structure import (
    Structure,
    box_vectors_nm,
    read_structure,
    reduced_cell,
    topology_of,
)

RNG = np.random.default_rng(7)
CELLS = {
    "cubic": np.eye(3) * 5,
    "hexagonal": Cell.fromcellpar([3, 3, 5, 90, 90, 120]).array,
    "hexagonal-60": Cell.fromcellpar([3, 3, 5, 90, 90, 60]).array,
    "fcc": np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0.0]]),
    "bcc": np.array([[-2, 2, 2], [2, -2, 2], [2, 2, -2.0]]),
    "left-handed": np.array([[0, 4, 0], [5, 0, 0], [0, 0, 6.0]]),
    "sheared": np.array([[4, 0, 0], [11, 3, 0], [-9, 8, 5.0]]),
    **{f"random{i}": RNG.normal(size=(3, 3)) * 4 + np.eye(3) * 3 for i in range(5)},
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_reduced_cell_is_the_same_lattice(cell: np.ndarray) -> None:
    reduced, rotation = reduced_cell(cell)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-12)
    # Each lattice's vectors are whole combinations of the other's.
    change = np.linalg.solve(reduced.T, (cell @ rotation).T)
    np.testing.assert_allclose(change, np.round(change), atol=1e-10)
    assert abs(np.linalg.det(np.round(change))) == pytest.approx(1.0)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_openmm_takes_the_reduced_cell(cell: np.ndarray) -> None:
    system = openmm.System()
    system.addParticle(1.0)
    bonds = openmm.HarmonicBondForce()
    bonds.setUsesPeriodicBoundaryConditions(True)
    system.addForce(bonds)
    vectors = box_vectors_nm(reduced_cell(cell)[0])
    system.setDefaultPeriodicBoxVectors(*vectors)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPeriodicBoxVectors(*vectors)
    found = context.getState().getPeriodicBoxVectors(asNumpy=True)._value
    assert found[1, 0] <= found[0, 0] / 2
    assert np.triu(found, 1).any() == np.False_


def test_the_energy_is_the_same_and_forces_turn(model_file: Path, box_file: Path) -> None:
    potential = nequip_openmm.load(model_file, device="cpu")
    atoms = ase.io.read(box_file)
    structure = read_structure(box_file)
    before, after = potential.evaluate(atoms), potential.evaluate(structure.frame)
    assert after.energy == pytest.approx(before.energy, abs=1e-11)
    np.testing.assert_allclose(after.forces, before.forces @ structure.rotation, atol=1e-11)
    assert structure.is_periodic
    assert np.triu(structure.frame.cell, 1).any() == np.False_


def test_a_pdb_file_keeps_residues_bonds_and_cell(tmp_path: Path) -> None:
    topology = app.Topology()
    residue = topology.addResidue("HOH", topology.addChain("B"))
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(name[0]), residue)
        for name in ("O", "H1", "H2")
    ]
    topology.addBond(atoms[0], atoms[1])
    topology.setUnitCellDimensions(openmm.Vec3(2, 3, 4))
    positions = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
    path = tmp_path / "water.pdb"
    with path.open("w") as file:
        app.PDBFile.writeFile(topology, positions * unit.nanometer, file)
    structure = read_structure(path)
    assert [atom.name for atom in structure.topology.atoms()] == ["O", "H1", "H2"]
    assert structure.topology.getNumBonds() == 2  # known for water
    np.testing.assert_allclose(structure.frame.positions, positions * 10, atol=1e-9)
    np.testing.assert_allclose(structure.frame.cell, np.diag([20, 30, 40]), atol=1e-9)
    np.testing.assert_array_equal(structure.frame.numbers, [8, 1, 1])


def test_a_pdb_cell_of_one_angstrom_means_none(tmp_path: Path) -> None:
    path = tmp_path / "gas.pdb"
    ase.io.write(path, Atoms("OH", [[0, 0, 0], [1, 0, 0]], cell=[1, 1, 1], pbc=True))
    assert not read_structure(path).is_periodic


def test_a_crystallographers_cif_is_read(tmp_path: Path) -> None:
    path = tmp_path / "nacl.cif"
    ase.io.write(path, ase.build.bulk("NaCl", "rocksalt", a=5.64))
    structure = read_structure(path)
    assert structure.is_periodic
    assert len(structure.frame) == 2


def test_frames_are_counted_from_zero_and_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "two.xyz"
    ase.io.write(path, [Atoms("H2", [[0, 0, 0], [0, 0, d]]) for d in (1.0, 2.0)])
    lengths = [read_structure(path, i).frame.positions[1, 2] for i in (0, 1, -1, -2)]
    assert lengths == [1.0, 2.0, 2.0, 1.0]
    with pytest.raises(StructureError, match="has no frame 2"):
        read_structure(path, 2)


def test_names_are_unique_for_the_pdb_file(tmp_path: Path) -> None:
    frame = Frame.create([1] * 2100 + [17] * 150, RNG.uniform(0, 90, (2250, 3)))
    topology = topology_of(frame)
    path = tmp_path / "big.pdb"
    with path.open("w") as file:
        app.PDBFile.writeFile(topology, frame.positions * unit.angstrom, file)
    back = app.PDBFile(str(path)).topology
    assert [a.element.atomic_number for a in back.atoms()] == frame.numbers.tolist()


def _partly_periodic(path: Path) -> None:
    ase.io.write(path, Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[9, 9, 9], pbc=[1, 1, 0]))


def _flat(path: Path) -> None:
    ase.io.write(path, Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[9, 9, 0], pbc=True))


def _not_a_number(path: Path) -> None:
    path.write_text("2\n\nH 0 0 0\nH 0 0 nan\n")


def _cut_short(path: Path) -> None:
    path.write_text("5\n\nH 0 0 0\nH 0 0 1\n")


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00\x01garbage")


def _empty(path: Path) -> None:
    path.write_text("")


def _nameless(path: Path) -> None:
    path.write_text("2\n\nH 0 0 0\nX 0 0 1\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_partly_periodic, "repeats along a, b only"),
        (_flat, "its cell has no volume"),
        (_not_a_number, "position of atom 1 .* is not finite"),
        (_cut_short, "cannot be read"),
        (_garbage, "cannot be read"),
        (_empty, "cannot be read|holds no atoms|has no frame"),
        (_nameless, r"atoms 1 \(counted from 0\) have no element"),
    ],
)
def test_bad_files_are_named_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "bad.extxyz"
    make(path)
    with pytest.raises(StructureError, match=message) as caught:
        read_structure(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_broken_pdb_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="no such file"):
        read_structure(tmp_path / "no.xyz")
    path = tmp_path / "bad.pdb"
    path.write_text("ATOM      1  C   LIG A   1       x.000   0.000   0.000\n")
    with pytest.raises(StructureError, match="cannot be read"):
        read_structure(path)
    path.write_text("HEADER\nEND\n")
    with pytest.raises(StructureError, match=r"holds no atoms|cannot be read"):
        read_structure(path)


def test_extra_particles_of_a_pdb_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tip4p.pdb"
    path.write_text(
        "HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O\n"
        "HETATM    2  M   HOH A   1       0.150   0.000   0.000  1.00  0.00            \nEND\n"
    )
    with pytest.raises(StructureError, match=r"atoms 1 \(M\), counted from 0, have no element"):
        read_structure(path)


def test_a_frame_without_cell_stays_where_it_is() -> None:
    frame = Frame.from_ase(ase.build.molecule("CH3OH"))
    structure = Structure.from_frame(frame)
    np.testing.assert_array_equal(structure.frame.positions, frame.positions)
    assert structure.topology.getPeriodicBoxVectors() is None
