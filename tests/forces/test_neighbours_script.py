"""The neighbour list inside TorchForce equals that of the rest of the package: pairs, shifts and order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.forces.neighbours_script import pairs_within

scripted = torch.jit.script(pairs_within)

REDUCED = np.array([[7.0, 0.0, 0.0], [2.9, 6.4, 0.0], [-3.1, 2.7, 6.9]])
SKEWED = np.array([[4.0, 0.0, 0.0], [7.9, 3.0, 0.0], [-6.5, 5.5, 3.5]])
TINY = np.array([[1.4, 0.0, 0.1], [0.5, 1.6, 0.0], [0.0, 0.3, 1.7]])
LEFT_HANDED = REDUCED[[1, 0, 2]]
CELLS = {"reduced": REDUCED, "skewed": SKEWED, "tiny": TINY, "left": LEFT_HANDED}


def found(
    positions: np.ndarray, cell: np.ndarray, is_periodic: bool, cutoff: float, **limits: int
) -> np.ndarray:
    edges, shifts = scripted(
        torch.tensor(positions), torch.tensor(cell), is_periodic, cutoff, **limits
    )
    assert edges.dtype == torch.int64
    assert shifts.dtype == torch.float64
    assert torch.equal(shifts, shifts.round())
    return np.concatenate([edges.numpy().T, shifts.numpy().astype(np.int64)], axis=1)


def expected(
    positions: np.ndarray, cell: np.ndarray, is_periodic: bool, cutoff: float
) -> np.ndarray:
    edges, shifts = neighbour_list(positions, cell, is_periodic, cutoff)
    return np.concatenate([edges.T, shifts], axis=1)


def check(
    positions: np.ndarray, cell: np.ndarray, is_periodic: bool, cutoff: float, **limits: int
) -> None:
    np.testing.assert_array_equal(
        found(positions, cell, is_periodic, cutoff, **limits),
        expected(positions, cell, is_periodic, cutoff),
    )


def scatter(n: int, cell: np.ndarray, seed: int, far: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(size=(n, 3)) + np.round(rng.normal(scale=far, size=(n, 3)))) @ cell


@pytest.mark.parametrize("dense_limit", [10**9, 0], ids=["all-images", "bins"])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("cutoff", [0.9, 2.1, 3.3, 5.7])
def test_periodic_cells_of_any_shape_and_size(name: str, cutoff: float, dense_limit: int) -> None:
    cell = CELLS[name]
    for n, far in itertools.product((1, 2, 23), (0.0, 3.0)):
        positions = scatter(n, cell, seed=n, far=far)
        limits = {"dense_limit": dense_limit, "at_once": 500}
        check(positions, cell, True, cutoff, **limits)


@pytest.mark.parametrize("dense_limit", [10**9, 0], ids=["all-pairs", "bins"])
@pytest.mark.parametrize("spread", [0.5, 8.0, 60.0])
def test_molecules(spread: float, dense_limit: int) -> None:
    for n in (1, 2, 3, 60):
        positions = np.random.default_rng(n).normal(scale=spread, size=(n, 3)) + 100.0
        check(positions, np.zeros((3, 3)), False, 5.0, dense_limit=dense_limit)


@pytest.mark.parametrize("dense_limit", [10**9, 0], ids=["all-images", "bins"])
def test_random_cells(dense_limit: int) -> None:
    rng = np.random.default_rng(7)
    for seed in range(60):
        cell = np.diag(rng.uniform(2.0, 12.0, 3)) + rng.normal(scale=0.8, size=(3, 3))
        positions = scatter(int(rng.integers(1, 30)), cell, seed)
        cutoff = float(rng.uniform(1.0, 6.0))
        check(positions, cell, True, cutoff, dense_limit=dense_limit)


@pytest.mark.parametrize("is_periodic", [True, False])
def test_large_systems_choose_bins_and_agree(is_periodic: bool) -> None:
    cell = 24.0 * np.eye(3) + np.array([[0, 0, 0], [6.0, 0, 0], [-4.0, 5.0, 0]])
    positions = scatter(1300, cell, seed=1, far=2.0 if is_periodic else 0.0)
    check(positions, cell, is_periodic, 4.5)


@pytest.mark.parametrize("factor", [0.5 - 1e-12, 0.5, 0.5 + 1e-12, 1.0, 1.5])
def test_cutoffs_at_multiples_of_half_the_cell_height(factor: float) -> None:
    """Where the number of images to look at changes, atoms opposite each other must not be lost or doubled."""
    cell = 6.0 * np.eye(3)
    positions = np.array([[0.0, 0.0, 0.0], [3.0 - 1e-9, 0.0, 0.0], [0.0, 3.0, 3.0], [5.9, 0, 0]])
    for dense_limit in (10**9, 0):
        check(positions, cell, True, factor * 6.0, dense_limit=dense_limit)


def test_an_atom_that_flew_away_costs_nothing() -> None:
    positions = np.random.default_rng(3).uniform(0.0, 12.0, size=(400, 3))
    positions[17] = [1e9, -1e9, 1e12]
    others = expected(np.delete(positions, 17, 0), np.eye(3), False, 4.0)
    others[:, :2] += others[:, :2] >= 17
    np.testing.assert_array_equal(found(positions, np.eye(3), False, 4.0), others)


def test_atoms_on_one_point_stay_a_pair() -> None:
    """Overlapping atoms must reach the model, which then gives a number that is not finite, rather than vanish."""
    positions = np.zeros((2, 3))
    for is_periodic, dense_limit in itertools.product((True, False), (10**9, 0)):
        pairs = found(positions, 20.0 * np.eye(3), is_periodic, 4.0, dense_limit=dense_limit)
        assert pairs.tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_memory_of_a_large_system_stays_far_below_all_pairs() -> None:
    """The binned search compares 6,000 atoms in slices: no tensor near N² = 36 million entries is made."""
    cell = 39.0 * np.eye(3)
    positions = torch.tensor(scatter(6000, cell, seed=2))
    with torch.profiler.profile(profile_memory=True) as profile:
        pairs_within(positions, torch.tensor(cell), True, 4.0)
    largest = max(event.self_cpu_memory_usage for event in profile.events())
    assert largest < 100e6
