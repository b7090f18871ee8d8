"""The evaluator for structures of the same atoms: what `Potential.evaluate` says, to the bit, at every step of anything."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import ase
import numpy as np
import pytest
import torch

from nequip_openmm import Potential, engines
from nequip_openmm.errors import RunFailed, StructureError
from nequip_openmm.evaluator import Evaluated
from tests.model import cases

ENGINES = ["fused", "reference"]


@pytest.fixture(scope="module", params=ENGINES)
def potential(request: pytest.FixtureRequest) -> Potential:
    return Potential(cases.build(**cases.MODELS["l2-parity"]), engine=request.param)


def assert_same(found: Evaluated, potential: Potential, atoms: ase.Atoms) -> None:
    wanted = potential.evaluate(atoms)
    assert found.energy == wanted.energy
    np.testing.assert_array_equal(found.forces, wanted.forces)
    np.testing.assert_array_equal(found.virial, wanted.virial)
    np.testing.assert_array_equal(found.energies, wanted.energies)


@pytest.mark.parametrize("name", cases.STRUCTURES)
def test_a_walk_gives_the_bits_of_single_evaluations(potential: Potential, name: str) -> None:
    """Bits, because a run that is resumed has lists of another age and must go on as if it had not stopped."""
    atoms = cases.STRUCTURES[name]()
    evaluator = potential.evaluator(atoms.numbers, atoms.pbc)
    assert evaluator.n_atoms == len(atoms)
    assert evaluator.engine == potential.engine
    rng = np.random.default_rng(0)
    for step in range(12):
        atoms.positions += rng.normal(scale=0.04, size=atoms.positions.shape)
        if step % 4 == 3:
            atoms.set_cell(atoms.cell.array * rng.uniform(0.98, 1.02), scale_atoms=step % 8 == 3)
        assert_same(evaluator.evaluate(atoms.positions, atoms.cell.array), potential, atoms)
    assert evaluator._lists.n_built < 12


def test_shapes_and_types(potential: Potential) -> None:
    atoms = cases.triclinic()
    evaluator = potential.evaluator(atoms.numbers, True)
    cell = atoms.cell.array
    one = evaluator.evaluate(atoms.positions, cell)
    assert [np.shape(part) for part in one] == [(), (4, 3), (3, 3), (4,)]
    for n in (0, 1, 3):
        x = np.repeat(atoms.positions[None], n, axis=0)
        for cells in (cell, np.repeat(cell[None], n, axis=0)):
            many = evaluator.evaluate(x.astype(np.float32) if n == 0 else x, cells)
            assert [part.shape for part in many] == [(n,), (n, 4, 3), (n, 3, 3), (n, 4)]
            assert all(part.dtype == np.float64 for part in many)
            np.testing.assert_allclose(many.energy, one.energy, rtol=1e-14)
    np.testing.assert_allclose(one.energies.sum(), one.energy, rtol=1e-14)
    np.testing.assert_allclose(one.virial, one.virial.T, rtol=1e-14)


def test_several_structures_agree_with_single_ones_however_they_are_cut(
    potential: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = cases.triclinic()
    rng = np.random.default_rng(0)
    x = atoms.positions + rng.normal(scale=0.2, size=(5, 4, 3))
    cells = atoms.cell.array * rng.uniform(0.9, 1.2, size=(5, 1, 1))
    alone = [potential.evaluator(atoms.numbers, True).evaluate(*pair) for pair in zip(x, cells)]
    for limit in (1, 300, 1000, 10**9):
        monkeypatch.setitem(engines.MAX_EDGES, potential.engine, limit)
        together = potential.evaluator(atoms.numbers, True).evaluate(x, cells)
        for k, one in enumerate(alone):
            for a, b in zip(one, together):
                np.testing.assert_allclose(a, b[k], rtol=0, atol=1e-12)


def test_vectors_that_do_not_repeat_may_be_anything(potential: Potential) -> None:
    atoms = cases.slab()
    wanted = potential.evaluate(atoms)
    evaluator = potential.evaluator(atoms.numbers, atoms.pbc)
    for junk in (0.0, np.nan, 1e-3):
        cell = np.where(atoms.pbc[:, None], atoms.cell.array, junk)
        assert evaluator.evaluate(atoms.positions, cell).energy == wanted.energy
    molecule = cases.ethanol()
    evaluator = potential.evaluator(molecule.numbers)
    found = evaluator.evaluate(molecule.positions)
    assert found.energy == evaluator.evaluate(molecule.positions, np.full((3, 3), np.nan)).energy


def test_atoms_that_see_nothing(potential: Potential) -> None:
    """One atom, and atoms apart: the energies of single atoms, no forces, no virial."""
    for x in (np.zeros((1, 3)), 50.0 * np.eye(3), np.zeros((2, 1, 3))):
        evaluator = potential.evaluator([8] * x.shape[-2])
        found = evaluator.evaluate(x)
        assert not found.forces.any()
        assert not found.virial.any()
        np.testing.assert_allclose(found.energies, found.energies.flat[0], rtol=1e-15)


@pytest.mark.parametrize(
    ("positions", "cells", "says"),
    [
        (np.zeros((3, 3)), np.eye(3), r"positions must have shape \(4, 3\) or \(n, 4, 3\), got"),
        (np.zeros(12), np.eye(3), "positions must have shape"),
        (np.zeros((1, 1, 4, 3)), np.eye(3), "positions must have shape"),
        (np.zeros((4, 3)), None, "give its cell"),
        (np.zeros((4, 3)), np.zeros((2, 3, 3)), r"cells must have shape \(3, 3\) or \(1, 3, 3\)"),
        (np.zeros((2, 4, 3)), np.zeros(3), r"cells must have shape \(3, 3\) or \(2, 3, 3\)"),
        (np.full((4, 3), np.nan), np.eye(3) * 5, "position of atom 0 is not finite"),
        (np.full((4, 3), np.inf), np.eye(3) * 5, "position of atom 0 is not finite"),
        (np.eye(4, 3), np.full((3, 3), np.nan), "lattice vectors"),
        (np.eye(4, 3), np.zeros((3, 3)), "lattice vectors"),
    ],
)
def test_what_cannot_be_evaluated(
    potential: Potential, positions: np.ndarray, cells: np.ndarray | None, says: str
) -> None:
    evaluator = potential.evaluator(cases.triclinic().numbers, True)
    with pytest.raises(StructureError, match=says):
        evaluator.evaluate(positions, cells)


def test_potentials_refuse_elements_and_emptiness(potential: Potential) -> None:
    with pytest.raises(StructureError, match="not Xe"):
        potential.evaluator([1, 54])
    with pytest.raises(StructureError, match="no atoms"):
        potential.evaluator([])


def test_the_structure_at_fault_is_named(potential: Potential) -> None:
    atoms = cases.ethanol()
    evaluator = potential.evaluator(atoms.numbers)
    x = np.repeat(atoms.positions[None], 3, axis=0)
    x[1, 4] = x[1, 5] + 0.02
    with pytest.raises(StructureError, match=r"structure 1: atoms 4 \(H\) and 5 \(H\)"):
        evaluator.evaluate(x)
    with pytest.raises(StructureError, match=r"^atoms 4 \(H\) and 5 \(H\)"):
        evaluator.evaluate(x[1])


def test_atoms_that_creep_onto_each_other_are_noticed(potential: Potential) -> None:
    """Also where they move so little that the neighbour list stays the same."""
    evaluator = potential.evaluator([1, 1])
    x = np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])
    evaluator.evaluate(x)
    x[1, 0] = 0.101
    evaluator.evaluate(x)
    x[1, 0] = 0.099
    with pytest.raises(StructureError, match="atoms 0"):
        evaluator.evaluate(x)
    assert evaluator._lists.n_built == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_result_that_is_not_finite_is_never_returned(engine: str) -> None:
    model = cases.build()
    with torch.no_grad():
        model.scale_shift.shifts.fill_(torch.inf)
    evaluator = Potential(model, engine=engine).evaluator(cases.ethanol().numbers)  # type: ignore[arg-type]
    with pytest.raises(RunFailed, match="not finite") as caught:
        evaluator.evaluate(cases.ethanol().positions)
    assert caught.value.code == "non-finite"


def test_many_threads_at_once(potential: Potential) -> None:
    """Evaluators and `evaluate`, shared and not, called from threads that start together."""
    atoms = cases.triclinic()
    rng = np.random.default_rng(0)
    walks = atoms.positions + rng.normal(scale=0.1, size=(8, 6, 4, 3)).cumsum(axis=1)
    cell = atoms.cell.array
    wanted = potential.evaluator(atoms.numbers, True).evaluate(walks.reshape(-1, 4, 3), cell)
    shared = potential.evaluator(atoms.numbers, True)
    barrier = threading.Barrier(8)

    def work(k: int) -> list[Evaluated]:
        own = shared if k % 2 else potential.evaluator(atoms.numbers, True)
        barrier.wait(60)
        return [own.evaluate(x, cell) for x in walks[k]]

    with ThreadPoolExecutor(8) as pool:
        found = [one for walk in pool.map(work, range(8)) for one in walk]
    for k, one in enumerate(found):
        for a, b in zip(one, wanted):
            np.testing.assert_allclose(a, b[k], rtol=0, atol=1e-12)


def test_repeated_evaluations_are_equal_to_the_bit(potential: Potential) -> None:
    atoms = cases.triclinic().repeat(2)
    evaluator = potential.evaluator(atoms.numbers, True)
    first = evaluator.evaluate(atoms.positions, atoms.cell.array)
    for _ in range(5):
        again = evaluator.evaluate(atoms.positions, atoms.cell.array)
        for a, b in zip(first, again):
            np.testing.assert_array_equal(a, b)
