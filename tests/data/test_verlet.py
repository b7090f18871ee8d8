"""Lists with a skin hold every pair within the cutoff, whatever atoms and cell have done since they were made."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.data.verlet import SPARE_LISTS, PairList, VerletLists, concatenate
from nequip_openmm.errors import StructureError

CUTOFF = 4.0
ALL_PBC = list(itertools.product([False, True], repeat=3))
CELL = np.array([[6.0, 0.0, 0.0], [2.1, 5.5, 0.0], [-1.3, 1.9, 5.2]])
Rows = list[tuple[int, ...]]


def exact(x: np.ndarray, cell: np.ndarray, pbc: object, cutoff: float = CUTOFF) -> Rows:
    edges, shifts = neighbour_list(x, cell, pbc, cutoff)  # type: ignore[arg-type]
    return [tuple(map(int, row)) for row in np.column_stack([*edges, shifts])]


def within(pairs: PairList, x: np.ndarray, cell: np.ndarray, cutoff: float = CUTOFF) -> Rows:
    """Return the pairs of a list that are closer than the cutoff, in the order of the list."""
    r = x[pairs.second] - x[pairs.centres] + pairs.shifts @ cell
    rows = np.column_stack([pairs.centres, pairs.second, pairs.shifts])
    return [tuple(map(int, row)) for row in rows[np.linalg.norm(r, axis=1) < cutoff]]


def assert_complete(lists: VerletLists, x: np.ndarray, cells: np.ndarray) -> None:
    pairs, n_atoms = lists.pairs(x, cells), x.shape[1]
    assert len(pairs.first) == x.shape[0] * n_atoms + 1
    for k, (xk, cell) in enumerate(zip(x, cells)):
        part = pairs.of_atoms(k * n_atoms, (k + 1) * n_atoms)
        wanted = exact(xk, cell, lists.pbc)
        assert within(part, xk, cell) == wanted  # the order too: sums must not depend on history
        i, j, *_ = np.array(wanted, dtype=int).reshape(-1, 5).T
        r = xk[j] - xk[i] + np.array(wanted).reshape(-1, 5)[:, 2:] @ cell
        assert np.linalg.norm(r, axis=1).min(initial=np.inf) >= lists.nearest[k] - 1e-9


def start(seed: int, n: int = 1, n_atoms: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-3.0, 9.0, (n, n_atoms, 3)), np.repeat(CELL[None], n, axis=0)


@pytest.mark.parametrize("pbc", ALL_PBC)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_walk_through_everything_that_happens(pbc: tuple[bool, ...], seed: int) -> None:
    """Atoms move, structures change places, cells shear and swell with and without their atoms, atoms are wrapped."""
    rng = np.random.default_rng(seed)
    n, n_atoms = 3, 4 + 9 * seed
    x, cells = start(seed, n, n_atoms)
    lists = VerletLists(pbc, CUTOFF, 0.6)
    for step in range(50):
        x = x + rng.normal(scale=0.03, size=x.shape)
        if step % 7 == 3:
            deformation = np.eye(3) + rng.normal(scale=0.01, size=(3, 3))
            x, cells = x @ deformation, cells @ deformation
        if step % 11 == 5:
            cells = cells + rng.normal(scale=0.01, size=cells.shape)
        if step % 9 == 4:
            x = x + (rng.integers(-3, 4, x.shape) * np.array(pbc)) @ cells
        if step % 13 == 4:
            order = rng.permutation(n)
            x, cells = x[order], cells[order]
        assert_complete(lists, x, cells)
    assert lists.n_built < 0.4 * 50 * n


def test_the_criterion_is_not_generous() -> None:
    """Two atoms approach each other from just outside: the list is made again before they see each other, and not long before."""
    lists = VerletLists(False, CUTOFF, 0.5)
    for gap in np.arange(CUTOFF + 0.5 + 1e-9, CUTOFF - 0.1, -0.01):
        x = np.array([[[0.0, 0.0, 0.0], [gap, 0.0, 0.0]]])
        assert_complete(lists, x, np.zeros((1, 3, 3)))
        if gap > CUTOFF + 0.01:
            assert lists.n_built == 1
    assert lists.n_built == 2


@pytest.mark.parametrize("direction", range(3))
def test_a_cell_that_shrinks_without_moving_atoms_brings_images_near(direction: int) -> None:
    cells = np.diag([9.0, 9.0, 9.0])[None]
    x = np.array([[[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]]])
    x[0, 1, direction] = 4.5
    lists = VerletLists(True, CUTOFF, 0.5)
    for length in np.arange(9.0, 8.0, -0.03):
        cells = cells.copy()
        cells[0, direction, direction] = length
        assert_complete(lists, x, cells)


def test_a_list_lasts_while_atoms_move_less_than_half_the_skin() -> None:
    x, cells = start(2)
    lists = VerletLists(True, CUTOFF, 0.5)
    first = lists.pairs(x, cells)
    noise = np.random.default_rng(0).normal(size=x.shape)
    noise *= 0.249 / np.linalg.norm(noise, axis=-1, keepdims=True)
    assert lists.pairs(x + noise, cells) is first
    lists.pairs(x + 1.01 * noise, cells)
    assert lists.n_built == 2


def test_a_barostat_that_scales_everything_costs_no_list() -> None:
    """Swelling by 3 % is 0.1 Å at the cutoff, though atoms far from the origin move by an ångström."""
    x, cells = start(3)
    x += 40.0
    lists = VerletLists(True, CUTOFF, 0.5)
    lists.pairs(x, cells)
    for scale in (1.03, 0.95, 1.0, 0.97):
        assert_complete(lists, scale * x, scale * cells)
    assert lists.n_built == 1
    assert_complete(lists, 0.85 * x, 0.85 * cells)
    assert lists.n_built == 2


def test_wrapping_atoms_costs_no_list() -> None:
    x, cells = start(4)
    lists = VerletLists(True, CUTOFF, 0.5)
    lists.pairs(x, cells)
    whole = np.random.default_rng(0).integers(-5, 6, x.shape)
    assert_complete(lists, x + whole @ CELL, cells)
    assert_complete(lists, x, cells)
    assert lists.n_built == 1


def test_structures_may_come_in_any_order_and_number() -> None:
    x, cells = start(5, n=6)
    lists = VerletLists(True, CUTOFF, 0.5)
    lists.pairs(x, cells)
    rng = np.random.default_rng(0)
    for size in (6, 2, 5, 1, 0, 6):
        some = rng.permutation(6)[:size]
        assert_complete(lists, x[some] + rng.normal(scale=0.01, size=(size, 12, 3)), cells[some])
    assert lists.n_built == 6


def test_without_skin_every_list_is_new() -> None:
    x, cells = start(6)
    lists = VerletLists(True, CUTOFF, 0.0)
    for _ in range(3):
        assert_complete(lists, x, cells)
    assert lists.n_built == 3


def test_spare_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = VerletLists(True, CUTOFF, 0.5)
    n_more = SPARE_LISTS + 24
    for seed in range(n_more):
        lists.pairs(*start(seed))
    assert len(lists._spare) == SPARE_LISTS
    monkeypatch.setattr("nequip_openmm.data.verlet.SPARE_PAIRS", 1500)
    lists.pairs(*start(n_more))
    assert 0 < sum(len(item.pairs.second) for item in lists._spare) <= 1500


def test_one_atom_sees_its_images_however_far_it_moves() -> None:
    lists = VerletLists(True, CUTOFF, 0.5)
    for move in (0.0, 0.4, 3.0, 1e6):
        assert_complete(lists, np.full((1, 1, 3), move), np.eye(3)[None] * 2.3)
    assert lists.n_built == 1


def test_no_structures_and_no_pairs() -> None:
    lists = VerletLists(False, CUTOFF)
    none = lists.pairs(np.zeros((0, 5, 3)), np.zeros((0, 3, 3)))
    assert none.first.tolist() == [0]
    far = lists.pairs(100.0 * np.arange(6.0).reshape(1, 2, 3), np.zeros((1, 3, 3)))
    assert far.first.tolist() == [0, 0, 0]
    assert far.shifts.shape == (0, 3)
    assert lists.nearest.tolist() == [np.inf]


def test_cutting_undoes_joining() -> None:
    parts = []
    for seed, n_atoms in ((0, 3), (1, 7), (2, 1)):
        x, cells = start(seed, n_atoms=n_atoms)
        parts.append(VerletLists(True, CUTOFF).pairs(x, cells))
    joined = concatenate(parts)
    for part, (begin, end) in zip(parts, [(0, 3), (3, 10), (10, 11)]):
        for a, b in zip(joined.of_atoms(begin, end), part):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == np.int32


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda x, c: x.__setitem__((1, 3, 0), np.nan), "structure 1: position of atom 3 is not"),
        (lambda x, c: x.__setitem__((1, 3, 0), np.inf), "structure 1: position of atom 3 is not"),
        (lambda x, c: x.__setitem__((0, 2, 1), 1e9), r"structure 0: atom 2 lies more than 1e\+07"),
        (lambda x, c: c.__setitem__((1, 0), c[1, 1]), "structure 1: periodic along .* dependent"),
        (lambda x, c: c.__setitem__((1, 0), np.nan), "structure 1: periodic along"),
        (lambda x, c: c.__setitem__((1,), 0.0), "structure 1: periodic along"),
    ],
)
@pytest.mark.parametrize("warm", [False, True])
def test_nonsense_is_told_with_the_number_of_the_structure(
    spoil: object, says: str, warm: bool
) -> None:
    x, cells = start(7, n=2)
    lists = VerletLists(True, CUTOFF)
    if warm:
        lists.pairs(x, cells)
    bad_x, bad_cells = x.copy(), cells.copy()
    spoil(bad_x, bad_cells)  # type: ignore[operator]
    with np.errstate(all="ignore"), pytest.raises(StructureError, match=says):
        lists.pairs(bad_x, bad_cells)
    assert_complete(lists, x, cells)  # what came before is not spoilt


@pytest.mark.parametrize("skin", [-0.1, np.nan, np.inf])
def test_skins_that_make_no_sense(skin: float) -> None:
    with pytest.raises(StructureError, match="skin must be"):
        VerletLists(True, CUTOFF, skin)
