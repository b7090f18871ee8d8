"""The summary gives the numbers that one would count by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import ase
import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame
from nequip_openmm.data.scan import scan_geometry
from nequip_openmm.data.summary import summarise


def test_molecules_and_crystals(molecules: list[ase.Atoms], crystals: list[ase.Atoms]) -> None:
    images = [*molecules, *crystals]
    summary = summarise(Dataset.from_frames([Frame.from_ase(a) for a in images]), 4.0)
    assert summary.frames == 18
    assert summary.compositions == {"C2H6O": 4, "H2O": 4, "N2": 4, "Cu2": 2, "Cu4": 2, "Cu6": 2}
    assert summary.elements == {"H": 32, "C": 8, "N": 8, "O": 8, "Cu": 24}
    assert summary.periodicity == {"none": 12, "abc": 6}
    assert (summary.with_energy, summary.with_forces, summary.with_stress) == (18, 18, 6)
    forces = np.concatenate([a.get_forces() for a in images])
    assert summary.force_rms == pytest.approx(np.sqrt(np.mean(forces**2)))
    assert summary.force_norm is not None
    assert summary.force_norm.max == pytest.approx(np.linalg.norm(forces, axis=1).max())
    per_atom = [a.get_potential_energy() / len(a) for a in images]
    assert summary.energy_per_atom is not None
    assert summary.energy_per_atom.min == pytest.approx(min(per_atom))
    assert summary.cell_volume is not None
    assert summary.cell_volume.max == pytest.approx(max(a.get_volume() for a in crystals))
    json.dumps(summary.to_dict(), allow_nan=False)


def test_a_data_set_without_anything_to_measure() -> None:
    summary = summarise(Dataset.from_frames([Frame.create([1], [[0.0, 0, 0]])]), 4.0)
    assert summary.energy_per_atom is summary.force_rms is summary.force_norm is None
    assert summary.shortest_distance is summary.cell_volume is None
    json.dumps(summary.to_dict(), allow_nan=False)


def test_what_is_not_finite_is_passed_over(copper: Dataset) -> None:
    cells, energies = copper.cells.copy(), copper.energies.copy()
    cells[3], energies[4] = np.nan, np.inf
    summary = summarise(replace(copper, cells=cells, energies=energies), 3.0)
    assert summary.frames_scanned == 39
    assert summary.energy_per_atom is not None
    json.dumps(summary.to_dict(), allow_nan=False)


def test_neighbours_are_counted_in_a_sample_of_many_frames(copper: Dataset) -> None:
    every = scan_geometry(copper, 3.0)
    assert len(every.frames) == 40
    assert not every.sampled
    some = scan_geometry(copper, 3.0, max_frames=10)
    assert len(some.frames) == 10
    assert some.sampled
    assert every.counts.mean() == pytest.approx(12.0, abs=0.5)
