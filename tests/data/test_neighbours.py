"""Neighbour lists agree with a sum over all images and with an independent code, pair for pair."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from nequip_openmm.data import neighbours
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.errors import StructureError

Pairs = set[tuple[int, ...]]

TRICLINIC = np.array([[5.0, 0.0, 0.0], [2.1, 4.6, 0.0], [-1.3, 1.9, 5.4]])
TINY = np.array([[1.4, 0.0, 0.1], [0.5, 1.6, 0.0], [0.0, 0.3, 1.7]])
SKEWED = np.array([[4.0, 0.0, 0.0], [7.9, 3.0, 0.0], [-6.5, 5.5, 3.5]])
LEFT_HANDED = TRICLINIC[[1, 0, 2]]
ALL_PBC = list(itertools.product([False, True], repeat=3))


def as_set(edge_index: np.ndarray, shifts: np.ndarray) -> Pairs:
    rows = [tuple(int(x) for x in row) for row in np.concatenate([edge_index.T, shifts], axis=1)]
    assert len(rows) == len(set(rows)), "a pair appears twice"
    return set(rows)


def brute_force(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> Pairs:
    """Try every image that could be near: the definition, written down."""
    pbc = np.asarray(pbc, dtype=bool)
    filled = neighbours.complete_cell(cell, pbc, positions)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(filled), axis=0)
    spread = np.ptp(positions @ np.linalg.inv(filled), axis=0)
    reach = np.where(pbc, np.ceil(cutoff / heights + spread), 0).astype(int)
    pairs = set()
    for shift in itertools.product(*(range(-r, r + 1) for r in reach)):
        r_ij = positions[None] - positions[:, None] + np.array(shift) @ cell
        close = np.linalg.norm(r_ij, axis=-1) < cutoff
        if shift == (0, 0, 0):
            np.fill_diagonal(close, False)
        pairs |= {(int(i), int(j), *shift) for i, j in np.argwhere(close)}
    return pairs


def random_case(seed: int, cell: np.ndarray, n: int, far: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    inside = rng.uniform(size=(n, 3)) @ cell
    return inside + np.round(rng.normal(scale=far, size=(n, 3))) @ cell


@pytest.mark.parametrize("pbc", ALL_PBC)
@pytest.mark.parametrize(
    "cell", [TRICLINIC, TINY, SKEWED, LEFT_HANDED], ids=["tri", "tiny", "skew", "left"]
)
@pytest.mark.parametrize("far", [0.0, 3.0])
def test_agrees_with_the_sum_over_images(
    cell: np.ndarray, pbc: tuple[bool, ...], far: float
) -> None:
    positions = random_case(1, cell, 7, far)
    found = as_set(*neighbour_list(positions, cell, pbc, 4.2))
    assert found == brute_force(positions, cell, np.array(pbc), 4.2)


@pytest.mark.parametrize("pbc", ALL_PBC)
@pytest.mark.parametrize("n", [1, 2, 20])
def test_agrees_with_matscipy(pbc: tuple[bool, ...], n: int) -> None:
    matscipy = pytest.importorskip("matscipy.neighbours")
    for seed, cell in enumerate([TRICLINIC, TINY, SKEWED, LEFT_HANDED, 3.0 * np.eye(3)]):
        positions = random_case(seed, cell, n, 2.0)
        i, j, shifts = matscipy.neighbour_list(
            "ijS", positions=positions, cell=cell, pbc=pbc, cutoff=5.0
        )
        expected = as_set(np.stack([i, j]), shifts)
        assert as_set(*neighbour_list(positions, cell, pbc, 5.0)) == expected


@pytest.mark.parametrize("pbc", [p for p in ALL_PBC if not all(p)])
def test_vectors_that_do_not_repeat_may_be_zero_or_nonsense(pbc: tuple[bool, ...]) -> None:
    repeats = np.array(pbc)
    positions = random_case(3, TRICLINIC, 12, 1.0)
    expected = as_set(*neighbour_list(positions, TRICLINIC, pbc, 4.0))
    for junk in (0.0, np.nan, 1e-3):
        cell = np.where(repeats[:, None], TRICLINIC, junk)
        found = as_set(*neighbour_list(positions, cell, pbc, 4.0))
        assert (
            found
            == expected
            == brute_force(positions, np.where(repeats[:, None], TRICLINIC, 0.0), repeats, 4.0)
        )


def test_atoms_very_far_outside_the_cell_give_the_pairs_of_wrapped_ones() -> None:
    positions = random_case(4, TRICLINIC, 20, 0.0)
    moves = np.random.default_rng(5).integers(-5000, 5000, size=(20, 3))
    edges, shifts = neighbour_list(positions, TRICLINIC, True, 4.0)
    moved_edges, moved = neighbour_list(positions + moves @ TRICLINIC, TRICLINIC, True, 4.0)
    unwrapped = moved + moves[moved_edges[1]] - moves[moved_edges[0]]
    assert as_set(moved_edges, unwrapped) == as_set(edges, shifts)


def test_no_atom_one_atom_and_its_own_images() -> None:
    for n in (0, 1):
        edges, shifts = neighbour_list(np.zeros((n, 3)), np.zeros((3, 3)), False, 5.0)
        assert edges.shape == (2, 0)
        assert shifts.shape == (0, 3)
    edges, shifts = neighbour_list(np.zeros((0, 3)), np.eye(3), True, 5.0)
    assert edges.shape == (2, 0)
    edges, shifts = neighbour_list(np.zeros((1, 3)), 2.0 * np.eye(3), True, 2.1)
    assert as_set(edges, shifts) == {
        (0, 0, *(s * np.eye(3, dtype=int)[k])) for k in range(3) for s in (-1, 1)
    }


def test_types_order_and_repeatability() -> None:
    positions = random_case(6, TRICLINIC, 50, 1.0)
    first = neighbour_list(positions, TRICLINIC, True, 5.0)
    again = neighbour_list(positions, TRICLINIC, True, 5.0)
    assert first[0].dtype == first[1].dtype == np.int64
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("far", [0.0, 3.0, 3e5])
def test_pairs_come_in_the_order_of_centre_neighbour_and_shift(far: float) -> None:
    """Whatever finds them, so that float32 sums over pairs do not depend on the search."""
    for seed, cell in enumerate([TRICLINIC, TINY]):
        edges, shifts = neighbour_list(random_case(seed, cell, 20, far), cell, True, 5.0)
        order = np.lexsort([*shifts.T[::-1], edges[1], edges[0]])
        np.testing.assert_array_equal(order, np.arange(len(shifts)))


def test_matscipy_takes_over_where_vesin_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matscipy")
    positions = random_case(7, TRICLINIC, 15, 1.0)
    expected = as_set(*neighbour_list(positions, TRICLINIC, (True, False, True), 4.0))
    monkeypatch.setitem(sys.modules, "vesin", None)
    found = neighbour_list(positions, TRICLINIC, (True, False, True), 4.0)
    assert as_set(*found) == expected
    assert (np.diff(found[0][0]) >= 0).all()


@pytest.mark.parametrize(
    ("cell", "pbc", "cutoff", "says"),
    [
        (np.zeros((3, 3)), True, 4.0, "periodic along a, b, c"),
        (np.diag([5.0, 0.0, 5.0]), (False, True, False), 4.0, "periodic along b"),
        (np.ones((3, 3)), (True, True, False), 4.0, "linearly dependent"),
        (np.full((3, 3), np.nan), True, 4.0, "not finite"),
        (TRICLINIC, True, 0.0, "cutoff must be"),
        (TRICLINIC, True, float("nan"), "cutoff must be"),
        (TRICLINIC, True, 4000.0, "pairs for 3 atoms"),
    ],
)
def test_refuses_what_has_no_meaning(
    cell: np.ndarray, pbc: object, cutoff: float, says: str
) -> None:
    with pytest.raises(StructureError, match=says):
        neighbour_list(random_case(8, TRICLINIC, 3, 0.0), cell, pbc, cutoff)


def test_names_the_atom_whose_position_is_not_finite() -> None:
    positions = random_case(9, TRICLINIC, 5, 0.0)
    positions[3, 1] = np.inf
    with pytest.raises(StructureError, match="atom 3 is not finite"):
        neighbour_list(positions, TRICLINIC, True, 4.0)


@pytest.mark.parametrize("pbc", [(True, True, False), (True, False, False), (False, False, False)])
def test_an_atom_that_flew_off_does_not_disturb_the_rest(pbc: tuple[bool, ...]) -> None:
    positions = random_case(10, TRICLINIC, 30, 1.0)
    expected = as_set(*neighbour_list(positions, TRICLINIC, pbc, 4.0))
    normal = np.cross(TRICLINIC[0], TRICLINIC[1])
    for distance in (1e3, 1e6, -9e6):
        lost = positions.mean(axis=0) + distance * normal / np.linalg.norm(normal)
        found = as_set(*neighbour_list(np.vstack([positions, lost]), TRICLINIC, pbc, 4.0))
        assert {pair for pair in found if 30 not in pair[:2]} == expected
        assert all(pair[0] == pair[1] for pair in found if 30 in pair[:2])


def test_refuses_positions_too_far_to_subtract() -> None:
    with pytest.raises(StructureError, match=r"atom 1 lies more than 1e\+07 Å"):
        neighbour_list([[0.0, 0, 0], [0, 2e7, 0]], np.zeros((3, 3)), False, 4.0)
