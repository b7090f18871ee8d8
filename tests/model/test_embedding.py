"""Radial basis, harmonics and couplings against formulas and e3nn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from e3nn.o3 import Irreps, TensorProduct, spherical_harmonics

from nequip_openmm.model.embedding import EdgeEmbedding, polynomial_cutoff
from nequip_openmm.model.gate import C_SILU, C_TANH
from nequip_openmm.model.harmonics import Couplings, SphericalHarmonics
from nequip_openmm.model.irreps import CouplingRows, plan_layers
from tests.model import cases


@pytest.mark.parametrize("l_max", range(5))
def test_harmonics_are_those_of_e3nn(l_max: int) -> None:
    n = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=1)
    wanted = spherical_harmonics(list(range(l_max + 1)), n, True, "component")
    found = SphericalHarmonics(l_max)(n)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)


def test_first_harmonic_is_the_direction() -> None:
    n = torch.tensor([[1.0, 2.0, 3.0]]).double() / math.sqrt(14.0)
    torch.testing.assert_close(SphericalHarmonics(1)(n)[:, 1:], math.sqrt(3.0) * n)


def test_radial_basis_is_the_formula() -> None:
    config = cases.config(num_bessels=5, polynomial_cutoff_p=4.0)
    r = np.array([0.7, 1.9, 3.3])
    vectors = torch.tensor(np.outer(r, [0.0, 0.6, 0.8]))
    types = torch.zeros(3, dtype=torch.int64)
    distance, f, basis, _ = EdgeEmbedding(config)(vectors, types, types)
    u, n = r / config.cutoff, np.arange(1, 6)
    wanted = 2.0 / config.cutoff * np.sin(np.outer(u, n) * np.pi) / r[:, None]
    envelope = polynomial_cutoff(torch.tensor(u), 4.0).numpy()
    np.testing.assert_allclose(distance, r, rtol=1e-15)
    np.testing.assert_allclose(f, envelope, rtol=0, atol=1e-14)
    np.testing.assert_allclose(basis.numpy(), wanted * envelope[:, None], rtol=0, atol=1e-14)


@pytest.mark.parametrize("l_max", [0, 1, 2, 3])
def test_couplings_are_e3nn_tensor_products(l_max: int) -> None:
    plans = plan_layers(cases.config(l_max=l_max, parity=True))
    rows = CouplingRows.create(plans, l_max)
    y = torch.randn(4, (l_max + 1) ** 2, dtype=torch.float64)
    matrices = Couplings(rows)(y)
    for (l1, l2, l3), first in rows.first.items():
        irreps = [Irreps([(1, (order, 1))]) for order in (l1, l2, l3)]
        product = TensorProduct(*irreps, [(0, 0, 0, "uvu", False)]).double()
        x = torch.randn(4, 2 * l1 + 1, dtype=torch.float64)
        wanted = product(x, y[:, l2**2 : (l2 + 1) ** 2])
        matrix = matrices[l1][:, first : first + 2 * l3 + 1]
        found = torch.einsum("eki,ei->ek", matrix, x)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)  # e3nn keeps float32 constants


@pytest.mark.parametrize(
    ("function", "factor"), [(torch.nn.functional.silu, C_SILU), (torch.tanh, C_TANH)]
)
def test_activations_have_unit_second_moment(function: object, factor: float) -> None:
    x = torch.linspace(-12.0, 12.0, 200_001, dtype=torch.float64)
    density = torch.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    assert callable(function)
    moment = torch.trapezoid(density * (factor * function(x)) ** 2, x)
    assert moment.item() == pytest.approx(1.0, abs=5e-3)  # the factors come from 10^6 samples
