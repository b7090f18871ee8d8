"""What `createSystem` and `createForce` make of a topology, and what they refuse."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from nequip_openmm import NequIPPotential as PublicName
from nequip_openmm.errors import BackendError, ModelFileError, StructureError, UserError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.forces.computation import Computation
from nequip_openmm.potential import Potential, load
from tests.forces.cases import (
    BACKENDS,
    app,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_potential,
    triclinic,
    water_box,
)

unit = openmm.unit


@pytest.fixture(scope="module")
def potential() -> NequIPPotential:
    return NequIPPotential(random_potential())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_system_of_a_molecule(potential: NequIPPotential, backend: str) -> None:
    system = potential.createSystem(methanol().topology, backend=backend, forceGroup=5)
    assert system.getNumParticles() == 6
    assert system.getNumConstraints() == 0
    assert not system.usesPeriodicBoundaryConditions()
    force, remover = system.getForces()
    assert force.getName() == "NequIP"
    assert force.getForceGroup() == 5
    assert isinstance(remover, openmm.CMMotionRemover)
    masses = [system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(6)]
    np.testing.assert_allclose(masses, methanol().atoms.get_masses(), rtol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_system_of_a_box(potential: NequIPPotential, backend: str) -> None:
    system = potential.createSystem(triclinic().topology, removeCMMotion=False, backend=backend)
    assert system.getNumForces() == 1
    assert system.usesPeriodicBoundaryConditions()
    box = system.getDefaultPeriodicBoxVectors()
    np.testing.assert_allclose(
        [v.value_in_unit(unit.angstrom) for v in box], triclinic().atoms.cell, atol=1e-12
    )


def test_hydrogen_mass_is_taken_from_the_heavy_atom(potential: NequIPPotential) -> None:
    topology = methanol().topology
    plain = potential.createSystem(topology, backend="PythonForce")
    for mass in (3.0, 3, 3.0 * unit.dalton):
        heavy = potential.createSystem(topology, hydrogenMass=mass, backend="PythonForce")
        old, new = ([_mass(s, i) for i in range(6)] for s in (plain, heavy))
        assert [new[i] for i in (2, 3, 4, 5)] == pytest.approx([3.0] * 4, rel=1e-9)
        assert sum(new) == pytest.approx(sum(old))
        gained = 3.0 - old[2]
        assert new[0] == pytest.approx(old[0] - 3 * gained)
        assert new[1] == pytest.approx(old[1] - gained)


def test_hydrogen_mass_as_openmm_does_it(potential: NequIPPotential) -> None:
    """The same masses as OpenMM's own ForceField gives to water that may bend."""
    modeller = app.Modeller(app.Topology(), [])
    field = app.ForceField("tip3p.xml")
    modeller.addSolvent(field, numAdded=20)
    arguments = {"hydrogenMass": 2.5 * unit.dalton, "rigidWater": False}
    expected = field.createSystem(modeller.topology, **arguments)
    found = potential.createSystem(modeller.topology, hydrogenMass=2.5, backend="PythonForce")
    for i in range(expected.getNumParticles()):
        assert _mass(found, i) == pytest.approx(_mass(expected, i), rel=1e-12)


def _mass(system: openmm.System, i: int) -> float:
    return float(system.getParticleMass(i).value_in_unit(unit.dalton))


def test_a_model_file_or_a_potential(model_file: Path) -> None:
    for given in (model_file, str(model_file), load(model_file, "cpu")):
        assert NequIPPotential(given).potential.species == ("H", "C", "O")
    assert (
        NequIPPotential(model_file, device="cpu", dtype="float32").potential.dtype == torch.float32
    )
    assert PublicName is NequIPPotential


def test_the_potential_given_stays_as_it_is() -> None:
    given = random_potential()
    before = copy.deepcopy(given.model.state_dict())
    flags = [p.requires_grad for p in given.model.parameters()]
    for backend in ("auto", "PythonForce"):
        NequIPPotential(given).createSystem(methanol().topology, backend=backend)
    assert [p.requires_grad for p in given.model.parameters()] == flags
    assert all(torch.equal(v, before[k]) for k, v in given.model.state_dict().items())


@pytest.mark.parametrize("mass", [0.0, -1.0, float("nan"), 20.0, "heavy", 3.0 * unit.nanometer])
def test_masses_that_make_no_sense(potential: NequIPPotential, mass: object) -> None:
    with pytest.raises(UserError, match="hydrogenMass"):
        potential.createSystem(methanol().topology, hydrogenMass=mass)


def test_constraints_are_refused_with_the_reason(potential: NequIPPotential) -> None:
    with pytest.raises(UserError, match=r"constraints=HBonds is not possible: .*timestep"):
        potential.createSystem(methanol().topology, constraints=app.HBonds)


@pytest.mark.parametrize("group", [-1, 32, 1.5, "0", True])
def test_force_groups_out_of_range(potential: NequIPPotential, group: object) -> None:
    with pytest.raises(UserError, match="forceGroup must be a whole number from 0 to 31"):
        potential.createForce(methanol().topology, forceGroup=group)  # type: ignore[arg-type]


def test_unknown_elements_are_named_with_their_atoms(potential: NequIPPotential) -> None:
    case = water_box()
    case.atoms.symbols[[3, 9]] = "Xe"
    case.atoms.symbols[12] = "N"
    with pytest.raises(StructureError, match=r"not N, Xe: atoms 3 \(Xe3\), 9 \(Xe9\), 12 \(N12\)"):
        potential.createSystem(case.topology)


def test_extra_particles_are_named(potential: NequIPPotential) -> None:
    topology = methanol().topology
    residue = next(topology.residues())
    topology.addAtom("EP1", None, residue)
    topology.addAtom("EP2", None, residue)
    with pytest.raises(
        StructureError, match=r"atoms 6 \(EP1\), 7 \(EP2\) have no element .*virtual"
    ):
        potential.createSystem(topology)
    force = potential.createForce(topology, atoms=range(6))
    assert force.getName() == "NequIP"


@pytest.mark.parametrize(
    ("atoms", "says"),
    [
        ([0, 6], "atoms 6 are not in the topology, which has 6 atoms"),
        ([-1], "atoms -1 are not in the topology"),
        ([1, 2, 1], "atoms 1 are given more than once"),
        ([0.5], "whole numbers"),
        ([True, False], "whole numbers"),
        ([], "no atoms to evaluate"),
    ],
)
def test_subsets_that_make_no_sense(
    potential: NequIPPotential, atoms: list[object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        potential.createForce(methanol().topology, atoms=atoms)  # type: ignore[arg-type]


def test_no_atoms(potential: NequIPPotential) -> None:
    with pytest.raises(StructureError, match="no atoms to evaluate"):
        potential.createSystem(app.Topology())


def test_a_box_in_the_wrong_unit(potential: NequIPPotential) -> None:
    topology = methanol().topology
    topology.setPeriodicBoxVectors(0.01 * np.eye(3) * unit.nanometer)
    with pytest.raises(
        StructureError, match=r"holds 0.001 Å³ for 6 atoms; are its vectors in nm\?"
    ):
        potential.createSystem(topology)


def test_what_is_no_topology(potential: NequIPPotential) -> None:
    class Pdb:
        topology = methanol().topology

    with pytest.raises(
        UserError, match=r"expected an openmm.app.Topology, got Pdb; pass its .topology"
    ):
        potential.createSystem(Pdb())
    with pytest.raises(UserError, match=r"expected an openmm.app.Topology, got str$"):
        potential.createSystem("methanol.pdb")


def test_models_that_cannot_be_read(tmp_path: Path, model_file: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        NequIPPotential(tmp_path / "missing.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model_file.read_bytes()[:500])
    with pytest.raises(ModelFileError):
        NequIPPotential(cut)
    with pytest.raises(
        UserError, match="device, dtype, engine and threads belong to loading a file"
    ):
        NequIPPotential(load(model_file, "cpu"), dtype="float64")


def test_unknown_backends(potential: NequIPPotential) -> None:
    with pytest.raises(BackendError, match="did you mean 'TorchForce'"):
        potential.createSystem(methanol().topology, backend="torchForce")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_system_with_other_particles_says_what_to_do(
    potential: NequIPPotential, backend: str
) -> None:
    system = potential.createSystem(methanol().topology, backend=backend)
    system.addParticle(1.0)
    simulation = context(system)
    simulation.setPositions(np.random.default_rng(0).normal(size=(7, 3)))
    with pytest.raises(openmm.OpenMMException, match="made for 6 atoms but the System has 7"):
        energy_and_forces(simulation)


@pytest.mark.parametrize("backend", BACKENDS)
def test_atoms_on_top_of_each_other_stop_the_run(potential: NequIPPotential, backend: str) -> None:
    """No silent number: OpenMM would take a missing energy for -1 kJ/mol and go on."""
    simulation = context(potential.createSystem(methanol().topology, backend=backend))
    positions = methanol().positions
    positions[3] = positions[4]
    simulation.setPositions(positions)
    with pytest.raises(openmm.OpenMMException, match="blown up, or its start is wrong: atoms 3"):
        energy_and_forces(simulation)


def test_results_have_the_types_that_openmm_reads() -> None:
    """A wrong type raises nothing in OpenMM: an energy that is no float counts as -1 kJ/mol."""
    given: Potential = random_potential(torch.float32)
    types = given.batch(methanol().atoms).types.tolist()
    for atoms in (None, [1, 2, 3, 4, 5, 6]):
        computation = Computation(given, types, False, atoms)
        positions = methanol().positions
        if atoms is not None:
            positions = np.concatenate([np.ones((1, 3)), positions, np.ones((2, 3))])
        energy, forces = computation.evaluate(positions, np.zeros((3, 3)))
        assert type(energy) is float
        assert forces.dtype == np.float64
        assert forces.flags.c_contiguous
        assert forces.shape == positions.shape


def test_the_memo_gives_copies_and_notices_every_change() -> None:
    given = random_potential()
    types = given.batch(triclinic().atoms).types.tolist()
    computation = Computation(given, types, True)
    positions, box = triclinic().positions, np.array(triclinic().atoms.cell) * 0.1
    energy, forces = computation.evaluate(positions, box)
    kept = forces.copy()
    forces[:] = 0.0  # a caller may do with its array what it likes
    again = computation.evaluate(positions.copy(), box.copy())
    assert again[0] == energy
    np.testing.assert_array_equal(again[1], kept)
    assert computation.evaluate(positions, box * 1.01)[0] != energy
    moved = positions.copy()
    moved[0, 0] += 1e-6
    assert computation.evaluate(moved, box)[0] != energy
