"""Averages against exact results for finite numbers of beads."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from ipi import read_output
from ipi.utils.units import Constants, Elements, unit_to_internal

from ipi_driver.analysis.averages import disagreement, free_gyration, summarise
from ipi_driver.analysis.run import open_runs
from nequip_openmm.errors import DataError
from nequip_openmm.units import HARTREE_TO_EV

from .conftest import SYMBOLS

SPRING = 0.36  # hartree/bohr²


def finite_p(element: str, beads: int, temperature: float = 300.0) -> float:
    """Kinetic energy of an atom in the trap, 3 (1/2β) Σ_k ω²/(ω_k² + ω²), ω_k = 2 (P/β) sin(π k/P), eV."""
    beta = 1.0 / (Constants.kb * unit_to_internal("temperature", "kelvin", temperature))
    square = SPRING / Elements.mass(element)
    modes = 2.0 * beads / beta * np.sin(np.pi * np.arange(beads) / beads)
    return float(3.0 / (2.0 * beta) * (square / (modes**2 + square)).sum() * HARTREE_TO_EV)


@pytest.mark.parametrize("beads", [4, 8])
def test_quantum_kinetic_energies_of_harmonic_atoms(harmonic, beads: int) -> None:
    (run,) = open_runs(harmonic(beads))
    summary = summarise(run)
    assert {one.name: one.n_atoms for one in summary.elements} == {"H": 2, "O": 2}
    for one in summary.elements:
        exact = finite_p(one.name, beads)
        for mean in (one.kinetic_cv, one.kinetic_td):
            if mean is not None:
                assert abs(mean.value - exact) < 5.0 * mean.error
                assert mean.value == pytest.approx(exact, rel=0.06)
        assert one.kinetic_cv.value > 1.3 * summary.classical
    assert disagreement(summary.total) < 4.0


def test_means_are_those_of_what_was_printed(harmonic) -> None:
    folder = harmonic(4)
    columns, _ = read_output(folder / "simulation.out")
    (run,) = open_runs(folder, skip=0.3)
    summary = summarise(run)
    kept = columns["step"] >= 0.3 * 3000 - 1
    assert summary.samples == kept.sum()
    assert summary.total.kinetic_cv.value == pytest.approx(columns["kinetic_cv"][kept].mean() / len(SYMBOLS), rel=1e-12)  # fmt: skip
    hydrogen, _ = summary.elements
    assert hydrogen.kinetic_td.value == pytest.approx(columns["kinetic_td(H)"][kept].mean() / 2, rel=1e-12)  # fmt: skip
    assert hydrogen.r_gyration.value == pytest.approx(columns["r_gyration(H)"][kept].mean(), rel=1e-12)  # fmt: skip
    assert summary.duration == pytest.approx(0.7 * 3000 * 0.25e-3)
    assert abs(summary.drift.mev_per_atom_per_ps) < 2.0


def test_one_bead_is_classical(harmonic) -> None:
    (run,) = open_runs(harmonic(1))
    summary = summarise(run)
    assert summary.classical == pytest.approx(0.0387780, rel=1e-5)  # 3/2 k_B 300 K
    for one in (*summary.elements, summary.total):
        assert one.kinetic_cv.value == pytest.approx(summary.classical, rel=1e-5)
    assert summary.elements[0].r_gyration.value == 0.0


def test_free_ring_polymers_have_the_size_of_sampled_ones() -> None:
    beads, mass, temperature = 6, Elements.mass("H"), 100.0
    beta = 1.0 / (Constants.kb * unit_to_internal("temperature", "kelvin", temperature))
    # springs m (P/βħ)²/2 (q_{j+1} - q_j)² at the temperature P T: precision matrix of one direction
    laplacian = 2 * np.eye(beads) - np.roll(np.eye(beads), 1, axis=0) - np.roll(np.eye(beads), -1, axis=0)  # fmt: skip
    covariance = np.linalg.pinv(laplacian * mass * beads / beta)
    bohr = math.sqrt(3.0 * np.trace(covariance) / beads)
    amu = mass / unit_to_internal("mass", "dalton", 1.0)
    angstrom = bohr / unit_to_internal("length", "angstrom", 1.0)
    assert free_gyration(amu, temperature, beads) == pytest.approx(angstrom, rel=1e-6)
    assert free_gyration(amu, temperature, 1) == 0.0


def test_bound_ring_polymers_are_smaller_than_free_ones(harmonic) -> None:
    (run,) = open_runs(harmonic(8))
    for one in summarise(run).elements:
        assert 0.0 < one.r_gyration.value < one.free_gyration


def test_one_bead_needs_no_estimators(by_hand: Path) -> None:
    (run,) = open_runs(by_hand, skip=0.0)
    summary = summarise(run)
    assert [one.kinetic_cv.value for one in summary.elements] == [summary.classical] * 2
    assert summary.total.kinetic_td.value == summary.classical
    assert summary.means["potential"].value == pytest.approx(-4.5)
    assert summary.drift is None


def test_several_beads_without_estimators_stay_unknown(by_hand: Path) -> None:
    text = (by_hand / "input.xml").read_text()
    (by_hand / "input.xml").write_text(text.replace("nbeads='1'", "nbeads='2'"))
    (run,) = open_runs(by_hand)
    summary = summarise(run)
    assert summary.elements == ()
    assert summary.total.kinetic_cv is None


def test_runs_that_tell_no_atoms_are_refused(by_hand: Path) -> None:
    for path in by_hand.glob("*.xyz"):
        path.write_text("")
    with pytest.raises(DataError, match="no XYZ frames"):
        open_runs(by_hand)
    (by_hand / "simulation.out").unlink()
    with pytest.raises(DataError, match="has i-PI started"):
        open_runs(by_hand)
