"""Mechanical embedding by openmm-ml: E(mixed) = E_MM(all) - E_MM(molecule) + E_ML(molecule), for a methanol in water."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.forces.cases import app, methanol, openmm
from tests.openmm_laws.cases import WAYS, Way, strong_potential, unit

openmmml = pytest.importorskip("openmmml")

EXAMPLES = Path(__file__).parents[2] / "examples"
FIELD = ("amber14/protein.ff14SB.xml", "amber14/tip3p.xml", str(EXAMPLES / "methanol_amber.xml"))
MOLECULE = list(range(6))
EDGE = 1.9  # nm
TOLERANCE = 0.01  # kJ/mol


class Solvated(NamedTuple):
    """Methanol in a box of water, all described by the force field; positions in nm."""

    topology: Any
    positions: np.ndarray
    system: openmm.System


@cache
def solvated(is_periodic: bool) -> Solvated:
    pdb = app.PDBFile(str(EXAMPLES / "methanol.pdb"))
    modeller = app.Modeller(pdb.topology, pdb.positions)
    field = app.ForceField(*FIELD)
    modeller.addSolvent(field, boxSize=openmm.Vec3(EDGE, EDGE, EDGE) * unit.nanometer)
    topology = modeller.topology
    positions = np.array(modeller.positions.value_in_unit(unit.nanometer))
    if not is_periodic:
        topology.setPeriodicBoxVectors(None)
    return Solvated(topology, positions, field_system(field, topology, is_periodic))


def field_system(field: Any, topology: Any, is_periodic: bool) -> openmm.System:
    if not is_periodic:
        return field.createSystem(topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds)
    system = field.createSystem(
        topology,
        nonbondedMethod=app.PME,
        nonbondedCutoff=0.8,
        constraints=app.HBonds,
        ewaldErrorTolerance=1e-5,
    )
    # OpenMM otherwise takes atoms that are excluded from each other where they are, also if the molecule is split
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    nonbonded.setExceptionsUsePeriodicBoundaryConditions(True)
    return system


def mixed(way: Way, potential: Potential, is_periodic: bool, **options: Any) -> openmm.System:
    made = openmmml.MLPotential("nequip-openmm", modelPath=potential, backend=way.backend)
    whole = solvated(is_periodic)
    return made.createMixedSystem(whole.topology, whole.system, MOLECULE, **options)


def energy(
    way: Way, system: openmm.System, positions: np.ndarray, scale: float | None = None
) -> float:
    """In kJ/mol."""
    context = way.context(system)
    context.setPositions(positions)
    if scale is not None:
        context.setParameter("lambda_interpolate", scale)
    found = context.getState(energy=True).getPotentialEnergy()
    return float(found.value_in_unit(unit.kilojoule_per_mole))


@cache
def parts(way: Way, is_periodic: bool) -> tuple[float, float, float]:
    """Return E_MM(all), E_MM(molecule) and E_ML(molecule) in kJ/mol.

    The molecule alone has no images: only what its atoms do to each other inside it is replaced.
    """
    whole = solvated(is_periodic)
    alone = app.PDBFile(str(EXAMPLES / "methanol.pdb")).topology
    alone_field = field_system(app.ForceField(*FIELD), alone, False)
    atoms = methanol().atoms[[0, 1, 2, 3, 4, 5]]
    atoms.numbers = [atom.element.atomic_number for atom in alone.atoms()]
    atoms.positions = whole.positions[MOLECULE] / ANGSTROM_TO_NM
    return (
        energy(way, whole.system, whole.positions),
        energy(way, alone_field, whole.positions[MOLECULE]),
        strong_potential().evaluate(atoms).energy * EV_TO_KJ_PER_MOL,
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_periodic", [True, False], ids=["periodic", "open"])
def test_the_identity_of_embedding(is_periodic: bool, way: Way) -> None:
    everything, molecule, network = parts(way, is_periodic)
    system = mixed(way, strong_potential(), is_periodic)
    found = energy(way, system, solvated(is_periodic).positions)
    assert abs(network - molecule) > 100.0
    assert found == pytest.approx(everything - molecule + network, abs=TOLERANCE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_periodic", [True, False], ids=["periodic", "open"])
def test_interpolation(is_periodic: bool, way: Way) -> None:
    everything, molecule, network = parts(way, is_periodic)
    system = mixed(way, strong_potential(), is_periodic, interpolate=True)
    for scale in (0.0, 0.5, 1.0):
        found = energy(way, system, solvated(is_periodic).positions, scale)
        expected = everything + scale * (network - molecule)
        assert found == pytest.approx(expected, abs=TOLERANCE), scale


def by_lattice_vectors(positions: np.ndarray) -> np.ndarray:
    moved = positions.copy()
    moved[MOLECULE[2:5]] += EDGE * np.array([[1, 0, 0], [0, -2, 0], [0, 1, 1]])
    return moved


def onto_the_boundary(positions: np.ndarray) -> np.ndarray:
    """Return the same box moved until carbon sits at a corner, every atom of the molecule wrapped by itself."""
    moved = positions - positions[0]
    moved[MOLECULE] %= EDGE
    return moved


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("split", [by_lattice_vectors, onto_the_boundary])
def test_a_molecule_split_across_the_boundary(
    split: Callable[[np.ndarray], np.ndarray], way: Way
) -> None:
    everything, molecule, network = parts(way, True)
    positions = split(solvated(True).positions)
    assert np.linalg.norm(positions[MOLECULE] - positions[0], axis=1).max() > 0.5 * EDGE
    found = energy(way, mixed(way, strong_potential(), True), positions)
    assert found == pytest.approx(everything - molecule + network, abs=TOLERANCE)


@pytest.mark.parametrize("way", WAYS)
def test_constraints_inside_the_molecule_go(way: Way) -> None:
    system = solvated(True).system
    before = {
        tuple(system.getConstraintParameters(i)[:2]) for i in range(system.getNumConstraints())
    }
    inside = {pair for pair in before if set(pair) <= set(MOLECULE)}
    assert len(inside) == 4
    for remove, expected in ((True, before - inside), (False, before)):
        found = mixed(way, strong_potential(), True, removeConstraints=remove)
        pairs = {
            tuple(found.getConstraintParameters(i)[:2]) for i in range(found.getNumConstraints())
        }
        assert pairs == expected
