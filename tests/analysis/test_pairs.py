"""Pair distributions of systems whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest

from nequip_openmm.analysis.pairs import PairHistogram, element_pairs, largest_radius

TRICLINIC = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [-2.0, 1.5, 11.0]])


def test_pairs_of_elements() -> None:
    assert element_pairs("OHHC") == [("C", "H"), ("C", "O"), ("H", "H"), ("H", "O")]


def test_largest_radius_is_half_the_smallest_height() -> None:
    assert largest_radius([np.diag([8.0, 10.0, 12.0])]) == pytest.approx(4.0)
    volume = np.linalg.det(TRICLINIC)
    areas = [np.linalg.norm(np.cross(TRICLINIC[k - 2], TRICLINIC[k - 1])) for k in range(3)]
    assert largest_radius([TRICLINIC, 9 * TRICLINIC]) == pytest.approx(0.5 * volume / max(areas))


@pytest.mark.parametrize("cell", [np.diag([10.0, 10.0, 10.0]), TRICLINIC])
def test_atoms_without_order_have_g_of_one(cell: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    symbols = ["A"] * 40 + ["B"] * 60
    histogram = PairHistogram(symbols, np.linspace(0.0, largest_radius([cell]), 9), True)
    for _ in range(100):
        # positions may lie anywhere, not only in the cell
        histogram.add(rng.uniform(-1.0, 2.0, size=(100, 3)) @ cell, cell)
    for pair, curve in histogram.distributions().items():
        n = {("A", "A"): 780, ("A", "B"): 2400, ("B", "B"): 1770}[pair]
        shells = 4 / 3 * np.pi * np.diff(histogram.edges**3) / np.linalg.det(cell)
        noise = 1.0 / np.sqrt(100 * n * shells)
        assert (np.abs(curve - 1.0) < 4.5 * noise).all()


def test_a_crystal_has_its_coordination_numbers() -> None:
    n, a = 5, 2.0
    grid = a * np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3).astype(float)
    cell = np.diag([n * a] * 3)
    edges = np.array([0.0, 1.25, 2.5, 3.75, 5.0])  # shells at 2; 2.83, 3.46; 4, 4.47, 4.9
    histogram = PairHistogram(["X"] * n**3, edges, True)
    histogram.add(grid, cell)
    (curve,) = histogram.distributions().values()
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    np.testing.assert_allclose(
        curve * shells * (n**3 - 1) / (n * a) ** 3, [0, 6, 12 + 8, 6 + 24 + 24]
    )


def test_cells_that_change_count_with_their_own_volume() -> None:
    rng = np.random.default_rng(2)
    histogram = PairHistogram(["A"] * 60, np.linspace(0.0, 4.0, 5), True)
    for length in (8.0, 16.0) * 150:
        histogram.add(rng.uniform(size=(60, 3)) * length, length * np.eye(3))
    (curve,) = histogram.distributions().values()
    np.testing.assert_allclose(curve, 1.0, atol=0.08)


def test_distances_in_a_molecule_have_the_integral_one_and_no_images() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1], [0.0, 0.0, 9.6]])
    histogram = PairHistogram(["O", "H", "H"], np.linspace(0.0, 10.0, 101), False)
    histogram.add(positions, 10.0 * np.eye(3))
    curves = histogram.distributions()
    for curve in curves.values():
        assert (curve * 0.1).sum() == pytest.approx(1.0)
    assert histogram.centres[curves["H", "O"].nonzero()[0]] == pytest.approx([1.15, 9.65], abs=0.11)
