"""Bonds by distance and molecules in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from gui.core.bonds import Bonds, find_bonds, moved, wrapped
from gui.core.near_pairs import near_pairs
from gui.demo.molecules import methanol, water


def lengths(bonds: Bonds, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    return np.linalg.norm(
        positions[bonds.second] + bonds.shifts @ cell - positions[bonds.first], axis=1
    )


def test_methanol_has_five_bonds() -> None:
    atoms = methanol()
    bonds = find_bonds(atoms.numbers, atoms.positions)
    pairs = {tuple(sorted(pair)) for pair in zip(bonds.first.tolist(), bonds.second.tolist())}
    assert pairs == {(0, 1), (0, 2), (1, 3), (0, 4), (0, 5)}


@pytest.mark.parametrize("seed", range(3))
def test_bonds_do_not_depend_on_where_atoms_are_wrapped(seed: int) -> None:
    atoms = water()
    cell = atoms.cell + np.array([[0, 0, 0], [3.0, 0, 0], [-2.0, 1.0, 0]])  # skewed
    positions = atoms.positions @ np.linalg.inv(atoms.cell) @ cell
    moves = np.random.default_rng(seed).integers(-3, 4, size=positions.shape)
    before = find_bonds(atoms.numbers, positions, cell)
    after = find_bonds(atoms.numbers, positions + moves @ cell, cell)
    assert len(before.first) > 100
    assert np.array_equal(before.first, after.first)
    assert np.allclose(
        np.sort(lengths(before, positions, cell)),
        np.sort(lengths(after, positions + moves @ cell, cell)),
    )


def test_a_cell_smaller_than_a_bond_repeats_it() -> None:
    copper = find_bonds(np.array([29]), np.zeros((1, 3)), np.eye(3) * 2.5)
    assert len(copper.first) == 3  # along each vector, both directions being one bond
    assert np.allclose(lengths(copper, np.zeros((1, 3)), np.eye(3) * 2.5), 2.5)


def test_a_slab_does_not_repeat_along_its_normal() -> None:
    cell = np.diag([2.5, 2.5, 0.0])
    assert len(find_bonds(np.array([29]), np.zeros((1, 3)), cell).first) == 2


def test_broken_molecules_are_put_together_inside_the_cell() -> None:
    atoms = water()
    broken = atoms.positions % np.diag(atoms.cell)
    bonds = find_bonds(atoms.numbers, broken, atoms.cell)
    whole, move = wrapped(broken, atoms.cell, bonds)
    assert not moved(bonds, move).shifts.any()
    centres = whole.reshape(-1, 3, 3).mean(axis=1) / np.diag(atoms.cell)
    assert (centres >= -1e-9).all()
    assert (centres < 1 + 1e-9).all()


def test_a_crystal_is_wrapped_atom_by_atom() -> None:
    cell = np.eye(3) * 2.5
    positions = np.array([[9.0, -1.0, 0.5]])
    bonds = find_bonds(np.array([29]), positions, cell)
    whole, _ = wrapped(positions, cell, bonds)
    assert np.allclose(whole, [[1.5, 1.5, 0.5]])


def test_what_is_not_finite_has_no_bonds() -> None:
    assert not len(find_bonds(np.array([1, 1]), np.full((2, 3), np.nan)).first)


@pytest.mark.parametrize(("n", "reach"), [(0, 1.0), (1, 1.0), (2, 9.0), (300, 0.7), (300, 20.0)])
def test_near_pairs_are_those_of_all_distances(n: int, reach: float) -> None:
    points = np.random.default_rng(n).uniform(-5, 5, size=(n, 3))
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    expected = {(i, j) for i in range(n) for j in range(i + 1, n) if distance[i, j] < reach}
    first, second = near_pairs(points, reach)
    pairs = list(zip(first.tolist(), second.tolist()))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected


def test_a_long_chain_is_one_molecule() -> None:
    n = 500
    positions = np.zeros((n, 3))
    positions[:, 0] = 1.5 * np.arange(n)
    numbers, cell = np.full(n, 6), np.diag([3000.0, 9.0, 9.0])
    shuffled = np.random.default_rng(0).permutation(n)
    broken = (positions[shuffled] + (2600, 0, 0)) % 3000
    bonds = find_bonds(numbers, broken, cell)
    assert len(bonds.first) == n - 1
    whole, _ = wrapped(broken, cell, bonds)
    assert np.ptp(whole[:, 0]) == pytest.approx(1.5 * (n - 1))
