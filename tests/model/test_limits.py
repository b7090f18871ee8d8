"""Where the answer is known: lone atoms, fragments far apart, bare nuclei."""

from __future__ import annotations

import ase
import numpy as np
import pytest
import torch

from nequip_openmm.data.batch import Batch, collate
from nequip_openmm.model.zbl import ZBL
from nequip_openmm.potential import Potential
from tests.model import cases

SHIFTS = cases.config().per_type_energy_shifts


@pytest.mark.parametrize("model", cases.MODELS)
@pytest.mark.parametrize("symbol", cases.SPECIES)
def test_an_isolated_atom_has_the_shift_of_its_species(model: str, symbol: str) -> None:
    found = cases.potential(model).evaluate(ase.Atoms(symbol, [[1.0, 2.0, 3.0]]))
    assert isinstance(SHIFTS, dict)
    assert found.energy == SHIFTS[symbol]
    assert not found.forces.any()
    assert found.virial is not None
    assert not found.virial.any()
    assert found.stress is None


@pytest.mark.parametrize("model", cases.MODELS)
def test_fragments_40_angstrom_apart_add_up(model: str) -> None:
    potential = cases.potential(model)
    a, b = cases.ethanol(), cases.ethanol(0.15)
    b.positions += [40.0, 3.0, -5.0]
    alone = potential.evaluate([a, b])
    together = potential.evaluate(a + b)
    assert together.energy == pytest.approx(alone[0].energy + alone[1].energy, abs=1e-12)
    forces = np.concatenate([part.forces for part in alone])
    np.testing.assert_allclose(together.forces, forces, rtol=0, atol=1e-12)


def test_energies_of_one_structure_do_not_depend_on_others_of_the_batch() -> None:
    model = cases.build(l_max=2)
    frames = [cases.frame("ethanol"), cases.frame("triclinic")]
    batch = Batch.from_frames(frames, cases.SPECIES, model.config.cutoff)
    positions = batch.positions.clone().requires_grad_(True)
    energies = model(
        positions, batch.types, batch.edge_index, batch.shifts, batch.cell, batch.graph
    )
    first = energies[batch.graph == 0].sum()
    (gradient,) = torch.autograd.grad(first, positions)
    assert not gradient[batch.graph == 1].any()
    assert gradient[batch.graph == 0].any()


def test_single_and_general_treatment_of_cells_agree() -> None:
    """One structure takes a short cut past the choice of a cell for every pair."""
    model = cases.build(l_max=1)
    one = Batch.from_frame(cases.frame("triclinic"), cases.SPECIES, model.config.cutoff)
    two = collate([one, one])
    energies = [
        model(b.positions, b.types, b.edge_index, b.shifts, b.cell, b.graph) for b in (one, two)
    ]
    torch.testing.assert_close(energies[1], energies[0].repeat(2), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("z_i", "z_j", "r"), [(1, 1, 0.2), (6, 8, 0.9), (8, 1, 0.5), (29, 6, 1.7)])
def test_zbl_is_the_formula(z_i: int, z_j: int, r: float) -> None:
    x = r * (z_i**0.23 + z_j**0.23) / 0.46850
    c, d = (0.02817, 0.28022, 0.50986, 0.18175), (0.20162, 0.40290, 0.94229, 3.19980)
    phi = sum(ck * np.exp(-dk * x) for ck, dk in zip(c, d))
    expected = 14.399645 * z_i * z_j / r * phi
    zbl = ZBL((z_i, z_j))
    types = torch.tensor([0, 1])
    distance, envelope = torch.full((2,), r, dtype=torch.float64), torch.ones(2).double()
    halves = zbl(distance, envelope, types, types.flip(0))
    assert halves.sum().item() == pytest.approx(expected, rel=1e-13)
    assert halves[0].item() == pytest.approx(halves[1].item(), rel=1e-14)


def test_zbl_keeps_nuclei_apart() -> None:
    """The repulsion does not depend on weights and grows without bound."""
    potential = cases.potential("zbl")
    without = cases.build(l_max=1, parity=False, num_layers=2)
    frames = [ase.Atoms("OO", [[0, 0, 0], [0, 0, r]]) for r in (0.9, 0.6, 0.3)]
    added = [
        a.energy - b.energy
        for a, b in zip(potential.evaluate(frames), Potential(without).evaluate(frames))
    ]
    assert 20.0 < added[0] < added[1] < added[2]
    assert added[2] > 500.0


def test_frames_without_any_pair_evaluate_in_one_batch() -> None:
    potential = cases.potential("l2-parity")
    frames = [ase.Atoms("H"), cases.ethanol(), ase.Atoms("CO", [[0, 0, 0], [0, 0, 9.0]])]
    alone = [potential.evaluate(frame).energy for frame in frames]
    together = [found.energy for found in potential.evaluate(frames)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-13)
