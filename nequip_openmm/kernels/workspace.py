"""The engine's memory: what one evaluation works on and with, as the C code sees it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.kernels.memory_map import MemoryMap
from nequip_openmm.kernels.network_source import phase_count
from nequip_openmm.kernels.tables import DEGREE

__all__ = ["Call", "Workspace", "aligned"]

TILE = 64  # as in network.h
CACHE_LINE = 64
SPARE = (
    1.25  # the number of pairs changes at every step: memory is taken for more than is asked for
)


def _fields(names: str, kind: Any) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class Pairs(ctypes.Structure):
    """The structure of the same name in network.h."""

    _fields_ = _fields("start count neighbour type interval t y gy vector slope", ctypes.c_void_p)


class Call(ctypes.Structure):
    """The structure of the same name in network.h."""

    _fields_ = [
        *_fields("atoms graphs slots intervals phases", ctypes.c_int64),
        *_fields("positions cells types graph first second shifts", ctypes.c_void_p),
        *_fields("energies forces virial", ctypes.c_void_p),
        *_fields("weights tables scales shifts_of_energy cutoffs nuclear_charges", ctypes.c_void_p),
        ("cutoff_power", ctypes.c_double),
        ("pairs", Pairs),
        *_fields("sent sums sent_slope_even sent_slope_odd scratch", ctypes.c_void_p),
        *_fields("slot_forces slot_virial claimed done", ctypes.c_void_p),
    ]

    def point(self, names: Iterable[str], arrays: Iterable[NDArray[Any]]) -> None:
        """Let pointers point to arrays, which the caller keeps alive."""
        for name, array in zip(names, arrays):
            setattr(self, name, array.__array_interface__["data"][0])


class Workspace:
    """Memory that is kept from evaluation to evaluation and grows when it has to.

    Parameters
    ----------
    memory
        Knows how much an architecture needs.
    dtype
        Of the numbers that are computed with.
    constants
        Arrays of `Call` that stay the same.
    """

    def __init__(
        self, memory: MemoryMap, dtype: np.dtype[Any], constants: Mapping[str, NDArray[Any]]
    ) -> None:
        self.map = memory
        self.dtype = dtype
        self._constants = constants
        self._capacity = (0, 0, 0, 0)
        self._memory: list[NDArray[Any]] = []
        self._call = Call()

    def call(self, n_atoms: int, n_graphs: int, n_pairs: int, slots: int) -> Call:
        """Return the structure for an evaluation of this size; inputs and results are not set."""
        asked = (n_atoms, n_graphs, n_pairs, slots)
        if any(a > c for a, c in zip(asked, self._capacity)):
            self._grow(asked)
        self._call.atoms, self._call.graphs, self._call.slots = n_atoms, n_graphs, slots
        return self._call

    def _grow(self, asked: tuple[int, ...]) -> None:
        n_atoms, n_graphs, n_pairs, slots = (max(a, c) for a, c in zip(asked, self._capacity))
        n_pairs = int(SPARE * n_pairs) if n_pairs > self._capacity[2] else n_pairs
        self._memory.clear()
        needs = self.map
        call = Call(
            intervals=self._constants["tables"].size // (needs.n_columns * (DEGREE + 1)),
            phases=phase_count(needs),
            cutoff_power=needs.config.polynomial_cutoff_p,
        )
        call.point(self._constants, self._constants.values())
        padded = n_pairs + n_atoms * (needs.lanes - 1)  # every atom's pairs fill whole vectors
        self._add(call, self._sizes(n_atoms, n_graphs, slots))
        self._add(call.pairs, self._sizes_of_pairs(n_atoms, padded))
        self._capacity = (n_atoms, n_graphs, n_pairs, slots)
        self._call = call

    def _add(self, owner: Any, sizes: Mapping[str, tuple[int, Any]]) -> None:
        for name, (size, dtype) in sizes.items():
            array = empty(size, np.dtype(dtype))
            self._memory.append(array)
            setattr(owner, name, array.ctypes.data)

    def _sizes(self, n_atoms: int, n_graphs: int, slots: int) -> dict[str, tuple[int, Any]]:
        needs, real = self.map, self.dtype
        scratch = slots * TILE * (needs.messages_size + needs.tile_size)
        return {
            "sent": (n_atoms * needs.sent_size, real),
            "sums": (n_atoms * needs.sums_size, real),
            "sent_slope_even": (slots * n_atoms * needs.slope_size, real),
            "sent_slope_odd": (slots * n_atoms * needs.slope_size, real),
            "scratch": (scratch, real),
            "slot_forces": (slots * n_atoms * 3, np.float64),
            "slot_virial": (slots * n_graphs * 9, np.float64),
            "claimed": (phase_count(needs) * slots, np.int32),
            "done": (phase_count(needs), np.int32),
        }

    def _sizes_of_pairs(self, n_atoms: int, n_pairs: int) -> dict[str, tuple[int, Any]]:
        harmonics = (self.map.config.l_max + 1) ** 2
        return {
            "start": (n_atoms + 1, np.int64),
            "count": (n_atoms, np.int32),
            "neighbour": (n_pairs, np.int32),
            "type": (n_pairs, np.int32),
            "interval": (n_pairs, np.int32),
            "t": (n_pairs, self.dtype),
            "y": (n_pairs * harmonics, self.dtype),
            "gy": (n_pairs * (harmonics + 1), self.dtype),
            "vector": (n_pairs * 3, np.float64),
            "slope": (n_pairs if self.map.config.zbl else 0, np.float64),
        }


def empty(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return memory that begins with a line of the cache, and is as long as asked for."""
    raw = np.empty(size * dtype.itemsize + CACHE_LINE, dtype=np.uint8)
    begin = -raw.ctypes.data % CACHE_LINE
    return raw[begin : begin + size * dtype.itemsize].view(dtype)


def aligned(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a flat copy that begins with a line of the cache."""
    array = empty(values.size, dtype)
    array[:] = values.reshape(-1)
    return array
