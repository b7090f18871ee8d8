"""The self-connection's weights for every element."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nequip_openmm.kernels.library import address

__all__ = ["fold_embedding"]


def fold_embedding(
    embedding: Tensor, weights: Sequence[Tensor], scales: Sequence[float], library: ctypes.CDLL
) -> tuple[Tensor, ...]:
    """Return scale Σ_c a_tc W_ucv (types, n_in, n_out) for every W (n_in, width, n_out); differentiable once.

    Atoms of one element see one matrix, so what concerns its vector ``embedding`` a (types, width) is done once, not for every atom.
    These weights are most of a model's parameters, so each is read once here and its gradient written once.
    """
    return FoldEmbedding.apply(library, scales, embedding, *weights) if weights else ()


class FoldEmbedding(Function):
    """All self-connections at once."""

    @staticmethod
    def forward(
        ctx: Any,
        library: ctypes.CDLL,
        scales: Sequence[float],
        embedding: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(embedding, *weights)
        ctx.library, ctx.scales = library, scales
        folded = []
        for scale, weight in zip(scales, weights):
            n_in, _, n_out = weight.shape
            folded.append(weight.new_empty(len(embedding), n_in, n_out))
            arrays = (address(array) for array in (embedding, weight, folded[-1]))
            library.fold(*_sizes(embedding, weight), ctypes.c_double(scale), *arrays)
        return tuple(folded)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *g: Tensor) -> tuple[Any, ...]:
        embedding, *weights = ctx.saved_tensors
        of_embedding = torch.zeros_like(embedding)
        of_weights = []
        for scale, weight, g_folded in zip(ctx.scales, weights, g):
            of_weights.append(torch.empty_like(weight))
            tensors = (embedding, weight, g_folded.contiguous(), of_embedding, of_weights[-1])
            arrays = [address(tensor) for tensor in tensors]
            ctx.library.fold_backward(*_sizes(embedding, weight), ctypes.c_double(scale), *arrays)
        return (None, None, of_embedding, *of_weights)


def _sizes(embedding: Tensor, weight: Tensor) -> list[ctypes.c_int64]:
    return [ctypes.c_int64(size) for size in (len(embedding), *weight.shape)]
