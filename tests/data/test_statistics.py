"""Statistics recover numbers that were put in, and say when they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame
from nequip_openmm.data.statistics import compute_statistics, sample_frames
from nequip_openmm.errors import DataError

SHIFTS = {"H": -13.0, "C": -1030.0, "O": -2041.0}
SYMBOLS = {"H": 1, "C": 6, "O": 8}


def frame(formula: str, energy: float | None = None, spread: float = 1.0, seed: int = 0) -> Frame:
    """A cluster with forces; its energy is the sum of shifts unless given."""
    rng = np.random.default_rng(seed)
    n = len(formula)
    total = sum(SHIFTS[symbol] for symbol in formula) if energy is None else energy
    return Frame.create(
        [SYMBOLS[symbol] for symbol in formula],
        spread * rng.uniform(size=(n, 3)),
        energy=total,
        forces=rng.normal(size=(n, 3)) if n > 1 else np.zeros((1, 3)),
    )


def test_least_squares_recovers_shifts_that_compositions_determine() -> None:
    dataset = Dataset.from_frames([frame(f) for f in ("HH", "HHO", "CHHHH", "COO", "CCHO")])
    statistics = compute_statistics(dataset, ("H", "C", "O"), 5.0)
    assert statistics.energy_shifts == pytest.approx(SHIFTS, abs=1e-8)
    assert statistics.warnings == []


def test_undetermined_shifts_warn_and_still_sum_to_the_energy() -> None:
    dataset = Dataset.from_frames([frame("CHHHH", seed=s) for s in range(4)])
    statistics = compute_statistics(dataset, ("H", "C"), 5.0)
    (warning,) = statistics.warnings
    assert "determine 1 of 2 energy shifts (H, C)" in warning
    assert "isolated" in warning
    shifts = statistics.energy_shifts
    assert shifts["C"] + 4 * shifts["H"] == pytest.approx(SHIFTS["C"] + 4 * SHIFTS["H"], abs=1e-8)
    mean = (SHIFTS["C"] + 4 * SHIFTS["H"]) / 5
    assert shifts == pytest.approx({"H": mean, "C": mean})  # the smallest deviation from the mean


def test_isolated_atoms_given_or_found_come_first() -> None:
    molecules = [frame("CHHHH", energy=-1100.0, seed=s) for s in range(3)]
    given = compute_statistics(
        Dataset.from_frames(molecules), ("H", "C"), 5.0, {"H": -13.5, "C": -1031.0}
    )
    assert given.energy_shifts == {"H": -13.5, "C": -1031.0}
    atoms = [frame("H"), frame("C")]
    found = compute_statistics(Dataset.from_frames([*molecules, *atoms]), ("H", "C"), 5.0)
    assert found.energy_shifts == {"H": -13.0, "C": -1030.0}
    assert found.warnings == given.warnings == []
    both = compute_statistics(
        Dataset.from_frames([*molecules, *atoms]), ("H", "C"), 5.0, {"H": -14.0}
    )
    assert both.energy_shifts == {"H": -14.0, "C": -1030.0}


def test_some_isolated_atoms_leave_the_rest_to_the_fit() -> None:
    dataset = Dataset.from_frames([frame("CHHHH", seed=1), frame("H")])
    statistics = compute_statistics(dataset, ("H", "C"), 5.0)
    assert statistics.energy_shifts == pytest.approx({"H": -13.0, "C": -1030.0})
    assert "no isolated-atom energy for C" in statistics.warnings[0]


def test_isolated_atoms_that_disagree() -> None:
    dataset = Dataset.from_frames([frame("HH"), frame("H", -13.0), frame("H", -12.0)])
    statistics = compute_statistics(dataset, ("H",), 5.0)
    assert statistics.energy_shifts == {"H": -13.0}
    assert "isolated H has several energies" in statistics.warnings[0]


def test_an_atom_that_repeats_is_no_isolated_atom() -> None:
    crystal = Frame.create(
        [6], np.zeros((1, 3)), 2.5 * np.eye(3), True, energy=-8.0, forces=np.zeros((1, 3))
    )
    statistics = compute_statistics(Dataset.from_frames([crystal]), ("C",), 5.0)
    assert statistics.energy_shifts == {"C": -8.0}
    assert statistics.avg_num_neighbors > 10
    assert statistics.forces_rms == 1.0
    assert "no forces other than zero" in statistics.warnings[0]


def test_elements_that_no_frame_holds() -> None:
    statistics = compute_statistics(Dataset.from_frames([frame("HH")]), ("H", "O"), 5.0)
    assert statistics.energy_shifts["O"] == 0.0
    assert "no frame holds O" in statistics.warnings[0]


def test_forces_rms_is_over_components() -> None:
    frames = [frame("HHO", seed=1), frame("CHHHH", seed=2)]
    every = np.concatenate([f.forces for f in frames if f.forces is not None])
    statistics = compute_statistics(Dataset.from_frames(frames), ("H", "C", "O"), 5.0)
    assert statistics.forces_rms == pytest.approx(np.sqrt(np.mean(every**2)), rel=1e-14)


def test_average_number_of_neighbours_is_over_atoms() -> None:
    chain = Frame.create(
        [1] * 4, [[float(i), 0, 0] for i in range(4)], energy=0.0, forces=np.ones((4, 3))
    )
    pair = Frame.create([1] * 2, [[0.0, 0, 0], [1.0, 0, 0]], energy=0.0, forces=np.ones((2, 3)))
    lone = Frame.create([1], np.zeros((1, 3)), energy=0.0)
    statistics = compute_statistics(Dataset.from_frames([chain, pair, lone]), ("H",), 1.5)
    assert statistics.avg_num_neighbors == pytest.approx((1 + 2 + 2 + 1 + 1 + 1) / 6)


def test_sampling_is_seeded_and_does_not_repeat() -> None:
    first, again = sample_frames(1000, 50, seed=3), sample_frames(1000, 50, seed=3)
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == 50
    np.testing.assert_array_equal(sample_frames(5, 50), range(5))


def test_what_cannot_be_used() -> None:
    good = Dataset.from_frames([frame("HHO")])
    with pytest.raises(DataError, match="holds O, not among species H"):
        compute_statistics(good, ("H",), 5.0)
    with pytest.raises(DataError, match="species Hx are no chemical symbols"):
        compute_statistics(good, ("H", "O", "Hx"), 5.0)
    with pytest.raises(DataError, match=r"no atom has a neighbour within 0.01 Å"):
        compute_statistics(good, ("H", "O"), 0.01)
    bad = Dataset.from_frames([frame("HHO"), frame("HHO", energy=float("nan"))])
    with pytest.raises(DataError, match="energy not finite in frame 1"):
        compute_statistics(bad, ("H", "O"), 5.0)
    with pytest.raises(DataError, match="energy of isolated H is not finite"):
        compute_statistics(good, ("H", "O"), 5.0, {"H": float("inf")})
    dense = Frame.create(
        [1], np.zeros((1, 3)), 0.3 * np.eye(3), True, energy=0.0, forces=np.zeros((1, 3))
    )
    with pytest.raises(DataError, match="choose a smaller cutoff, or say in which unit"):
        compute_statistics(Dataset.from_frames([dense]), ("H",), 5.0)
    flat = Frame.create([1, 1], np.eye(3)[:2], pbc=True, energy=0.0, forces=np.zeros((2, 3)))
    with pytest.raises(DataError, match="frame 0: periodic along a, b, c"):
        compute_statistics(Dataset.from_frames([flat]), ("H",), 5.0)
