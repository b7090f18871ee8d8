"""The convolution as one operation of torch, with derivatives of first and second order.

m_ik = Σ_j Σ_path T(x_j, Y_ij, w_ij): what `nequip_openmm.model.convolution` computes, without a tensor of the size of pairs times
paths times channels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from e3nn.o3 import Irreps
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.kernels.library import address, library, run_parts
from nequip_openmm.kernels.products import Triple, triples
from nequip_openmm.model.irreps import LayerPlan

__all__ = ["Convolution", "ConvolutionForm", "Neighbours", "block_starts", "convolve"]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs sorted by centre, and the parts that threads take.

    Attributes
    ----------
    first
        (N + 1,) int32: where the pairs of every centre begin.
    second
        (E,) int32: the neighbour of every pair.
    row
        (E,) int32: where its weights are; pairs of one row have centres in one part.
    bounds
        (parts + 1,) int64: first centre of every part.
    """

    first: Tensor
    second: Tensor
    row: Tensor
    bounds: Tensor

    @classmethod
    def create(cls, edge_index: Tensor, n_nodes: int, n_parts: int = 1) -> Neighbours:
        """Return the pairs of a neighbour list (2, E), each with a row of its own, and parts with about as many pairs each.

        Raises
        ------
        ValueError
            If the centres do not ascend.
        """
        n_edges = edge_index.shape[1]
        if bool((edge_index[0].diff() < 0).any()):
            raise ValueError("edge_index must be sorted by centre: edge_index[0] must ascend")
        first = torch.zeros(n_nodes + 1, dtype=torch.int32)
        torch.cumsum(torch.bincount(edge_index[0], minlength=n_nodes), 0, out=first[1:])
        shares = torch.arange(1, n_parts) * n_edges // n_parts
        inner = torch.searchsorted(first, shares.to(torch.int32))
        bounds = torch.cat([torch.tensor([0]), inner, torch.tensor([n_nodes])])
        row = torch.arange(n_edges, dtype=torch.int32)
        return cls(first, edge_index[1].to(torch.int32), row, bounds)

    @property
    def n_nodes(self) -> int:
        """Number of atoms."""
        return len(self.first) - 1

    @property
    def n_parts(self) -> int:
        """Number of threads that share the work."""
        return len(self.bounds) - 1

    @cached_property
    def c(self) -> CGraph:
        """What C sees of it."""
        arrays = (self.first, self.second, self.row)
        return CGraph(self.n_nodes, *(array.data_ptr() for array in arrays))


class CGraph(ctypes.Structure):
    _fields_ = [
        ("nodes", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
        ("row", ctypes.c_void_p),
    ]


class CForm(ctypes.Structure):
    _fields_ = [
        ("n_paths", ctypes.c_int32),
        ("n_triples", ctypes.c_int32),
        ("n_weights", ctypes.c_int32),
        ("workspace", ctypes.c_int32),
        ("paths", ctypes.c_void_p),
        ("triples", ctypes.c_void_p),
    ]


class ConvolutionForm:
    """The four-linear form of one layer's convolution: which paths there are and where their numbers lie.

    Features are flat: blocks (N, 2l+1, channels), one for every irrep, one behind the other. Weights (E, n_weights) hold the
    channels of every path in the order of `LayerPlan.paths`; harmonics are (E, n_harmonics).

    Parameters
    ----------
    plan
        The layer.
    """

    def __init__(self, plan: LayerPlan) -> None:
        self.l_max = plan.l_max
        self.n_weights = sum(plan.irreps_in[path.block_in].mul for path in plan.paths)
        self.size_in, self.size_out = plan.irreps_in.dim, plan.after_product.dim
        self._triples, self._paths, self.workspace = _tables(plan)
        self.c = CForm(
            len(self._paths),
            len(self._triples),
            self.n_weights,
            self.workspace,
            self._paths.ctypes.data,
            self._triples.ctypes.data,
        )


def _tables(plan: LayerPlan) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what C reads about triples and paths, see ``convolution.c``, and the size of its workspace."""
    known = {triple: number for number, triple in enumerate(triples(plan.l_max))}
    orders = [Triple(plan.irreps_in[p.block_in].ir.l, p.l_filter, p.ir_out.l) for p in plan.paths]
    used = sorted(set(orders))
    first_of_matrix = _starts((2 * l1 + 1) * (2 * l3 + 1) for l1, _, l3 in used)
    matrix = dict(zip(used, first_of_matrix))
    triple_rows = [(known[t], t[1] ** 2, matrix[t]) for t in used]

    channels = [plan.irreps_in[path.block_in].mul for path in plan.paths]
    covector = _starts((2 * l1 + 1) * (2 * l2 + 1) * n for (l1, l2, _), n in zip(orders, channels))
    weight = _starts(channels)
    x_block, out_block = block_starts(plan.irreps_in), block_starts(plan.after_product)
    targets = [ir for _, ir in plan.after_product]
    filled = [0] * len(targets)
    path_rows = []
    for k, path in enumerate(plan.paths):
        target = targets.index(path.ir_out)
        row, n = plan.after_product[target].mul, channels[k]
        path_rows.append(
            (
                *(known[orders[k]], path.l_filter**2, matrix[orders[k]], covector[k]),
                *(n, weight[k], x_block[path.block_in], (2 * orders[k][0] + 1) * n),
                *(out_block[target], path.ir_out.dim * row, row, filled[target]),
            )
        )
        filled[target] += n
    return np.array(triple_rows, np.int32), np.array(path_rows, np.int32), covector[-1]


def _starts(sizes: Iterable[int]) -> list[int]:
    """Return where every part begins if they follow each other, and where the last one ends."""
    return [0, *accumulate(sizes)]


def block_starts(irreps: Irreps) -> list[int]:
    """Return how many numbers of an atom lie before every block, and in all blocks."""
    return _starts(mul * ir.dim for mul, ir in irreps)


class Convolution:
    """The convolution over the pairs of one batch, without autograd.

    All tensors are contiguous and of one type. Threads add to neighbours' features without waiting for each other: derivatives with
    respect to x have a row for every part, whose sum they are.

    Parameters
    ----------
    form
        The layer.
    pairs
        Who is whose neighbour.
    y
        (E, n_harmonics) harmonics.
    w
        (rows, n_weights) weights.
    """

    def __init__(self, form: ConvolutionForm, pairs: Neighbours, y: Tensor, w: Tensor) -> None:
        self.form, self.pairs, self.y, self.w = form, pairs, y, w
        self.library = library(form.l_max, y.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return T(x, y, w)."""
        out = self._new_sums()
        self._run("convolution_forward", [x, self.y, self.w, out])
        return out

    def backward(self, x: Tensor, g: Tensor, gx: Tensor, gy: Tensor | None, gw: Tensor) -> None:
        """Add the derivatives of g · T(x, y, w); those with respect to y where they are wanted."""
        own = [self._workspace(), gx]
        self._run("convolution_backward", [x, self.y, self.w, g, gy, gw], own)

    def double_backward(
        self,
        x: Tensor,
        g: Tensor,
        direction: tuple[Tensor, Tensor, Tensor],
        gx: Tensor,
        gy: Tensor | None,
        gw: Tensor,
    ) -> Tensor:
        """Return the derivative of `forward` along (ẋ, ẏ, ẇ); add those of what `backward` adds."""
        out = self._new_sums()
        shared = [x, self.y, self.w, g, *direction, out, gy, gw]
        self._run("convolution_double_backward", shared, [self._workspace(), gx])
        return out

    def zeros_for_parts(self, x: Tensor) -> Tensor:
        """Return zeros like x for every part."""
        return x.new_zeros(self.pairs.n_parts, len(x))

    def _new_sums(self) -> Tensor:
        return self.y.new_zeros(self.pairs.n_nodes * self.form.size_out)

    def _workspace(self) -> Tensor:
        return self.y.new_empty(self.pairs.n_parts, self.form.workspace)

    def _run(self, name: str, shared: Sequence[Tensor | None], own: Sequence[Tensor] = ()) -> None:
        """Call C for every part; ``own`` are tensors with a row for each."""
        head = ctypes.byref(self.form.c), ctypes.byref(self.pairs.c)
        tail = [address(tensor) for tensor in shared]
        bounds = [ctypes.c_int64(bound) for bound in self.pairs.bounds.tolist()]
        run_parts(
            getattr(self.library, name),
            [
                (*head, *bounds[k : k + 2], *tail, *(address(tensor[k]) for tensor in own))
                for k in range(self.pairs.n_parts)
            ],
        )


class Convolve(Function):
    """out = T(x, y, w)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w: Tensor, form: ConvolutionForm, pairs: Neighbours
    ) -> Tensor:
        x, y, w = x.contiguous(), y.contiguous(), w.contiguous()
        ctx.save_for_backward(x, y, w)
        ctx.form, ctx.pairs = form, pairs
        return Convolution(form, pairs, y, w).forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return (*ConvolveBackward.apply(*ctx.saved_tensors, g, ctx.form, ctx.pairs), None, None)


class ConvolveBackward(Function):
    """The derivatives of g · T(x, y, w) with respect to x, y and w."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        w: Tensor,
        g: Tensor,
        form: ConvolutionForm,
        pairs: Neighbours,
    ) -> tuple[Tensor, Tensor, Tensor]:
        g = g.contiguous()
        ctx.save_for_backward(x, g)
        ctx.convolution = Convolution(form, pairs, y, w)
        gx, gy, gw = ctx.convolution.zeros_for_parts(x), torch.zeros_like(y), torch.zeros_like(w)
        ctx.convolution.backward(x, g, gx, gy, gw)
        return gx.sum(0), gy, gw

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dx: Tensor, dy: Tensor, dw: Tensor) -> tuple[Tensor | None, ...]:
        (x, g), convolution = ctx.saved_tensors, ctx.convolution
        gx, gy, gw = convolution.zeros_for_parts(x), torch.zeros_like(dy), torch.zeros_like(dw)
        direction = dx.contiguous(), dy.contiguous(), dw.contiguous()
        out = convolution.double_backward(x, g, direction, gx, gy, gw)
        return gx.sum(0), gy, gw, out, None, None


def convolve(x: Tensor, y: Tensor, w: Tensor, form: ConvolutionForm, pairs: Neighbours) -> Tensor:
    """Sum weighted products of neighbours' features and harmonics.

    It can be differentiated twice.

    Parameters
    ----------
    x
        Flat features of `LayerPlan.irreps_in`.
    y
        (E, (l_max + 1)²) harmonics.
    w
        (E, n_weights) weights.
    form
        The layer's form.
    pairs
        Who is whose neighbour.

    Returns
    -------
    Tensor
        Flat features of `LayerPlan.after_product`.
    """
    return Convolve.apply(x, y, w, form, pairs)
