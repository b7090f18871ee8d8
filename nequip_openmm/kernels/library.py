"""The compiled functions of training, and how threads share their work."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources

import torch
from torch import Tensor

from nequip_openmm.kernels.compiler import load_library
from nequip_openmm.kernels.products import products_source, triples
from nequip_openmm.kernels.threads import team

__all__ = ["address", "library", "run_parts"]

BITS = {torch.float32: 32, torch.float64: 64}


@cache
def library(l_max: int, dtype: torch.dtype) -> ctypes.CDLL:
    """Return convolution, gate and self-connection for spherical harmonics up to ``l_max`` and numbers of a type.

    Raises
    ------
    BackendError
        If nothing can be compiled here.
    """
    folder, bits = resources.files(__package__) / "c", BITS[dtype]
    matrices = sum((2 * l1 + 1) * (2 * l3 + 1) for l1, _, l3 in triples(l_max))
    parts = [
        f"#define REAL {bits}\n#define HARMONICS {(l_max + 1) ** 2}\n#define MATRICES {matrices}",
        (folder / "vector.h").read_text(),
        (folder / "species.c").read_text(),
        (folder / "products.h").read_text(),
        products_source(l_max),
        (folder / "convolution.c").read_text(),
        (folder / "gate.c").read_text(),
    ]
    found = load_library(f"training kernels l{l_max} float{bits}", "\n".join(parts))
    found.share_rows.restype = ctypes.c_int64
    return found


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return where a contiguous tensor begins; C's null for none."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def run_parts(function: Callable[..., object], calls: Sequence[Sequence[object]]) -> None:
    """Call a C function with several lists of arguments at once, one thread for each; the first is the caller's."""
    others = [team().submit(function, *arguments) for arguments in calls[1:]]
    try:
        function(*calls[0])
    finally:  # nor may Ctrl-C free memory that they use
        for other in others:
            other.result()
