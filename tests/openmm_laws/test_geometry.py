"""Through every Context: forces are the slope of the energy, and only the structure matters, not how it is written down."""

from __future__ import annotations

from collections.abc import Callable

import ase
import numpy as np
import pytest
import torch

from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.forces.cases import (
    STRUCTURES,
    Case,
    energy_and_forces,
    tiny_cell,
    triclinic,
    water_box,
)
from tests.openmm_laws.cases import ON_REFERENCE, WAYS, Way, strong_potential


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["methanol", "triclinic", "tiny"])
def test_forces_are_minus_the_slope_of_the_energy(name: str, way: Way) -> None:
    """Along three random directions of all coordinates; central differences, whose error falls with the square of the step."""
    case = STRUCTURES[name]()
    context = way.context(way.system(strong_potential(), case))
    context.setPositions(case.positions)
    forces = energy_and_forces(context)[1]
    rng = np.random.default_rng(5)
    for _ in range(3):
        direction = rng.normal(size=forces.shape)
        direction /= np.linalg.norm(direction)
        energies = []
        for step in (2e-5, -2e-5):  # nm
            context.setPositions(case.positions + step * direction)
            energies.append(energy_and_forces(context)[0])
        slope = (energies[0] - energies[1]) / 4e-5
        assert slope == pytest.approx(
            -np.vdot(forces, direction), abs=3e-7 * np.linalg.norm(forces)
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [water_box, triclinic, tiny_cell])
def test_which_images_of_the_atoms_are_given_does_not_matter(
    make: Callable[[], Case], way: Way
) -> None:
    assert_images_do_not_matter(make(), strong_potential(), way)


@pytest.mark.parametrize("way", ON_REFERENCE)
def test_nor_does_it_with_the_reference_engine(way: Way) -> None:
    assert_images_do_not_matter(triclinic(), strong_potential("reference"), way)


def assert_images_do_not_matter(case: Case, potential: Potential, way: Way) -> None:
    """All atoms moved together, every atom by lattice vectors of its own (molecules torn apart), and wrapped one by one."""
    cell = case.atoms.cell.array
    context = way.context(way.system(potential, case))
    context.setPositions(case.positions)
    energy, forces = energy_and_forces(context)
    rng = np.random.default_rng(7)
    wrapped = case.atoms.copy()
    wrapped.wrap()
    written_otherwise = {
        "together by a lattice vector": case.atoms.positions + cell[0] - 2.0 * cell[2],
        "together by any vector": case.atoms.positions + np.array([3.1, -7.7, 12.3]),
        "one by one": case.atoms.positions + rng.integers(-3, 4, (len(case.atoms), 3)) @ cell,
        "wrapped": wrapped.positions,
    }
    for how, positions in written_otherwise.items():
        context.setPositions(positions * 0.1)
        found = energy_and_forces(context)
        assert found[0] == pytest.approx(energy, rel=1e-13), how
        np.testing.assert_allclose(found[1], forces, atol=1e-9 * np.abs(forces).max(), err_msg=how)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("make", "repeats"), [(triclinic, (2, 1, 1)), (triclinic, (1, 2, 2)), (tiny_cell, (4, 3, 4))]
)
def test_a_cell_repeated_is_so_many_times_the_cell(
    make: Callable[[], Case], repeats: tuple[int, int, int], way: Way
) -> None:
    """A strongly tilted cell, and one with heights of half the cutoff in which atoms meet many images of themselves."""
    case = make()
    n = int(np.prod(repeats))
    larger = Case(_reduced(case.atoms.repeat(repeats)))
    energy, forces = way.evaluate(strong_potential(), case)
    found = way.evaluate(strong_potential(), larger)
    assert found[0] == pytest.approx(n * energy, rel=1e-12)
    np.testing.assert_allclose(found[1], np.tile(forces, (n, 1)), atol=1e-9 * np.abs(forces).max())


def _reduced(atoms: ase.Atoms) -> ase.Atoms:
    """Return the same crystal with lattice vectors as OpenMM wants them: off-diagonal at most half the diagonal."""
    a, b, c = atoms.cell.array.copy()
    c = c - b * round(c[1] / b[1])
    c = c - a * round(c[0] / a[0])
    b = b - a * round(b[0] / a[0])
    reduced = atoms.copy()
    reduced.set_cell([a, b, c])
    return reduced


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_way_gives_what_the_potential_gives(dtype: torch.dtype, way: Way) -> None:
    case, potential = triclinic(), strong_potential(dtype=dtype)
    expected = potential.evaluate(case.atoms)
    energy, forces = way.evaluate(potential, case)
    assert energy / EV_TO_KJ_PER_MOL == pytest.approx(expected.energy, rel=1e-11)
    np.testing.assert_allclose(
        forces / (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM),
        expected.forces,
        atol=1e-6 if dtype == torch.float32 else 1e-10,
    )
