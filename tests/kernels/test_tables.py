import numpy as np
import pytest
import torch

from nequip_openmm.errors import BackendError
from nequip_openmm.kernels import tables
from tests.model.cases import build


def network(model, layer, u):
    """Return values and slopes of a layer's radial weights as the model itself computes them."""
    u = torch.from_numpy(u).requires_grad_()
    cutoff = model.config.cutoff
    vectors = torch.zeros(len(u), 3, dtype=torch.float64)
    vectors = torch.cat([(u * cutoff).unsqueeze(1), vectors[:, 1:]], dim=1)
    types = torch.zeros(len(u), dtype=torch.int64)
    _, _, basis, _ = model.edge_embedding(vectors, types, types)
    weights = model.layers[layer].convolution.radial(basis)
    slopes = [
        torch.autograd.grad(column.sum(), u, retain_graph=True)[0] for column in weights.unbind(1)
    ]
    return weights.detach().numpy(), torch.stack(slopes, dim=1).numpy()


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("settings", [{}, {"radial_mlp_depth": 3}, {"radial_mlp_depth": 0}])
def test_tables_keep_their_promise(bits, settings):
    model = build(l_max=1, **settings)
    u = np.random.default_rng(0).uniform(tables.CLOSEST, 1.0, size=400)
    for k, table in enumerate(tables.radial_tables(model, bits)):
        for found, wanted, tolerance in zip(
            table(u), network(model, k, u), tables.TOLERANCES[bits]
        ):
            assert np.abs(found - wanted).max() <= 2.0 * tolerance * np.abs(wanted).max()


def test_slope_is_the_derivative_of_the_value():
    table = tables.radial_tables(build(l_max=0), 32)[0]
    u, h = np.random.default_rng(1).uniform(0.1, 0.9, size=50), 1e-6
    difference = (table(u + h)[0] - table(u - h)[0]) / (2.0 * h)
    np.testing.assert_allclose(table(u)[1], difference, rtol=0, atol=1e-8)


def test_value_and_slope_are_continuous_and_vanish_at_the_cutoff():
    table = tables.radial_tables(build(l_max=0), 32)[0]
    knots = np.arange(1, len(table.coefficients)) / len(table.coefficients)
    before, behind = table(knots - 1e-13), table(knots + 1e-13)
    for a, b in zip(before, behind):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    at_cutoff = table(np.array([1.0]))
    assert np.abs(at_cutoff[0]).max() < 1e-13
    assert np.abs(at_cutoff[1]).max() < 1e-10


def test_networks_that_no_table_can_follow_are_refused():
    model = build(l_max=0)
    with torch.no_grad():
        for layer in model.layers:
            for linear in layer.convolution.radial.layers:
                linear.weight *= 1e6
    with pytest.raises(BackendError, match='engine="reference"'):
        tables.radial_tables(model, 64)
