"""The steps of the network on features of atoms, each with the four passes of training on forces.

Let E be the sum of energies and a dot the derivative along a direction in the space of pair vectors. Training needs the derivatives of
E and of Ė with respect to weights. Backpropagation with g = ∂E/∂(what a step returns), differentiated along the direction, gives
both at once: Pearlmutter's R-operator. So a step y = f(x) has four passes, called over the network forwards, backwards, forwards,
backwards:

    forward(x)       f(x)
    backward(g)      f'(x)ᵀ g
    tangent(ẋ)       f'(x) ẋ
    curvature(ġ)     the derivative of backward along (ẋ, ġ); it leaves that of ∂E/∂weights in ``gradients``

Features are flat: blocks (N, 2l+1, channels), one for every irrep, one behind the other. Autograd sees nothing of it.

Source: Pearlmutter, Neural Computation 6, 147 (1994), doi:10.1162/neco.1994.6.1.147.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from e3nn.o3 import Irreps
from torch import Tensor

from nequip_openmm.kernels.convolution import Convolution, ConvolutionForm, Neighbours, block_starts
from nequip_openmm.kernels.library import address

__all__ = ["ConvolutionStep", "Direction", "LinearStep", "Mix", "SelfConnectionStep", "mixes"]


class Mix(NamedTuple):
    """A matrix product that takes one block to another: numbers per atom before them, channels, components."""

    first_in: int
    n_in: int
    first_out: int
    n_out: int
    components: int

    def inner(self, x: Tensor, n_nodes: int) -> Tensor:
        """Return the block that is read, (rows, channels)."""
        return _rows(x, n_nodes * self.first_in, n_nodes * self.components, self.n_in)

    def outer(self, y: Tensor, n_nodes: int) -> Tensor:
        """Return the block that is written, (rows, channels)."""
        return _rows(y, n_nodes * self.first_out, n_nodes * self.components, self.n_out)


def _rows(x: Tensor, first: int, rows: int, channels: int) -> Tensor:
    return x.as_strided((rows, channels), (channels, 1), first)


def mixes(irreps_in: Irreps, irreps_out: Irreps) -> list[Mix]:
    """Return the products between equal irreps, in the order of ``irreps_out``."""
    starts_in, starts_out = block_starts(irreps_in), block_starts(irreps_out)
    place = {ir: a for a, (_, ir) in enumerate(irreps_in)}
    return [
        Mix(starts_in[place[ir]], irreps_in[place[ir]].mul, starts_out[b], mul, ir.dim)
        for b, (mul, ir) in enumerate(irreps_out)
        if ir in place
    ]


class LinearStep:
    """A matrix for every block; every block is read once and written once."""

    def __init__(
        self, products: list[Mix], weights: list[Tensor], n_nodes: int, size_in: int, size_out: int
    ) -> None:
        self.products, self.weights, self.n_nodes = products, weights, n_nodes
        self.sizes = n_nodes * size_in, n_nodes * size_out
        self.gradients: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return x W."""
        self.x = x
        return self._apply(x)

    def backward(self, g: Tensor) -> Tensor:
        """Return g Wᵀ."""
        self.g = g
        return self._apply_transposed(g)

    def tangent(self, dx: Tensor) -> Tensor:
        """Return ẋ W."""
        self.dx = dx
        return self._apply(dx)

    def curvature(self, dg: Tensor) -> Tensor:
        """Return ġ Wᵀ; leave ẋᵀ g + xᵀ ġ."""
        n = self.n_nodes
        self.gradients = []
        for mix in self.products:
            gradient = mix.inner(self.x, n).t() @ mix.outer(dg, n)
            self.gradients.append(gradient.addmm_(mix.inner(self.dx, n).t(), mix.outer(self.g, n)))
        return self._apply_transposed(dg)

    def _apply(self, x: Tensor) -> Tensor:
        y = x.new_empty(self.sizes[1])
        for mix, weight in zip(self.products, self.weights):
            torch.mm(mix.inner(x, self.n_nodes), weight, out=mix.outer(y, self.n_nodes))
        return y

    def _apply_transposed(self, y: Tensor) -> Tensor:
        x = y.new_empty(self.sizes[0])
        for mix, weight in zip(self.products, self.weights):
            torch.mm(mix.outer(y, self.n_nodes), weight.t(), out=mix.inner(x, self.n_nodes))
        return x


class SelfConnectionStep:
    """A matrix for every block and type of atom, added to what another step returns.

    A row x of an atom of type t becomes (δ_1t x, δ_2t x, ...), so that one product with the stack of all types' matrices does.
    Weights are (types, n_in, n_out).
    """

    def __init__(self, products: list[Mix], weights: list[Tensor], is_type: Tensor) -> None:
        self.products, self.is_type = products, is_type  # (N, types)
        self.weights = [weight.flatten(0, 1) for weight in weights]
        self.gradients: list[Tensor] = []

    def forward(self, x: Tensor, y: Tensor) -> None:
        """Add to y."""
        self.spread = [self._spread(mix, x) for mix in self.products]
        self._add(self.spread, y)

    def backward(self, g: Tensor, gx: Tensor) -> None:
        """Add to gx."""
        self.g = g
        self._add_transposed(g, gx)

    def tangent(self, dx: Tensor, dy: Tensor) -> None:
        """Add to dy."""
        self.dspread = [self._spread(mix, dx) for mix in self.products]
        self._add(self.dspread, dy)

    def curvature(self, dg: Tensor, dgx: Tensor) -> None:
        """Add to dgx."""
        n = len(self.is_type)
        self.gradients = []
        for mix, x, dx in zip(self.products, self.spread, self.dspread):
            gradient = (x.t() @ mix.outer(dg, n)).addmm_(dx.t(), mix.outer(self.g, n))
            self.gradients.append(gradient.view(-1, mix.n_in, mix.n_out))
        self._add_transposed(dg, dgx)

    def _spread(self, mix: Mix, x: Tensor) -> Tensor:
        n, n_types = self.is_type.shape
        block = mix.inner(x, n).view(n, mix.components, 1, mix.n_in)
        spread = block * self.is_type.view(n, 1, n_types, 1)
        return spread.view(n * mix.components, mix.n_in * n_types)

    def _add(self, spread: list[Tensor], y: Tensor) -> None:
        for mix, weight, x in zip(self.products, self.weights, spread):
            mix.outer(y, len(self.is_type)).addmm_(x, weight)

    def _add_transposed(self, g: Tensor, gx: Tensor) -> None:
        n, n_types = self.is_type.shape
        for mix, weight in zip(self.products, self.weights):
            spread = (mix.outer(g, n) @ weight.t()).view(n, mix.components, n_types, mix.n_in)
            total = (spread * self.is_type.view(n, 1, n_types, 1)).sum(2)
            mix.inner(gx, n).add_(total.view(-1, mix.n_in))


class Direction(NamedTuple):
    """The direction, as pairs feel it.

    Attributes
    ----------
    dy
        (E, n_harmonics) change of the harmonics.
    dr
        (rows, 1) change of the distance that belongs to a row of weights.
    """

    dy: Tensor
    dr: Tensor


class ConvolutionStep:
    """The convolution, with weights w(r) whose slopes dw/dr are known.

    Parameters
    ----------
    form, pairs, y
        The layer; who is whose neighbour; harmonics (E, n_harmonics).
    radial
        (2, rows, n_weights) weights, and their derivatives with respect to the distance.
    """

    def __init__(self, form: ConvolutionForm, pairs: Neighbours, y: Tensor, radial: Tensor) -> None:
        self.convolution = Convolution(form, pairs, y, radial[0])
        self.slope = radial[1]
        self.gradients = torch.empty(0)  # of weights and slopes

    def forward(self, x: Tensor) -> Tensor:
        """Return T(x, y, w)."""
        self.x = x
        return self.convolution.forward(x)

    def backward(self, g: Tensor, gy: Tensor, gr: Tensor) -> Tensor:
        """Add what concerns harmonics (E, n_harmonics) and distances (rows, 1) to ``gy`` and ``gr``."""
        self.g, self.gw = g, torch.zeros_like(self.slope)
        gx = self.convolution.zeros_for_parts(self.x)
        self.convolution.backward(self.x, g, gx, gy, self.gw)
        size = (ctypes.c_int64(length) for length in self.slope.shape)
        arrays = (address(array) for array in (self.gw, self.slope, gr))
        self.convolution.library.along_slopes(*size, *arrays)
        return gx.sum(0)

    def tangent(self, dx: Tensor, direction: Direction) -> Tensor:
        """Return the derivative of T along (ẋ, ẏ, ẇ), ẇ = dw/dr ṙ."""
        self.dgx = self.convolution.zeros_for_parts(self.x)
        self.gradients = self.slope.new_zeros(2, *self.slope.shape)
        dw = self.slope * direction.dr
        torch.mul(self.gw, direction.dr, out=self.gradients[1])
        return self.convolution.double_backward(
            self.x, self.g, (dx, direction.dy, dw), self.dgx, None, self.gradients[0]
        )

    def curvature(self, dg: Tensor) -> Tensor:
        """Return what concerns x; leave what concerns w and dw/dr."""
        self.convolution.backward(self.x, dg, self.dgx, None, self.gradients[0])
        return self.dgx.sum(0)
