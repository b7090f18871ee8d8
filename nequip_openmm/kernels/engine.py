"""The engine: a model compiled for this processor, evaluated in one call without autograd."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nequip_openmm.data.verlet import PairList
from nequip_openmm.kernels.compiler import load_library
from nequip_openmm.kernels.memory_map import MemoryMap
from nequip_openmm.kernels.network_source import network_source
from nequip_openmm.kernels.tables import radial_tables
from nequip_openmm.kernels.threads import team
from nequip_openmm.kernels.weights import pack_weights
from nequip_openmm.kernels.workspace import Call, Workspace, aligned
from nequip_openmm.model.nequip import NequIP

__all__ = ["Engine", "Results"]

FloatArray = NDArray[np.float64]

ATOMS_PER_THREAD = 16  # with fewer, threads wait for each other longer than they work
INPUTS_AND_RESULTS = (
    *("positions", "cells", "types", "graph", "first", "second", "shifts"),
    *("energies", "forces", "virial"),
)


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
        lanes = register_bytes() // self.dtype.itemsize
        self.memory = MemoryMap(model.config, lanes)
        self.library = load_library("kernels of the model", network_source(self.memory, bits))
        self._threads = threads
        self._lock = threading.Lock()
        self._workspace = Workspace(self.memory, self.dtype, self._fold(model, bits))

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
        slots = max(1, min(self.threads, n_atoms // ATOMS_PER_THREAD))
        arrays = (
            np.ascontiguousarray(positions, dtype=np.float64),
            np.ascontiguousarray(cells, dtype=np.float64),
            np.ascontiguousarray(types, dtype=np.int32),
            np.ascontiguousarray(graph, dtype=np.int32),
            np.ascontiguousarray(pairs.first, dtype=np.int32),
            np.ascontiguousarray(pairs.second, dtype=np.int32),
            np.ascontiguousarray(pairs.shifts, dtype=np.int32),
            *results,
        )
        with self._lock:
            call = self._workspace.call(n_atoms, n_graphs, len(pairs.second), slots)
            call.point(INPUTS_AND_RESULTS, arrays)
            self._run(call, slots)
        return results

    def _run(self, call: Call, slots: int) -> None:
        reference = ctypes.byref(call)
        self.library.prepare(reference)
        evaluate = self.library.evaluate
        others = [
            team().submit(evaluate, reference, ctypes.c_int64(rank)) for rank in range(1, slots)
        ]
        try:
            evaluate(reference, ctypes.c_int64(0))
        finally:  # nor may Ctrl-C free memory that they use
            for other in others:
                if not other.cancel():  # one that has not begun is not needed any more
                    other.result()

    def _fold(self, model: NequIP, bits: int) -> dict[str, NDArray[Any]]:
        """Return all that depends on the weights and on nothing else."""
        config = model.config
        tables = [t.coefficients for t in radial_tables(model, bits)]
        embedding = model.edge_embedding
        cutoffs = (
            _doubles(embedding.pair_cutoffs)
            if embedding.has_pair_cutoffs
            else np.full((len(config.species),) * 2, config.cutoff)
        )
        return {
            "weights": aligned(
                pack_weights(model, self.memory.layers, self.memory.shapes), self.dtype
            ),
            "tables": aligned(self._arrange(tables), self.dtype),
            "scales": _doubles(model.scale_shift.scales),
            "shifts_of_energy": _doubles(model.scale_shift.shifts),
            "cutoffs": cutoffs,
            "nuclear_charges": np.array(config.atomic_numbers, dtype=np.float64),
        }

    def _arrange(self, tables: list[FloatArray]) -> FloatArray:
        """Return all tables path by path, each (intervals, DEGREE + 1, padded channels)."""
        parts = []
        for layer, table in zip(self.memory.layers, tables):
            column = 0
            for path in layer.plan.paths:
                block = layer.inputs[path.block_in]
                part = np.zeros((*table.shape[:2], block.padded))
                part[..., : block.channels] = table[..., column : column + block.channels]
                column += block.channels
                parts.append(part.reshape(-1))
        return np.concatenate(parts)


@cache
def register_bytes() -> int:
    """Return the size of the vector registers that the compiler will use."""
    header = (resources.files("nequip_openmm.kernels") / "c" / "vector.h").read_text()
    code = f"#define REAL 32\n{header}\nint register_bytes(void) {{ return BYTES; }}\n"
    return int(load_library("registers", code, announces=False).register_bytes())


def _doubles(values: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(values.detach().double().cpu().numpy())
