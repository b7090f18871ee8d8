"""Potentials as i-PI's engine: numbers, signs, units, images, committees, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import ase
import numpy as np
import pytest

from ipi_driver.atomic_units import cells_from_columns, in_atomic_units, positions_in_angstrom
from ipi_driver.potentials import PotentialEvaluator
from ipi_driver.protocol import Request
from ipi_driver.rounds import answer_requests
from ipi_driver.template import Template
from nequip_openmm import Potential
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import ConfigError, RunFailed, StructureError
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from tests.model import cases


@pytest.fixture(scope="module")
def potential() -> Potential:
    return cases.potential("l1")


@pytest.fixture(scope="module")
def members() -> list[Potential]:
    return [Potential(cases.build(seed=k, l_max=1, parity=False)) for k in range(3)]


def crystal(name: str = "triclinic") -> Template:
    return Template(cases.frame(name))


def beads(template: Template, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (n, N, 3) Å and cells (n, 3, 3) Å that differ from bead to bead."""
    random = np.random.default_rng(3)
    frame = template.frame
    positions = frame.positions + random.normal(scale=0.05, size=(n, len(frame), 3))
    return positions, frame.cell * (1.0 + 0.01 * np.arange(n))[:, None, None]


@pytest.mark.parametrize("name", ["ethanol", "triclinic", "slab"])
def test_a_batch_is_what_the_potential_says_of_every_structure(
    potential: Potential, name: str
) -> None:
    template = crystal(name)
    positions, cells = beads(template)
    found = PotentialEvaluator([potential], template).evaluate(positions, cells)
    for k in range(4):
        frame = replace(template.frame, positions=positions[k], cell=cells[k])
        alone = potential.evaluate(frame)
        assert found.energies[k] == pytest.approx(alone.energy, abs=1e-12)
        np.testing.assert_allclose(found.forces[k], alone.forces, atol=1e-12)
        assert alone.virial is not None
        np.testing.assert_allclose(found.virials[k], alone.virial, atol=1e-12)
    assert list(found.extras) == [""] * 4


def test_atoms_that_have_left_the_cell_change_nothing(potential: Potential) -> None:
    """i-PI sends positions that are not wrapped."""
    template = crystal()
    evaluator = PotentialEvaluator([potential], template)
    positions, cells = beads(template, 1)
    inside = evaluator.evaluate(positions, cells)
    far = positions.copy()
    far[0, 0] += 3 * cells[0, 0] - 2 * cells[0, 2]
    far[0, 2] -= 40 * cells[0, 1]
    outside = evaluator.evaluate(far, cells)
    assert inside.energies == pytest.approx(outside.energies, abs=1e-11)
    np.testing.assert_allclose(inside.forces, outside.forces, atol=1e-10)
    np.testing.assert_allclose(inside.virials, outside.virials, atol=1e-10)


def test_forces_and_virial_on_the_wire_are_the_derivatives_of_the_energy(
    potential: Potential,
) -> None:
    """Central differences in bohr and hartree: F = -dE/dr; W = -dE/dε, so compression makes it positive."""
    template = crystal()
    evaluator = PotentialEvaluator([potential], template)
    r = template.frame.positions / BOHR_TO_ANGSTROM
    h = template.frame.cell.T / BOHR_TO_ANGSTROM  # columns

    def answer(r: np.ndarray, h: np.ndarray):
        return answer_requests(evaluator, [Request(r[None], h[None])])[0][0]

    found, step = answer(r, h), 1e-4
    for i, j in ((0, 0), (1, 2)):
        up, down = r.copy(), r.copy()
        up[i, j], down[i, j] = r[i, j] + step, r[i, j] - step
        slope = (answer(up, h).energies - answer(down, h).energies) / (2 * step)
        assert found.forces[0, i, j] == pytest.approx(-slope[0], abs=1e-7)
    for a in range(3):
        for b in range(a, 3):
            strain = np.zeros((3, 3))
            strain[a, b] = step
            energies = [
                answer(r @ (np.eye(3) + s * strain).T, (np.eye(3) + s * strain) @ h).energies[0]
                for s in (1, -1)
            ]
            slope = (energies[0] - energies[1]) / (2 * step)
            assert found.virials[0, a, b] == pytest.approx(-slope, abs=1e-7)


def test_units_of_the_border() -> None:
    h = np.array([[[2.0, 3.0, 4.0], [0.0, 5.0, 6.0], [0.0, 0.0, 7.0]]])
    rows = cells_from_columns(h)
    np.testing.assert_allclose(rows[0, 1], np.array([3.0, 5.0, 0.0]) * BOHR_TO_ANGSTROM)
    assert positions_in_angstrom([[1.0, 0, 0]])[0, 0] == BOHR_TO_ANGSTROM

    from ipi_driver.evaluator import Results

    given = Results(np.array([1.0]), np.full((1, 1, 3), 1.0), np.full((1, 3, 3), 1.0), [""])
    found = in_atomic_units(given)
    assert found.energies[0] == pytest.approx(0.0367493221756544, rel=1e-9)  # CODATA 2018
    assert found.forces[0, 0, 0] == pytest.approx(0.0194469038187, rel=1e-9)
    assert found.virials[0, 0, 0] == found.energies[0]


def test_a_committee_is_its_mean_with_the_members_beside_it(members: list[Potential]) -> None:
    template = crystal()
    positions, cells = beads(template, 2)
    evaluator = PotentialEvaluator(members, template, gives_atomic_energies=True)
    found = evaluator.evaluate(positions, cells)
    alone = [PotentialEvaluator([m], template).evaluate(positions, cells) for m in members]
    np.testing.assert_allclose(found.energies, np.mean([a.energies for a in alone], axis=0))
    np.testing.assert_allclose(found.forces, np.mean([a.forces for a in alone], axis=0))
    np.testing.assert_allclose(found.virials, np.mean([a.virials for a in alone], axis=0))
    for k, text in enumerate(found.extras):
        extras = json.loads(text)
        pots = np.array([a.energies[k] for a in alone]) / HARTREE_TO_EV
        np.testing.assert_allclose(extras["committee_pot"], pots)
        spread = np.sqrt(((pots - pots.mean()) ** 2).sum() / (len(pots) - 1))
        assert extras["committee_uncertainty"] == pytest.approx(spread)
        forces = np.reshape(extras["committee_force"], (3, -1, 3))
        unit = BOHR_TO_ANGSTROM / HARTREE_TO_EV
        np.testing.assert_allclose(forces, [a.forces[k] * unit for a in alone])
        virials = np.reshape(extras["committee_virial"], (3, 3, 3))
        np.testing.assert_allclose(virials, [a.virials[k] / HARTREE_TO_EV for a in alone])
        assert sum(extras["atomic_energies"]) == pytest.approx(found.energies[k] / HARTREE_TO_EV)
        assert "raw" not in extras


def test_extras_have_the_same_keys_always(potential: Potential) -> None:
    template = crystal()
    evaluator = PotentialEvaluator([potential], template, gives_atomic_energies=True)
    keys = [json.loads(text).keys() for text in evaluator.evaluate(*beads(template)).extras]
    assert all(list(k) == ["atomic_energies"] for k in keys)


def test_templates_that_no_model_can_evaluate(potential: Potential) -> None:
    gold = Frame.from_ase(ase.Atoms("AuH", [[0, 0, 0], [0, 0, 1.5]]))
    with pytest.raises(StructureError, match=r"gold\.xyz: the model knows H, C, O but not Au"):
        PotentialEvaluator([potential], Template(gold, "template gold.xyz"))
    with pytest.raises(ConfigError, match="--model"):
        PotentialEvaluator([], crystal())


@pytest.mark.parametrize("factor", [0.01, 30.0, 0.0])
def test_cells_that_make_no_sense(potential: Potential, factor: float) -> None:
    template = crystal()
    evaluator = PotentialEvaluator([potential], template)
    positions, cells = beads(template, 2)
    cells[1] *= factor
    with pytest.raises(RunFailed, match="i-PI sent a cell") as error:
        evaluator.evaluate(positions, cells)
    assert error.value.code == "cell"


def test_rotated_and_reflected_cells_make_sense(potential: Potential) -> None:
    """i-PI's ffrotations sends such."""
    template = crystal()
    evaluator = PotentialEvaluator([potential], template)
    positions, cells = beads(template, 1)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    straight = evaluator.evaluate(positions, cells)
    for turn in (rotation, -rotation):
        turned = evaluator.evaluate(positions @ turn, cells @ turn)
        np.testing.assert_allclose(turned.energies, straight.energies)
        np.testing.assert_allclose(turned.forces, straight.forces @ turn, atol=1e-12)


def test_a_cell_does_not_matter_where_nothing_repeats(potential: Potential) -> None:
    template = crystal("ethanol")
    evaluator = PotentialEvaluator([potential], template)
    positions, _ = beads(template, 2)
    found = evaluator.evaluate(positions, np.zeros((2, 3, 3)))
    np.testing.assert_array_equal(
        found.energies, evaluator.evaluate(positions, np.ones((2, 3, 3))).energies
    )


def test_atoms_in_another_order_are_noticed(potential: Potential) -> None:
    template = crystal("ethanol")
    order = np.roll(np.arange(9), 1)
    with pytest.raises(RunFailed, match="the order of the atoms differs") as error:
        PotentialEvaluator([potential], template).evaluate(
            template.frame.positions[None, order], np.zeros((1, 3, 3))
        )
    assert error.value.code == "atom-order"
    same = PotentialEvaluator([potential], template)
    hydrogens = np.array([0, 1, 2, 3, 4, 5, 7, 6, 8])  # of one element: no matter
    assert template.frame.numbers[6] == template.frame.numbers[7]
    same.evaluate(template.frame.positions[None, hydrogens], np.zeros((1, 3, 3)))


def test_lengths_read_in_the_wrong_unit_are_noticed(potential: Potential) -> None:
    template = crystal("ethanol")
    for factor, said in ((BOHR_TO_ANGSTROM, "Å were read as bohr"), (1 / BOHR_TO_ANGSTROM, "bohr")):
        with pytest.raises(RunFailed, match=said) as error:
            PotentialEvaluator([potential], template).evaluate(
                factor * template.frame.positions[None], np.zeros((1, 3, 3))
            )
        assert error.value.code == "units"


def test_strong_forces_at_the_start_are_warned_of(
    potential: Potential, caplog: pytest.LogCaptureFixture
) -> None:
    template = crystal("ethanol")
    evaluator = PotentialEvaluator([potential], template)
    evaluator.evaluate(template.frame.positions[None], np.zeros((1, 3, 3)))
    assert caplog.text == ""
    zbl = PotentialEvaluator([cases.potential("zbl")], template)
    squeezed = template.frame.positions.copy()
    squeezed[1] += 0.7 * (squeezed[0] - squeezed[1])
    zbl.evaluate(squeezed[None], np.zeros((1, 3, 3)))
    assert "the same atoms in the same order" in caplog.text
