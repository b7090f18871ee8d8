"""Radial weights as piecewise polynomials, in place of the networks that define them.

A radial network sees nothing of a pair but u = r / cutoff, so all that a layer asks of it are smooth functions of one number.
Every interval has the polynomial of degree 5 with the network's values and slopes at its ends and in its middle: Hermite
interpolation, continuous with its slope. For the digits of float32 it needs a tenth of the intervals that cubic polynomials
need, so that the tables fit into the processor's cache. Forces are the exact derivative of the tabulated energy.
"""

from __future__ import annotations

import threading
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nequip_openmm.errors import BackendError
from nequip_openmm.kernels.weights import scaled_weight
from nequip_openmm.model.embedding import polynomial_cutoff
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.nequip import NequIP

__all__ = ["DEGREE", "Table", "radial_tables"]

DEGREE = 5
NODES = np.array([0.0, 0.5, 1.0])
TOLERANCES = {32: (1e-7, 2e-6), 64: (1e-12, 1e-10)}
"""Largest errors of values and of slopes, relative to the largest of either, by bits."""
FEWEST, MOST = 64, 4096
CLOSEST = 0.1  # u below which no sensible structure has a pair, and errors do not count
_one_at_a_time = (
    threading.Lock()
)  # PyTorch's forward differentiation fails when two threads are in it


class Table(NamedTuple):
    """Polynomials of one layer.

    Attributes
    ----------
    coefficients
        (intervals, DEGREE + 1, columns) float64, of powers of t = u · intervals - interval, from the constant term on.
    """

    coefficients: NDArray[np.float64]

    def __call__(self, u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return values (len(u), columns) and slopes with respect to u."""
        n, terms, _ = self.coefficients.shape
        interval = np.clip((u * n).astype(int), 0, n - 1)
        t = (u * n - interval)[:, None]
        c = self.coefficients[interval]
        value = sum(c[:, k] * t**k for k in range(terms))
        slope = sum(k * c[:, k] * t ** (k - 1) for k in range(1, terms)) * n
        return value, slope


def radial_tables(model: NequIP, bits: int) -> list[Table]:
    """Return the tables of all layers, all with the number of intervals that the most demanding needs.

    Raises
    ------
    BackendError
        If the networks vary too fast for any reasonable table, which no trained model does.
    """
    radials = [_RadialWeights(model, k) for k in range(len(model.layers))]
    intervals = FEWEST
    while intervals <= MOST:
        tables = [_interpolate(radial, intervals) for radial in radials]
        if all(_is_accurate(t, radial, bits) for t, radial in zip(tables, radials)):
            return tables
        intervals *= 2
    raise BackendError(
        f'the radial networks cannot be tabulated with {MOST} intervals; use engine="reference"'
    )


class _RadialWeights:
    """One layer's radial network as a function of u, in float64."""

    def __init__(self, model: NequIP, layer: int) -> None:
        embedding = model.edge_embedding
        self.frequencies = embedding.bessel_frequencies.detach().double().cpu()
        self.prefactor, self.p = embedding.prefactor, embedding.p
        radial = cast("InteractionLayer", model.layers[layer]).convolution.radial
        self.matrices = [scaled_weight(linear) for linear in radial.layers]
        self.is_nonlinear = radial.is_nonlinear

    def values_and_slopes(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return (len(u), columns) of both."""
        with _one_at_a_time:
            return torch.func.jvp(self._values, (u,), (torch.ones_like(u),))

    def _values(self, u: Tensor) -> Tensor:
        waves = torch.sinc(u.unsqueeze(1) * self.frequencies) * self.frequencies
        x = waves * (self.prefactor * polynomial_cutoff(u, self.p)).unsqueeze(1)
        for k, matrix in enumerate(self.matrices):
            if k > 0 and self.is_nonlinear:
                x = torch.nn.functional.silu(x)
            x = x @ matrix
        return x


def _interpolate(radial: _RadialWeights, intervals: int) -> Table:
    """Return the Hermite interpolation of one layer."""
    powers = np.arange(DEGREE + 1)
    conditions = np.concatenate(
        [NODES[:, None] ** powers, powers * NODES[:, None] ** np.maximum(powers - 1, 0)]
    )
    starts = torch.arange(intervals, dtype=torch.float64)
    data = []
    for slopes in (False, True):
        for node in NODES:
            value, slope = radial.values_and_slopes((starts + node) / intervals)
            data.append((slope / intervals if slopes else value).numpy())
    found = np.linalg.solve(conditions, np.stack(data).reshape(DEGREE + 1, -1))
    return Table(np.ascontiguousarray(found.reshape(DEGREE + 1, intervals, -1).swapaxes(0, 1)))


def _is_accurate(table: Table, radial: _RadialWeights, bits: int) -> bool:
    """Compare in between the nodes, where the error is largest."""
    intervals = len(table.coefficients)
    starts = np.arange(intervals)
    for t in (0.21, 0.25, 0.5, 0.79):
        u = (starts + t) / intervals
        u = u[u > CLOSEST]
        wanted = [x.numpy() for x in radial.values_and_slopes(torch.from_numpy(u))]
        for found, exact, tolerance in zip(table(u), wanted, TOLERANCES[bits]):
            if np.abs(found - exact).max() > tolerance * max(np.abs(exact).max(), 1e-300):
                return False
    return True
