"""The engine: a model compiled for this processor, evaluated in one call without autograd."""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nequip_openmm.data.verlet import PairList
from nequip_openmm.kernels.compiler import load_library
from nequip_openmm.kernels.network_source import NetworkSource
from nequip_openmm.kernels.tables import radial_tables
from nequip_openmm.kernels.weights import pack_weights
from nequip_openmm.model.nequip import NequIP

__all__ = ["Engine", "Results"]

FloatArray = NDArray[np.float64]

DEGREES = {
    32: 3,
    64: 5,
}  # of the tables' polynomials; more digits need more terms, or many more intervals
TILE = 64  # as in network.h
ATOMS_PER_THREAD = 16  # with fewer, threads wait for each other longer than they work
ALIGNMENT = 64


class Results(NamedTuple):
    """What the engine finds, float64.

    Attributes
    ----------
    energies
        (N,) energy of every atom in eV.
    forces
        (N, 3) eV/Å.
    virial
        (B, 3, 3) symmetric -dE/dε in eV.
    """

    energies: FloatArray
    forces: FloatArray
    virial: FloatArray


class Engine:
    """A model's energies and derivatives on CPUs, as fast as they can do.

    The same numbers as `NequIP` to rounding. Safe to call from several threads, which then wait for each other.

    Parameters
    ----------
    model
        The model, on any device; later changes of its weights are not seen.
    threads
        Number of threads; None follows torch's.

    Raises
    ------
    BackendError
        If no code can be compiled here.
    """

    def __init__(self, model: NequIP, threads: int | None = None) -> None:
        self.config = model.config
        bits = 64 if model.dtype == torch.float64 else 32
        self.dtype = np.dtype(f"f{bits // 8}")
        self.source = NetworkSource(
            model.config, bits, register_bytes() // self.dtype.itemsize, DEGREES[bits]
        )
        self.library = load_library("model", self.source.text())
        self._threads = threads
        self._lock = threading.Lock()
        self._memory: dict[str, NDArray[Any]] = {}
        self._constants = self._fold(model, bits)

    @property
    def threads(self) -> int:
        """Number of threads that work on one evaluation."""
        return self._threads or torch.get_num_threads()

    @threads.setter
    def threads(self, value: int | None) -> None:
        self._threads = value

    def evaluate(
        self,
        positions: FloatArray,
        types: NDArray[np.integer[Any]],
        cells: FloatArray,
        graph: NDArray[np.integer[Any]],
        pairs: PairList,
    ) -> Results:
        """Evaluate any number of structures at once.

        The numbers depend on the number of threads in the last digits, and on nothing else. Where positions are not finite, or
        atoms lie on top of each other, energies of atoms are not finite.

        Parameters
        ----------
        positions
            (N, 3) Å of the atoms of all structures.
        types
            (N,) index of every atom's species.
        cells
            (B, 3, 3) lattice vectors as rows, Å; used with the shifts of pairs only.
        graph
            (N,) number of the structure an atom belongs to.
        pairs
            At least all pairs within the cutoff; those beyond are skipped.
        """
        n_atoms, n_graphs = len(positions), len(cells)
        results = Results(np.zeros(n_atoms), np.zeros((n_atoms, 3)), np.zeros((n_graphs, 3, 3)))
        if n_atoms == 0:
            return results
        inputs = {
            "positions": np.ascontiguousarray(positions, dtype=np.float64),
            "cells": np.ascontiguousarray(cells, dtype=np.float64),
            "types": np.ascontiguousarray(types, dtype=np.int32),
            "graph": np.ascontiguousarray(graph, dtype=np.int32),
            "first": np.ascontiguousarray(pairs.first, dtype=np.int32),
            "second": np.ascontiguousarray(pairs.second, dtype=np.int32),
            "shifts": np.ascontiguousarray(pairs.shifts, dtype=np.int32),
        }
        slots = max(1, min(self.threads, n_atoms // ATOMS_PER_THREAD))
        with self._lock:
            call = self._prepare(inputs, results, slots)
            self._run(call, slots)
        return results

    def _run(self, call: _Call, slots: int) -> None:
        evaluate = self.library.evaluate
        reference = ctypes.byref(call)
        others = [
            _team().submit(evaluate, reference, ctypes.c_int64(rank)) for rank in range(1, slots)
        ]
        evaluate(reference, ctypes.c_int64(0))
        for other in others:
            other.result()

    def _fold(self, model: NequIP, bits: int) -> dict[str, NDArray[Any]]:
        """Return all that depends on the weights and on nothing else."""
        config = model.config
        tables = [t.coefficients for t in radial_tables(model, DEGREES[bits], bits)]
        self._intervals = len(tables[0])
        cutoffs = [[config.pair_cutoff(i, j) for j in config.species] for i in config.species]
        return {
            "weights": _aligned(
                pack_weights(model, self.source.layers, self.source.shapes), self.dtype
            ),
            "tables": _aligned(self._arrange(tables), self.dtype),
            "scales": _doubles(model.scale_shift.scales),
            "shifts_of_energy": _doubles(model.scale_shift.shifts),
            "cutoffs": np.array(cutoffs, dtype=np.float64),
            "nuclear_charges": np.array(config.atomic_numbers, dtype=np.float64),
        }

    def _arrange(self, tables: list[FloatArray]) -> FloatArray:
        """Return all tables path by path, (intervals, degree + 1, padded channels) each."""
        parts = []
        for layer, table in zip(self.source.layers, tables):
            column = 0
            for path in layer.plan.paths:
                block = layer.inputs[path.block_in]
                part = np.zeros((*table.shape[:2], block.padded))
                part[..., : block.channels] = table[..., column : column + block.channels]
                column += block.channels
                parts.append(part.reshape(-1))
        return np.concatenate(parts)

    def _prepare(self, inputs: dict[str, NDArray[Any]], results: Results, slots: int) -> _Call:
        source, first = self.source, inputs["first"]
        n_atoms, n_graphs = len(inputs["positions"]), len(inputs["cells"])
        rows = -(-np.diff(first) // source.lanes) * source.lanes
        start = self._take("start", n_atoms + 1, np.int64)
        start[0] = 0
        np.cumsum(rows, out=start[1:])
        pairs = int(start[-1])
        harmonics = (self.config.l_max + 1) ** 2
        slot_forces = self._take("slot_forces", slots * n_atoms * 3, np.float64)
        slot_virial = self._take("slot_virial", slots * n_graphs * 9, np.float64)
        claimed = self._take("claimed", source.phases * slots, np.int32)
        done = self._take("done", source.phases, np.int32)
        for array in (slot_forces, slot_virial, claimed, done):
            array.fill(0)
        call = _Call(
            atoms=n_atoms,
            graphs=n_graphs,
            slots=slots,
            intervals=self._intervals,
            phases=source.phases,
            cutoff_power=self.config.polynomial_cutoff_p,
        )
        slope = slots * n_atoms * source.slope_size
        memory = {
            "sent": self._take("sent", n_atoms * source.sent_size, self.dtype),
            "sums": self._take("sums", n_atoms * source.sums_size, self.dtype),
            "scratch": self._take(
                "scratch", slots * TILE * (source.messages_size + source.tile_size), self.dtype
            ),
            "slot_forces": slot_forces,
            "slot_virial": slot_virial,
            "claimed": claimed,
            "done": done,
        }
        for name, array in {**inputs, **results._asdict(), **self._constants, **memory}.items():
            setattr(call, name, array.ctypes.data)
        for k in range(2):
            call.sent_slope[k] = self._take(f"sent_slope_{k}", slope, self.dtype).ctypes.data
        of_pairs = {
            "count": (n_atoms, np.int32),
            "neighbour": (pairs, np.int32),
            "type": (pairs, np.int32),
            "interval": (pairs, np.int32),
            "t": (pairs, self.dtype),
            "y": (pairs * harmonics, self.dtype),
            "gy": (pairs * (harmonics + 1), self.dtype),
            "vector": (pairs * 3, np.float64),
            "slope": (pairs if self.config.zbl else 0, np.float64),
        }
        call.pairs.start = start.ctypes.data
        for name, (size, dtype) in of_pairs.items():
            setattr(call.pairs, name, self._take(f"pairs_{name}", size, dtype).ctypes.data)
        return call

    def _take(self, name: str, size: int, dtype: Any) -> NDArray[Any]:
        """Return memory that is kept from call to call; it grows by more than is asked for."""
        kept = self._memory.get(name)
        if kept is None or len(kept) < size:
            kept = self._memory[name] = _empty(size + size // 8, np.dtype(dtype))
        return kept[:size]


@cache
def register_bytes() -> int:
    """Return the size of the vector registers that the compiler will use."""
    header = (resources.files("nequip_openmm.kernels") / "c" / "vector.h").read_text()
    code = f"#define REAL 32\n{header}\nint register_bytes(void) {{ return BYTES; }}\n"
    return int(load_library("registers", code).register_bytes())


@cache
def _team() -> ThreadPoolExecutor:
    """Return the threads that all engines share."""
    return ThreadPoolExecutor(thread_name_prefix="nequip-engine")


def _empty(size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return memory that begins with a line of the cache."""
    raw = np.empty(size * dtype.itemsize + ALIGNMENT, dtype=np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size * dtype.itemsize].view(dtype)


def _aligned(values: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    array = _empty(values.size, dtype)
    array[:] = values.reshape(-1)
    return array


def _doubles(values: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(values.detach().double().cpu().numpy())


def _fields(names: str, kind: Any) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class _Pairs(ctypes.Structure):
    _fields_ = _fields("start count neighbour type interval t y gy vector slope", ctypes.c_void_p)


class _Call(ctypes.Structure):
    """The structure of the same name in network.h."""

    _fields_ = [
        *_fields("atoms graphs slots intervals phases", ctypes.c_int64),
        *_fields(
            "positions cells types graph first second shifts energies forces virial "
            "weights tables scales shifts_of_energy cutoffs nuclear_charges",
            ctypes.c_void_p,
        ),
        ("cutoff_power", ctypes.c_double),
        ("pairs", _Pairs),
        *_fields("sent sums", ctypes.c_void_p),
        ("sent_slope", ctypes.c_void_p * 2),
        *_fields("scratch slot_forces slot_virial claimed done", ctypes.c_void_p),
    ]
