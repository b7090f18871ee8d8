"""What happens where one atom leaves the sight of another: nothing sudden."""

from __future__ import annotations

import ase
import numpy as np
import pytest
import torch

from nequip_openmm.model.embedding import polynomial_cutoff
from nequip_openmm.potential import Potential
from tests.model import cases

CUTOFF = cases.config().cutoff


@pytest.mark.parametrize("p", [2.0, 4.5, 6.0, 9.0])
def test_envelope_and_two_derivatives_vanish_at_the_cutoff(p: float) -> None:
    u = torch.tensor([1.0 - 1e-6], dtype=torch.float64, requires_grad=True)
    f = polynomial_cutoff(u, p)
    (first,) = torch.autograd.grad(f, u, create_graph=True)
    (second,) = torch.autograd.grad(first, u)
    assert abs(f.item()) < 1e-14
    assert abs(first.item()) < 1e-8
    assert abs(second.item()) < 1e-2
    assert polynomial_cutoff(torch.tensor([0.0, 1.0, 1.5]), p).tolist() == [1.0, 0.0, 0.0]


def _pair(potential: Potential, distances: np.ndarray, symbols: str = "CO") -> np.ndarray:
    """Return energy and force along the bond (n, 2) of two atoms at given distances."""
    axis = np.array([0.48, 0.6, 0.64])
    frames = [ase.Atoms(symbols, [[0, 0, 0], r * axis]) for r in distances]
    return np.array([[e.energy, e.forces[1] @ axis] for e in potential.evaluate(frames)])


@pytest.mark.parametrize("model", ["invariant", "l2-parity", "zbl"])
def test_pair_force_vanishes_at_and_beyond_the_cutoff(model: str) -> None:
    potential = cases.potential(model)
    inside = _pair(potential, np.array([0.5 * CUTOFF]))
    outside = _pair(potential, CUTOFF * np.array([1.0, 1.0 + 1e-9, 1.1]))
    assert abs(inside[0, 1]) > 1e-4
    assert np.abs(outside[:, 1]).max() == 0.0
    assert np.ptp(outside[:, 0]) == 0.0


@pytest.mark.parametrize(("model", "power"), [("l1", 4), ("l2-parity", 4), ("l3", 4), ("zbl", 3)])
def test_energy_force_and_curvature_vanish_smoothly_at_the_cutoff(model: str, power: int) -> None:
    """The envelope falls with the third power of the distance to the cutoff; every basis function with one more."""
    potential = cases.potential(model)
    h = 1e-3
    at = _pair(potential, CUTOFF - np.array([0.0, h, 2.0 * h]))
    energy = np.abs(at[1:, 0] - at[0, 0])
    force = np.abs(at[1:, 1])
    assert energy[1] < 1e-7
    assert force[1] < 1e-4
    assert energy[1] / energy[0] == pytest.approx(2.0**power, rel=0.05)
    assert force[1] / force[0] == pytest.approx(2.0 ** (power - 1), rel=0.05)


def test_pair_cutoffs_hold_for_either_direction() -> None:
    """H sees nothing beyond 2.2 Å, but O sees H up to the general cutoff; no one sees further."""
    potential = cases.potential("pair-cutoffs")
    between = _pair(potential, np.array([2.3]), "HO")
    assert abs(between[0, 1]) > 1e-6
    found = potential.evaluate(ase.Atoms("HO", [[0, 0, 0], [0, 0, 2.3]]))
    assert found.energies[0] == pytest.approx(-0.3, abs=1e-15)
    assert abs(found.energies[1] - 0.2) > 1e-6
    beyond = _pair(potential, np.array([2.2, 2.5]), "HH")
    assert np.abs(beyond[:, 1]).max() < 1e-15


def test_an_atom_that_enters_changes_nothing_at_first() -> None:
    potential = cases.potential("l2-parity")
    atoms = cases.ethanol()
    alone = potential.evaluate(atoms)
    farthest = atoms.positions[:, 2].max() + CUTOFF - 1e-4
    top = atoms.positions[atoms.positions[:, 2].argmax()]
    joined = atoms + ase.Atoms("H", [[top[0], top[1], farthest]])
    together = potential.evaluate(joined)
    np.testing.assert_allclose(together.forces[:-1], alone.forces, atol=1e-7)
