"""A topology may come from any reader; structures of ASE are turned into OpenMM's orientation; molecules stay whole."""

from __future__ import annotations

import io
from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest

from nequip_openmm.errors import StructureError, UserError
from nequip_openmm.forces import NequIPPotential, from_ase
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM
from tests.forces.cases import (
    BACKENDS,
    Case,
    app,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_potential,
    stable_potential,
    water_box,
)

PDB = Path(__file__).parents[2] / "examples" / "methanol.pdb"
POTENTIAL = NequIPPotential(random_potential())

GROMACS = """[ defaults ]
1 2 yes 0.5 0.5
[ atomtypes ]
C 6 12.011 0.0 A 0.3 0.3
O 8 15.999 0.0 A 0.3 0.3
H 1 1.008 0.0 A 0.1 0.1
[ moleculetype ]
MOL 3
[ atoms ]
1 C 1 MOL C1 1 0.0 12.011
2 O 1 MOL O1 1 0.0 15.999
3 H 1 MOL H1 1 0.0 1.008
4 H 1 MOL H2 1 0.0 1.008
5 H 1 MOL H3 1 0.0 1.008
6 H 1 MOL H4 1 0.0 1.008
[ bonds ]
1 2 1 0.14 1000
1 3 1 0.11 1000
1 5 1 0.11 1000
1 6 1 0.11 1000
2 4 1 0.10 1000
[ system ]
methanol
[ molecules ]
MOL 1
"""


def from_pdb(_: Path) -> tuple[object, object]:
    pdb = app.PDBFile(str(PDB))
    return pdb.topology, pdb.positions


def from_pdbx(folder: Path) -> tuple[object, object]:
    pdb = app.PDBFile(str(PDB))
    with (folder / "methanol.cif").open("w") as file:
        app.PDBxFile.writeFile(pdb.topology, pdb.positions, file)
    again = app.PDBxFile(str(folder / "methanol.cif"))
    return again.topology, again.positions


def from_modeller(_: Path) -> tuple[object, object]:
    pdb = app.PDBFile(str(PDB))
    modeller = app.Modeller(pdb.topology, pdb.positions)
    modeller.delete([])
    return modeller.topology, modeller.positions


def from_gromacs(folder: Path) -> tuple[object, object]:
    (folder / "methanol.top").write_text(GROMACS)
    top = app.GromacsTopFile(str(folder / "methanol.top"))
    return top.topology, app.PDBFile(str(PDB)).positions


def from_atoms(_: Path) -> tuple[object, object]:
    pdb = app.PDBFile(str(PDB))
    symbols = [atom.element.symbol for atom in pdb.topology.atoms()]
    positions = np.array(pdb.positions.value_in_unit(openmm.unit.angstrom))
    structure = from_ase(ase.Atoms(symbols, positions), bonds=True)
    return structure.topology, structure.positions


@pytest.mark.parametrize("read", [from_pdb, from_pdbx, from_modeller, from_gromacs, from_atoms])
def test_readers(read: object, tmp_path: Path) -> None:
    topology, positions = read(tmp_path)  # type: ignore[operator]
    symbols = [atom.element.symbol for atom in topology.atoms()]
    pdb = app.PDBFile(str(PDB))
    assert symbols == [atom.element.symbol for atom in pdb.topology.atoms()]
    assert topology.getNumBonds() == 5
    system = POTENTIAL.createSystem(
        topology, hydrogenMass=2.0, moleculesFromTopology=True, periodic=False
    )
    simulation = context(system)
    simulation.setPositions(positions)
    atoms = ase.Atoms(symbols, np.array(positions.value_in_unit(openmm.unit.angstrom)))
    expected = POTENTIAL.potential.evaluate(atoms).energy * EV_TO_KJ_PER_MOL
    assert energy_and_forces(simulation)[0] == pytest.approx(expected, rel=1e-12)
    assert [len(molecule) for molecule in simulation.getMolecules()] == [6]


# --- ASE ----------------------------------------------------------------------------------------------------------------


def crystals() -> list[ase.Atoms]:
    """Cells that OpenMM refuses as they are: turned, left-handed, strongly tilted."""
    rng = np.random.default_rng(0)
    found = []
    for kind in ("turned", "left-handed", "tilted", "primitive"):
        atoms = (
            ase.build.bulk("C", "diamond", 3.57)
            if kind == "primitive"
            else ase.Atoms("OHHCH", rng.uniform(0.0, 4.0, (5, 3)), cell=[4.1, 4.9, 5.3], pbc=True)
        )
        if kind == "turned":
            atoms.set_cell([[4.1, 0, 0.3], [0.2, 4.9, 0.1], [-0.5, 0.4, 5.3]])
            atoms.rotate(50.0, (1, 2, 3), rotate_cell=True)
        if kind == "left-handed":
            atoms.set_cell(atoms.cell.array[[1, 0, 2]])
        if kind == "tilted":
            atoms.set_cell([[4.1, 0, 0], [9.0, 4.9, 0], [-7.0, 11.0, 5.3]])
        atoms.rattle(0.05, seed=1)
        found.append(atoms)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("atoms", crystals(), ids=["turned", "left-handed", "tilted", "primitive"])
def test_a_turned_crystal_has_the_same_energy_and_turned_forces(
    atoms: ase.Atoms, backend: str
) -> None:
    structure = from_ase(atoms)
    np.testing.assert_allclose(structure.rotation @ structure.rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(structure.rotation) == pytest.approx(1.0)
    system = POTENTIAL.createSystem(structure.topology, backend=backend)
    simulation = context(system)
    simulation.setPositions(structure.positions)
    energy, forces = energy_and_forces(simulation)
    expected = POTENTIAL.potential.evaluate(atoms)
    assert energy == pytest.approx(expected.energy * EV_TO_KJ_PER_MOL, rel=1e-13)
    turned = expected.forces @ structure.rotation * EV_TO_KJ_PER_MOL * NM_TO_ANGSTROM
    np.testing.assert_allclose(forces, turned, atol=1e-9 * np.abs(turned).max())


def test_atoms_as_they_are_are_refused_with_the_way() -> None:
    """Their cell may have to be turned, and positions that were not turned with it would be wrong."""
    with pytest.raises(UserError, match=r"structure = nequip_openmm.forces.from_ase\(atoms\)"):
        POTENTIAL.createSystem(methanol().atoms)
    with pytest.raises(UserError, match=r"expected ase\.Atoms, got Topology"):
        from_ase(methanol().topology)  # type: ignore[arg-type]


def test_structures_that_openmm_cannot_describe() -> None:
    slab = ase.Atoms("C", cell=[3, 3, 20], pbc=[True, True, False])
    with pytest.raises(StructureError, match="repeats along a, b only"):
        from_ase(slab)
    with pytest.raises(StructureError, match=r"atoms 1 \(counted from 0\) have no element"):
        from_ase(ase.Atoms("HX", [[0, 0, 0], [0, 0, 1]]))
    with pytest.raises(StructureError, match="has no bonds"):
        from_ase(ase.Atoms("HH", [[0, 0, 0], [0, 0, 9.0]]), bonds=True)


# --- molecules ----------------------------------------------------------------------------------------------------------


def waters() -> Case:
    case = water_box()
    bonds = [(3 * m, 3 * m + h) for m in range(27) for h in (1, 2)]
    return Case(case.atoms, bonds)


@pytest.mark.parametrize("backend", BACKENDS)
def test_bonds_without_strength_make_molecules(backend: str) -> None:
    plain = POTENTIAL.createSystem(waters().topology, backend=backend)
    whole = POTENTIAL.createSystem(
        waters().topology, backend=backend, moleculesFromTopology=True, forceGroup=2
    )
    assert whole.getForce(1).getNumBonds() == 54
    assert {whole.getForce(i).getForceGroup() for i in (0, 1)} == {2}
    sizes, results = [], []
    for system in (plain, whole):
        simulation = context(system)
        simulation.setPositions(waters().positions)
        sizes.append([len(molecule) for molecule in simulation.getMolecules()])
        results.append(energy_and_forces(simulation))
    assert sizes == [[1] * 81, [3] * 27]
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_a_barostat_and_wrapping_keep_molecules_whole() -> None:
    """With atoms instead of molecules the barostat stretches bonds, and wrapping tears molecules apart."""
    longest = []
    for whole in (True, False):
        system = NequIPPotential(stable_potential()).createSystem(
            waters().topology, moleculesFromTopology=whole, removeCMMotion=False
        )
        barostat = openmm.MonteCarloBarostat(1.0, 300.0, 1)
        barostat.setRandomNumberSeed(3)
        system.addForce(barostat)
        integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 1e-6)  # atoms hardly move
        integrator.setRandomNumberSeed(3)
        simulation = context(system, "Reference", integrator)
        simulation.setPositions(waters().positions + 0.4)
        integrator.step(10)
        state = simulation.getState(positions=True, enforcePeriodicBox=True)
        positions = state.getPositions(asNumpy=True)._value * NM_TO_ANGSTROM
        oxygen = positions[0::3]
        longest.append(max(np.linalg.norm(positions[h::3] - oxygen, axis=1).max() for h in (1, 2)))
    assert longest[0] == pytest.approx(np.hypot(0.76, 0.59), abs=0.01)
    assert longest[1] > 5.0


def test_molecules_need_bonds() -> None:
    bare = Case(methanol().atoms).topology
    with pytest.raises(UserError, match=r"moleculesFromTopology=True needs bonds, .*bonds=True"):
        POTENTIAL.createSystem(bare, moleculesFromTopology=True)


def test_extra_particles_of_a_water_model_are_named() -> None:
    modeller = app.Modeller(app.Topology(), [])
    modeller.addSolvent(app.ForceField("tip4pew.xml"), model="tip4pew", numAdded=2)
    with pytest.raises(StructureError, match=r"atoms 3 \(M\), 7 \(M\) have no element"):
        POTENTIAL.createSystem(modeller.topology)


def test_a_pdb_with_a_box_is_periodic() -> None:
    text = io.StringIO()
    app.PDBFile.writeFile(waters().topology, waters().positions * NM_TO_ANGSTROM, text)
    text.seek(0)
    pdb = app.PDBFile(text)
    system = POTENTIAL.createSystem(pdb.topology)
    assert system.usesPeriodicBoundaryConditions()
    box = system.getDefaultPeriodicBoxVectors()
    lengths = [box[k][k]._value for k in range(3)]
    np.testing.assert_allclose(lengths, np.diag(waters().atoms.cell) * ANGSTROM_TO_NM, atol=1e-4)
