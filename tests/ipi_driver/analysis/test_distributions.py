"""Which frames distances are taken from, and what is a molecule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipi_driver.analysis.distributions import pair_distributions
from ipi_driver.analysis.run import open_runs


def test_centroids_are_means_of_the_beads(harmonic) -> None:
    folder = harmonic(4)
    (run,) = open_runs(folder)
    printed = pair_distributions(run, max_frames=50)
    (folder / "simulation.xc.xyz").rename(folder / "kept")
    try:
        (run,) = open_runs(folder)
        averaged = pair_distributions(run, max_frames=50)
    finally:
        (folder / "kept").rename(folder / "simulation.xc.xyz")
    assert run.centroid is None
    assert printed.n_frames == averaged.n_frames == 50
    for pair, curve in printed.centroid.items():
        # a distance may fall into the next bin, where positions are rounded to six digits
        assert np.abs(np.cumsum(curve - averaged.centroid[pair])).max() * printed.r[0] * 2 < 0.03


def test_beads_spread_more_than_centroids(harmonic) -> None:
    (run,) = open_runs(harmonic(8))
    found = pair_distributions(run)
    for pair in found.beads:
        mean = [(curves[pair] * found.r**2).sum() / curves[pair].sum() for curves in (found.beads, found.centroid)]  # fmt: skip
        assert mean[0] > 1.15 * mean[1]


def test_a_molecule_in_a_large_box_has_no_images(by_hand: Path) -> None:
    (run,) = open_runs(by_hand)
    found = pair_distributions(run)
    assert not found.is_periodic
    assert found.n_frames == 8  # of 10, the first fifth is left out
    peak = found.r[found.beads["O", "O"].argmax()]
    assert peak == pytest.approx(3.0, abs=0.02)


def test_atoms_that_fill_the_cell_are_periodic(by_hand: Path) -> None:
    for path in by_hand.glob("*.xyz"):
        path.write_text(path.read_text().replace("30.00000", " 5.00000"))
    (run,) = open_runs(by_hand)
    found = pair_distributions(run)
    assert found.is_periodic
    assert found.r[-1] < 2.5
    # O at 0 and 3 in a cell of 5: the nearest image is 2 away
    assert found.r[found.beads["O", "O"].argmax()] == pytest.approx(2.0, abs=0.02)


def test_trajectories_of_unequal_length_use_common_steps(by_hand: Path) -> None:
    path = by_hand / "simulation.xc.xyz"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:30]))  # five frames
    (run,) = open_runs(by_hand, skip=0.0)
    assert pair_distributions(run).n_frames == 5
