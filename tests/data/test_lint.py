"""Every fault that is put into a sound data set is found, and a sound one is left in peace."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame, read_dataset
from nequip_openmm.data.lint import check_dataset
from nequip_openmm.data.lint_units import thomas_fermi_energy
from nequip_openmm.data.similar import close_pairs, same_structures
from nequip_openmm.units import (
    BOHR_TO_ANGSTROM,
    HARTREE_TO_EV,
    KCAL_PER_MOL_TO_EV,
    NM_TO_ANGSTROM,
)

CUTOFF = 3.5
PUSH = np.array([0.0, 0.2, 0.0])
HARTREE_PER_BOHR = HARTREE_TO_EV / BOHR_TO_ANGSTROM


def changed(dataset: Dataset, name: str, index: object, value: object) -> Dataset:
    array = getattr(dataset, name).copy()
    array[index] = value
    return replace(dataset, **{name: array})


def scaled(
    dataset: Dataset, energy: float = 1.0, force: float = 1.0, length: float = 1.0
) -> Dataset:
    """The data set as it reads if a file's units are taken for eV and Å."""
    return replace(
        dataset,
        energies=dataset.energies / energy,
        forces=dataset.forces / force,
        positions=dataset.positions / length,
        cells=dataset.cells / length,
    )


def codes(dataset: Dataset) -> set[str]:
    report = check_dataset(dataset, CUTOFF)
    assert all("\n" not in f.message for f in report.findings)
    return {finding.code for finding in report.findings if finding.severity != "note"}


def test_a_sound_data_set_has_no_findings(copper: Dataset) -> None:
    report = check_dataset(copper, CUTOFF)
    assert report.errors == report.warnings == ()
    assert {finding.code for finding in report.findings} == {"small-cell"}


@pytest.mark.parametrize(
    ("name", "code"),
    [("energies", "energy"), ("forces", "forces"), ("positions", "positions"), ("cells", "cell")],
)
def test_values_that_are_not_finite(copper: Dataset, name: str, code: str) -> None:
    index = 5 if name in ("energies", "cells") else 5 * 16 + 3
    report = check_dataset(changed(copper, name, index, np.nan), CUTOFF)
    assert report[f"nonfinite-{code}"].frames == (5,)
    assert {f.code for f in report.errors} == {f"nonfinite-{code}"}


def test_missing_labels(copper: Dataset) -> None:
    some = changed(copper, "with_forces", [3, 8], False)
    assert check_dataset(some, CUTOFF)["partial-forces"].frames == (3, 8)
    none = changed(copper, "with_energy", slice(None), False)
    assert check_dataset(none, CUTOFF)["no-energy"].severity == "error"


def test_duplicates_and_conflicts(copper: Dataset) -> None:
    order = [*range(40), 7, 7, 12]
    repeated = copper.subset(order)
    report = check_dataset(repeated, CUTOFF)
    assert report["duplicates"].frames == (40, 41, 42)
    assert "conflicting-labels" not in report
    report = check_dataset(changed(repeated, "energies", 42, 1.0), CUTOFF)
    assert report["conflicting-labels"].frames == (12, 42)
    near = repeated.positions.copy()
    near[40 * 16 :] += np.random.default_rng(0).uniform(-3e-4, 3e-4, size=(48, 3))
    report = check_dataset(replace(repeated, positions=near), CUTOFF)
    assert report["near-duplicates"].frames == (40, 41, 42)
    assert "duplicates" not in report


def test_duplicates_are_those_of_comparing_all_pairs(copper: Dataset) -> None:
    rng = np.random.default_rng(5)
    dataset = copper.subset(rng.integers(0, 12, size=60))
    positions = dataset.positions + rng.uniform(-1, 1, size=dataset.positions.shape) * 2e-3
    dataset = replace(dataset, positions=positions)
    tolerance = 3e-3
    rows = positions.reshape(60, 16, 3)
    rows = (rows - rows.mean(axis=1, keepdims=True)).reshape(60, -1)
    apart = np.abs(rows[:, None] - rows[None]).max(axis=2)
    expected = np.argwhere(np.triu(apart <= tolerance, 1))
    assert 0 < len(expected) < 1000
    found, largest = same_structures(dataset, tolerance)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(largest, apart[tuple(expected.T)], atol=1e-14)


def test_overlapping_atoms(copper: Dataset) -> None:
    touching = changed(copper, "positions", 4 * 16 + 1, copper[4].positions[0] + [0.0, 0.0, 0.2])
    finding = check_dataset(touching, CUTOFF)["atoms-touch"]
    assert finding.severity == "error"
    assert finding.frames == (4,)
    assert "atoms 0 (Cu) and 1 (Cu) of frame 4 are 0.200 Å apart" in finding.message
    close = changed(copper, "positions", 4 * 16 + 1, copper[4].positions[0] + [0.0, 0.0, 1.1])
    assert check_dataset(close, CUTOFF)["atoms-overlap"].severity == "warning"


def test_bonds_to_hydrogen_do_not_overlap() -> None:
    water = Frame.create([8, 1, 1], [[0, 0, 0.0], [0.76, 0.59, 0], [-0.76, 0.59, 0]], energy=1.0)
    assert not codes(Dataset.from_frames([water])) & {"atoms-touch", "atoms-overlap"}


def test_net_force(copper: Dataset) -> None:
    pushed = changed(copper, "forces", slice(16, 32), copper[1].forces + PUSH)
    finding = check_dataset(pushed, CUTOFF)["net-force"]
    assert finding.frames == (1,)
    assert "0.2 eV/Å per atom" in finding.message


def test_forces_that_are_all_zero(copper: Dataset) -> None:
    assert "zero-forces" in codes(replace(copper, forces=np.zeros_like(copper.forces)))


def test_energy_outliers_and_constant_energies(copper: Dataset) -> None:
    finding = check_dataset(changed(copper, "energies", 9, copper.energies[9] + 25.0), CUTOFF)[
        "energy-outliers"
    ]
    assert finding.frames == (9,)
    assert "frame 9" in finding.message
    assert "constant-energy" in codes(replace(copper, energies=np.full(40, 3.0)))


def test_cells(copper: Dataset) -> None:
    report = check_dataset(changed(copper, "cells", 2, 0.0), CUTOFF)
    assert report["zero-cell"].frames == (2,)
    assert {f.code for f in report.errors} == {"zero-cell"}
    far = changed(copper, "positions", 3 * 16, 1e9)
    assert check_dataset(far, CUTOFF)["no-neighbour-list"].frames == (3,)


def test_atoms_without_neighbours() -> None:
    pair = Frame.create(
        [1, 1, 1], [[0.0, 0, 0], [0.74, 0, 0], [9.0, 0, 0]], energy=1.0, forces=np.zeros((3, 3))
    )
    lone = Frame.create([1], [[0.0, 0, 0]], energy=1.0, forces=np.zeros((1, 3)))
    finding = check_dataset(Dataset.from_frames([lone, pair]), CUTOFF)["no-neighbours"]
    assert finding.frames == (1,)
    assert finding.message.startswith("1 atoms have no neighbour within 3.5 Å")


def test_stress(copper: Dataset) -> None:
    stresses = np.tile(0.01 * np.eye(3), (40, 1, 1))
    stresses[7, 0, 1] = 0.02
    with_stress = np.arange(40) != 4
    report = check_dataset(replace(copper, stresses=stresses, with_stress=with_stress), CUTOFF)
    assert report["stress-asymmetric"].frames == (7,)
    assert report["partial-stress"].frames == (4,)
    loose = replace(
        copper, stresses=stresses, with_stress=with_stress, pbc=np.zeros((40, 3), dtype=bool)
    )
    assert "stress-without-volume" in check_dataset(loose, CUTOFF)


@pytest.mark.parametrize(
    ("factors", "code", "says"),
    [
        ({"energy": HARTREE_TO_EV}, "units-mixed", "energies look like hartree while forces look like eV/Å"),
        ({"force": HARTREE_PER_BOHR}, "units-mixed", "energies look like eV while forces look like hartree/bohr"),
        ({"force": KCAL_PER_MOL_TO_EV}, "units-mixed", "forces look like kcal/mol/Å"),
        ({"force": 1 / BOHR_TO_ANGSTROM}, "units-mixed", "forces look like energy per bohr"),
        ({"energy": 16.0}, "units-mixed", "energies look like energies per atom"),
        ({"force": -1.0}, "forces-sign", "wrong sign"),
        ({"energy": KCAL_PER_MOL_TO_EV, "force": KCAL_PER_MOL_TO_EV}, "units-forces", "forces look like kcal/mol/Å"),
        ({"length": BOHR_TO_ANGSTROM, "force": 1 / BOHR_TO_ANGSTROM}, "units-positions", "positions look like bohr"),
        ({"length": NM_TO_ANGSTROM, "force": 1 / NM_TO_ANGSTROM}, "units-positions", "positions look like nm"),
    ],
)  # fmt: skip
def test_units_that_look_wrong(
    copper: Dataset, factors: dict[str, float], code: str, says: str
) -> None:
    cutoff = CUTOFF if factors.get("length") != NM_TO_ANGSTROM else 1.5  # thousands of images, else
    report = check_dataset(scaled(copper.subset(range(20)), **factors), cutoff)
    assert says in report[code].message


@pytest.mark.parametrize(
    ("unit", "factor"), [("hartree", HARTREE_TO_EV), ("kcal/mol", KCAL_PER_MOL_TO_EV)]
)
def test_total_energies_give_their_unit_away(copper: Dataset, unit: str, factor: float) -> None:
    total = copper.energies + 16 * thomas_fermi_energy(np.array([29]))[0]
    right = replace(copper, energies=total)
    assert codes(right) == set()
    wrong = scaled(right, energy=factor, force=factor)
    assert f"they look like {unit}" in check_dataset(wrong, CUTOFF)["units-energy"].message


def test_thomas_fermi_energies_against_hartree_fock() -> None:
    """Exact and Hartree-Fock energies of atoms (hartree): H, C, O, Si, Cu."""
    known = np.array([-0.5, -37.689, -74.809, -288.854, -1638.964])
    found = thomas_fermi_energy(np.array([1, 6, 8, 14, 29])) / HARTREE_TO_EV
    np.testing.assert_allclose(found[1:], known[1:], rtol=0.01)
    np.testing.assert_allclose(found[0], known[0], rtol=0.09)


def test_close_pairs_see_through_rotation_and_images() -> None:
    rng = np.random.default_rng(8)
    molecule = rng.normal(size=(5, 3))
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned *= np.linalg.det(turned)
    nudge = 0.01 * rng.normal(size=(5, 3))
    frames = [
        Frame.create([6] * 5, molecule),
        Frame.create([6] * 5, (molecule + nudge) @ turned + 4.0),
    ]
    ((i, j, move, rotation),) = close_pairs(Dataset.from_frames(frames), 10, 0.3)
    assert (i, j) == (0, 1)
    np.testing.assert_allclose(rotation, turned.T, atol=0.05)
    assert np.abs(move).max() < 0.05
    cell = 4.0 * np.eye(3)
    moved = molecule + nudge + rng.integers(-2, 3, size=(5, 3)) @ cell
    images = [Frame.create([6] * 5, molecule, cell, True), Frame.create([6] * 5, moved, cell, True)]
    ((_, _, move, _),) = close_pairs(Dataset.from_frames(images), 10, 0.3)
    np.testing.assert_allclose(move, nudge, atol=1e-12)


def test_frames_are_counted_in_the_whole_data_set(copper: Dataset) -> None:
    broken = changed(copper, "energies", 0, np.nan)
    pushed = changed(broken, "forces", slice(16, 32), copper[1].forces + PUSH)
    assert check_dataset(pushed, CUTOFF)["net-force"].frames == (1,)


def test_the_report_is_plain_json(copper: Dataset) -> None:
    broken = changed(copper, "energies", 0, np.nan)
    document = json.loads(json.dumps(check_dataset(broken, CUTOFF).to_dict(), allow_nan=False))
    assert document["errors"] == 1
    assert document["findings"][0]["code"] == "nonfinite-energy"
    assert document["findings"][0]["frames"] == [0]


@pytest.mark.parametrize("name", ["rmd17_ethanol", "bulk_Mo", "3bpa", "acetylacetone"])
def test_published_data_sets_pass(shared_data: Path, name: str) -> None:
    report = check_dataset(read_dataset(shared_data / name / "train.xyz"), 5.0)
    assert report.errors == report.warnings == ()


def test_known_blemishes_of_published_data_sets(shared_data: Path) -> None:
    ethanol = check_dataset(read_dataset(shared_data / "ccsd_t_ethanol" / "train.xyz"), 5.0)
    assert [f.code for f in ethanol.warnings] == ["duplicates"]
    formate = check_dataset(read_dataset(shared_data / "formate_on_cu" / "train.xyz"), 5.0)
    assert [f.code for f in formate.warnings] == ["net-force"]
    assert formate.errors == ()


def test_the_example_passes(methanol: Path) -> None:
    if not methanol.exists():
        pytest.skip("the example's data set has not been computed")
    report = check_dataset(read_dataset(methanol), 5.0)
    assert report.errors == ()
