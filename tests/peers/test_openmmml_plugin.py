"""``MLPotential("nequip-openmm", ...)`` of openmm-ml: whole and mixed Systems, interpolation, and what is refused."""

from __future__ import annotations

import copy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import ase
import numpy as np
import pytest

from nequip_openmm.errors import ModelFileError, StructureError, UserError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.units import EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM
from tests.forces.cases import (
    BACKENDS,
    PLATFORMS,
    app,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_potential,
    triclinic,
)

openmmml = pytest.importorskip("openmmml")

pytestmark = pytest.mark.peer
unit = openmm.unit
NAME = "nequip-openmm"
LAMBDA = "lambda_interpolate"
WATERS = 40


def ml(**arguments: object) -> openmmml.MLPotential:
    return openmmml.MLPotential(NAME, modelPath=random_potential(), **arguments)


@pytest.fixture(scope="module")
def solvated() -> tuple[object, np.ndarray]:
    """A rigid water among others in a box; the first is described by the potential."""
    modeller = app.Modeller(app.Topology(), [])
    modeller.addSolvent(app.ForceField("tip3p.xml"), numAdded=WATERS)
    positions = np.array(modeller.positions.value_in_unit(unit.nanometer))
    box = np.diag([1.3, 1.35, 1.4])
    modeller.topology.setPeriodicBoxVectors(box * unit.nanometer)
    return modeller.topology, positions


def mm_system(topology: object, periodic: bool, flexible: bool = False) -> openmm.System:
    method = app.CutoffPeriodic if periodic else app.NoCutoff
    system = app.ForceField("tip3p.xml").createSystem(
        topology,
        nonbondedMethod=method,
        nonbondedCutoff=0.6,
        rigidWater=not flexible,
        constraints=None,
    )
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setUseDispersionCorrection(False)  # which is no sum over parts of a system
    return system


def energy(system: openmm.System, positions: np.ndarray, platform: str = "Reference") -> float:
    simulation = context(system, platform)
    simulation.setPositions(positions)
    return energy_and_forces(simulation)[0]


# --- whole Systems ------------------------------------------------------------------------------------------------------


def test_openmmml_knows_it_and_loads_nothing_for_it() -> None:
    """All entry points are imported with openmm-ml: ours must not cost seconds, nor be able to break it."""
    code = (
        "import sys, openmmml; assert 'nequip-openmm' in openmmml.MLPotential._implFactories;"
        "print([m for m in ('torch', 'ase', 'e3nn', 'nequip_openmm.potential') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_whole_system_is_ours(backend: str) -> None:
    for case in (methanol(), triclinic()):
        theirs = ml(backend=backend).createSystem(case.topology)
        ours = NequIPPotential(random_potential()).createSystem(case.topology, backend=backend)
        results = []
        for system in (theirs, ours):
            simulation = context(system)
            simulation.setPositions(case.positions)
            results.append(energy_and_forces(simulation))
        assert results[0][0] == results[1][0]
        np.testing.assert_array_equal(results[0][1], results[1][1])
        assert theirs.usesPeriodicBoundaryConditions() == ours.usesPeriodicBoundaryConditions()


def test_a_file_and_its_options(model_file: Path) -> None:
    potential = openmmml.MLPotential(NAME, modelPath=str(model_file), device="cpu")
    for arguments in ({}, {"precision": "single"}, {"dtype": "float32", "engine": "reference"}):
        system = potential.createSystem(
            methanol().topology, name="of openmm-ml", scaleParameter="s", **arguments
        )
        force = system.getForce(0)
        assert force.getName() == "of openmm-ml"
        simulation = context(system)
        simulation.setPositions(methanol().positions)
        assert simulation.getParameter("s") == 1.0


def test_what_is_given_later_overrules() -> None:
    system = ml(scaleParameter="first").createSystem(methanol().topology, scaleParameter="second")
    assert list(context(system).getParameters()) == ["second"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: openmmml.MLPotential(NAME), "needs a model: .*modelPath='model.safetensors'"),
        (
            lambda: ml(presicion="single"),
            r"has no argument 'presicion' \(did you mean 'precision'\?\)",
        ),
        (lambda: ml().createSystem(methanol().topology, backed="auto"), "did you mean 'backend'"),
        (
            lambda: ml().createSystem(methanol().topology, mlLongRange=True),
            "has no argument 'mlLongRange'",
        ),
        (lambda: ml(lengthScale=0.1), "has no argument 'lengthScale'"),
    ],
)
def test_unknown_arguments_are_errors(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]


def test_a_missing_file_and_unknown_elements(tmp_path: Path) -> None:
    missing = openmmml.MLPotential(NAME, modelPath=str(tmp_path / "none.safetensors"))
    with pytest.raises(ModelFileError, match="cannot be read"):
        missing.createSystem(methanol().topology)
    case = methanol()
    case.atoms.symbols[1] = "S"
    with pytest.raises(StructureError, match=r"not S: atom 1 \(S1\)"):
        ml().createSystem(case.topology)


def test_there_is_nothing_beyond_the_reach_of_the_network() -> None:
    assert ml()._impl.getMLLongRange() is False


# --- mixed Systems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("periodic", [True, False], ids=["box", "cluster"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_identity_of_mechanical_embedding(
    solvated: tuple[object, np.ndarray], platform: str, periodic: bool, backend: str
) -> None:
    """E_mixed = E_MM(all) - E_MM(ML) + E_ML(ML); λ goes from MM to mixed; forces are those of the energies."""
    topology, positions = solvated
    if not periodic:
        topology = _without_box(topology)
    atoms, mm = [0, 1, 2], mm_system(topology, periodic, flexible=True)
    potential = ml(backend=backend)
    inner, inner_positions = _part(topology, atoms), positions[atoms]
    e_mm = energy(mm, positions, platform)
    e_mm_inner = energy(mm_system(inner, periodic, flexible=True), inner_positions, platform)
    e_ml_inner = energy(potential.createSystem(inner), inner_positions, platform)
    expected = e_mm - e_mm_inner + e_ml_inner

    mixed = potential.createMixedSystem(topology, mm, atoms, forceGroup=4)
    assert energy(mixed, positions, platform) == pytest.approx(expected, abs=0.01)
    assert mixed.usesPeriodicBoundaryConditions() == periodic

    both = potential.createMixedSystem(topology, mm, atoms, interpolate=True)
    simulation = context(both, platform)
    simulation.setPositions(positions)
    for scale, wanted in ((1.0, expected), (0.5, 0.5 * (expected + e_mm)), (0.0, e_mm)):
        simulation.setParameter(LAMBDA, scale)
        assert energy_and_forces(simulation)[0] == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_molecule_split_over_the_boundary(
    solvated: tuple[object, np.ndarray], backend: str
) -> None:
    topology, positions = solvated
    mixed = ml(backend=backend).createMixedSystem(
        topology, mm_system(topology, True, flexible=True), [0, 1, 2]
    )
    box = np.array(topology.getPeriodicBoxVectors().value_in_unit(unit.nanometer))
    moved = positions + 0.5 * box.sum(axis=0) - positions[0]  # the molecule in the middle
    split = moved - 0.5 * box.sum(axis=0)
    torn = split.copy()
    torn[1] += box[0]
    torn[2] -= 2 * box[1] + box[2]
    expected = energy(mixed, positions)
    for given in (moved, split, torn):
        assert energy(mixed, given) == pytest.approx(expected, abs=0.01)


def test_constraints_within_the_molecule_are_removed(
    solvated: tuple[object, np.ndarray],
) -> None:
    topology, _ = solvated
    rigid = mm_system(topology, True)
    for remove, expected in ((True, 3 * (WATERS - 1)), (False, 3 * WATERS)):
        mixed = ml().createMixedSystem(topology, rigid, [0, 1, 2], removeConstraints=remove)
        assert mixed.getNumConstraints() == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolate", [False, True])
def test_a_mixed_system_goes_through_xml(
    solvated: tuple[object, np.ndarray], interpolate: bool, backend: str
) -> None:
    topology, positions = solvated
    mixed = ml(backend=backend).createMixedSystem(
        topology, mm_system(topology, True), [3, 4, 5], interpolate=interpolate
    )
    text = openmm.XmlSerializer.serialize(mixed)
    again = openmm.XmlSerializer.deserialize(text)
    assert energy(again, positions) == pytest.approx(energy(mixed, positions), abs=1e-9)


def test_dynamics_of_a_mixed_system(solvated: tuple[object, np.ndarray]) -> None:
    """Constraints of the other molecules hold, and everything stays finite."""
    topology, positions = solvated
    mixed = ml().createMixedSystem(topology, mm_system(topology, True), [0, 1, 2])
    integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.00025)
    simulation = context(mixed, "CPU", integrator)
    simulation.setPositions(positions)
    openmm.LocalEnergyMinimizer.minimize(simulation, 50.0, 20)
    simulation.setVelocitiesToTemperature(300.0, 1)
    integrator.step(20)
    found = simulation.getState(positions=True).getPositions(asNumpy=True)._value
    assert np.isfinite(found).all()
    assert np.linalg.norm(found[3] - found[4]) == pytest.approx(0.09572, abs=1e-5)


@pytest.mark.skipif(
    tuple(map(int, metadata.version("openmmml").split(".")[:2])) < (1, 8),
    reason="link atoms came with openmm-ml 1.8",
)
def test_a_link_atom_caps_a_bond_that_is_cut() -> None:
    """The methyl group of methanol, with a hydrogen in place of oxygen: a virtual site that the potential sees and pushes."""
    case, inner = methanol(), [0, 2, 4, 5]
    mm = openmm.System()
    nonbonded = openmm.NonbondedForce()
    for mass in case.atoms.get_masses():
        mm.addParticle(mass)
        nonbonded.addParticle(0.0, 0.3, 0.0)
    mm.addForce(nonbonded)
    info = ml().createMixedSystem(
        case.topology, mm, inner, linkAtomDistances=[(0, 1, 0.109)], returnInfo=True
    )
    system = info["system"]
    assert system.getNumParticles() == 7
    assert system.isVirtualSite(6)
    simulation = context(system)
    start = np.concatenate([case.positions, np.zeros((1, 3))])
    simulation.setPositions(start)
    simulation.computeVirtualSites()
    positions = simulation.getState(positions=True).getPositions(asNumpy=True)._value
    atoms = ase.Atoms("CHHHH", positions[[*inner, 6]] * NM_TO_ANGSTROM)
    expected = random_potential().evaluate(atoms).energy * EV_TO_KJ_PER_MOL
    assert energy_and_forces(simulation)[0] == pytest.approx(expected, rel=1e-12)


def _without_box(topology: object) -> object:
    bare = copy.copy(topology)
    bare.setPeriodicBoxVectors(None)
    return bare


def _part(topology: object, atoms: list[int]) -> object:
    modeller = app.Modeller(
        topology, [openmm.Vec3(0, 0, 0)] * topology.getNumAtoms() * unit.nanometer
    )
    modeller.delete([atom for atom in modeller.topology.atoms() if atom.index not in atoms])
    return modeller.topology
