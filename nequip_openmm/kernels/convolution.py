"""The convolution as one operation of torch, with derivatives of first and second order.

m_ik = Σ_j Σ_path T(x_j, Y_ij, w_ij): what `nequip_openmm.model.convolution` computes, without a tensor of the size of pairs times
paths times channels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from e3nn.o3 import Irreps
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.kernels.compiler import load_library
from nequip_openmm.kernels.products import products_source, triples
from nequip_openmm.model.irreps import LayerPlan

__all__ = ["ConvolutionForm", "Neighbours", "convolve"]

BITS = {torch.float32: 32, torch.float64: 64}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs sorted by centre.

    Attributes
    ----------
    first
        (N + 1,) int32: where the pairs of every centre begin.
    second
        (E,) int32: the neighbour of every pair.
    """

    first: Tensor
    second: Tensor

    @classmethod
    def create(cls, edge_index: Tensor, n_nodes: int) -> Neighbours:
        """Return the pairs of a neighbour list (2, E) whose centres ascend."""
        counts = torch.bincount(edge_index[0], minlength=n_nodes)
        first = torch.zeros(n_nodes + 1, dtype=torch.int32)
        torch.cumsum(counts, 0, out=first[1:])
        return cls(first, edge_index[1].to(torch.int32))

    @cached_property
    def c(self) -> CGraph:
        """What C sees of it."""
        return CGraph(len(self.first) - 1, self.first.data_ptr(), self.second.data_ptr())


class CGraph(ctypes.Structure):
    _fields_ = [
        ("nodes", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
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

    def library(self, dtype: torch.dtype) -> ctypes.CDLL:
        """Return the compiled functions for numbers of a type."""
        return _library(self.l_max, BITS[dtype])


def _tables(plan: LayerPlan) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what C reads about triples and paths, see ``convolution.c``, and the size of its workspace."""
    known = {triple: number for number, triple in enumerate(triples(plan.l_max))}
    orders = [(plan.irreps_in[p.block_in].ir.l, p.l_filter, p.ir_out.l) for p in plan.paths]
    used = sorted(set(orders))
    first_of_matrix = _starts((2 * l1 + 1) * (2 * l3 + 1) for l1, _, l3 in used)
    matrix = dict(zip(used, first_of_matrix))
    triple_rows = [(known[t], t[1] ** 2, matrix[t]) for t in used]

    channels = [plan.irreps_in[path.block_in].mul for path in plan.paths]
    covector = _starts((2 * l1 + 1) * (2 * l2 + 1) * n for (l1, l2, _), n in zip(orders, channels))
    weight = _starts(channels)
    x_block, out_block = _block_starts(plan.irreps_in), _block_starts(plan.after_product)
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


def _block_starts(irreps: Irreps) -> list[int]:
    return _starts(mul * ir.dim for mul, ir in irreps)


@cache
def _library(l_max: int, bits: int) -> ctypes.CDLL:
    folder = resources.files(__package__) / "c"
    matrices = sum((2 * l1 + 1) * (2 * l3 + 1) for l1, _, l3 in triples(l_max))
    parts = [
        f"#define REAL {bits}\n#define HARMONICS {(l_max + 1) ** 2}\n#define MATRICES {matrices}",
        (folder / "vector.h").read_text(),
        (folder / "products.h").read_text(),
        products_source(l_max),
        (folder / "convolution.c").read_text(),
    ]
    return load_library(f"convolution-l{l_max}-float{bits}", "\n".join(parts))


# --- calls of C; every one takes contiguous tensors of one type


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]


def _call(name: str, form: ConvolutionForm, pairs: Neighbours, *tensors: Tensor) -> None:
    function = getattr(form.library(tensors[0].dtype), name)
    nodes = ctypes.c_int64(len(pairs.first) - 1)
    function(
        ctypes.byref(form.c), ctypes.byref(pairs.c), ctypes.c_int64(0), nodes, *_pointers(*tensors)
    )


class Convolve(Function):
    """out = T(x, y, w)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w: Tensor, form: ConvolutionForm, pairs: Neighbours
    ) -> Tensor:
        x, y, w = x.contiguous(), y.contiguous(), w.contiguous()
        out = x.new_zeros((len(pairs.first) - 1) * form.size_out)
        _call("forward", form, pairs, x, y, w, out)
        ctx.save_for_backward(x, y, w)
        ctx.form, ctx.pairs = form, pairs
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
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
        gx, gy, gw = torch.zeros_like(x), torch.zeros_like(y), torch.zeros_like(w)
        _call("backward", form, pairs, x, y, w, g, x.new_empty(form.workspace), gx, gy, gw)
        ctx.save_for_backward(x, y, w, g)
        ctx.form, ctx.pairs = form, pairs
        return gx, gy, gw

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, dx: Tensor, dy: Tensor, dw: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, y, w, g = ctx.saved_tensors
        directions = [d.contiguous() for d in (dx, dy, dw)]
        dout, gx, gy = torch.zeros_like(g), torch.zeros_like(x), torch.zeros_like(y)
        gw, workspace = torch.empty_like(w), x.new_empty(ctx.form.workspace)
        _call(
            "double_backward",
            ctx.form,
            ctx.pairs,
            x,
            y,
            w,
            g,
            *directions,
            workspace,
            dout,
            gx,
            gy,
            gw,
        )
        return gx, gy, gw, dout, None, None


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
