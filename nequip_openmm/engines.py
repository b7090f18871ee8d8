"""The two ways of computing a potential, behind one signature: fused kernels on the CPU, and the network as PyTorch runs it.

The reference is the network itself, on any device, differentiated by autograd. The fused engine computes the same numbers, many
times faster; it is the default wherever it works.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nequip_openmm.data.batch import Batch
from nequip_openmm.data.verlet import PairList
from nequip_openmm.errors import BackendError, nearest
from nequip_openmm.kernels.engine import Engine as FusedEngine
from nequip_openmm.kernels.engine import Results
from nequip_openmm.model.derivatives import energy_and_derivatives
from nequip_openmm.model.nequip import NequIP

__all__ = [
    "MAX_EDGES",
    "Chosen",
    "Engine",
    "EngineName",
    "EngineOf",
    "ReferenceEngine",
    "Results",
    "choose_engine",
]

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
EngineName = Literal["auto", "fused", "reference"]

MAX_EDGES = {"reference": 20_000, "fused": 2_000_000}
"""Pairs evaluated at once; more structures go into a further batch, which bounds memory.

In the reference a pair costs up to about 0.3 MB (l_max 2, both parities, 32 features, 4 layers), most of it for derivatives.
"""


class Engine(Protocol):
    """Computes a potential for structures with neighbour lists; safe to call from several threads."""

    def evaluate(
        self,
        positions: FloatArray,
        types: NDArray[np.int64],
        cells: FloatArray,
        graph: NDArray[np.int64],
        pairs: PairList,
    ) -> Results:
        """Evaluate a batch.

        Parameters
        ----------
        positions
            (N, 3) Å.
        types
            (N,) index of every atom's element in the model's species.
        cells
            (B, 3, 3) lattice vectors as rows, Å.
        graph
            (N,) number of the structure that every atom belongs to, ascending.
        pairs
            All pairs within the cutoff; what lies beyond it does not matter.
        """


class ReferenceEngine:
    """The network as it is, differentiated by autograd, on the device where its weights lie."""

    def __init__(self, model: NequIP) -> None:
        self.model = model

    def evaluate(
        self,
        positions: FloatArray,
        types: NDArray[np.int64],
        cells: FloatArray,
        graph: NDArray[np.int64],
        pairs: PairList,
    ) -> Results:
        """Evaluate a batch; see `Engine`."""
        edge_index, shifts = self._within_cutoff(positions, cells, graph, pairs)
        batch = Batch(
            positions=torch.from_numpy(positions),
            types=torch.from_numpy(types),
            edge_index=torch.from_numpy(edge_index),
            shifts=torch.from_numpy(shifts),
            cell=torch.from_numpy(cells),
            graph=torch.from_numpy(graph),
        )
        found = energy_and_derivatives(self.model, batch.to(self.model.device), virial=True)
        forces, virial = cast("torch.Tensor", found.forces), cast("torch.Tensor", found.virial)
        return Results(
            found.atomic_energies.cpu().numpy(), forces.cpu().numpy(), virial.cpu().numpy()
        )

    def _within_cutoff(
        self, positions: FloatArray, cells: FloatArray, graph: NDArray[np.int64], pairs: PairList
    ) -> tuple[NDArray[np.int64], FloatArray]:
        """Return edge index (2, E) and shifts (E, 3) of the pairs closer than the cutoff, which is all that costs."""
        centres = pairs.centres
        translations = np.einsum("ei,eij->ej", pairs.shifts, cells[graph[centres]])
        r = positions[pairs.second] - positions[centres] + translations
        is_near = np.einsum("ei,ei->e", r, r) < self.model.config.cutoff**2
        edge_index = np.stack([centres[is_near], pairs.second[is_near]]).astype(np.int64)
        return edge_index, pairs.shifts[is_near].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Chosen:
    """An engine, and why it was taken.

    Attributes
    ----------
    name
        ``"fused"`` or ``"reference"``.
    reason
        Why this one.
    """

    engine: Engine
    name: str
    reason: str

    @property
    def max_edges(self) -> int:
        """Pairs that should be evaluated at once, at most."""
        return MAX_EDGES[self.name]


def check_engine(name: str, threads: int | None = None) -> None:
    """Raise `BackendError` for an engine that does not exist, or a number of threads that makes no sense."""
    if threads is not None and (isinstance(threads, bool) or not threads >= 1):
        raise BackendError(f"threads must be a positive whole number or None, got {threads!r}")
    known = get_args(EngineName)
    if name not in known:
        raise BackendError(
            f"engine {name!r} is unknown{nearest(str(name), known)}; choose auto, fused or reference"
        )


def choose_engine(model: NequIP, wanted: str = "auto", threads: int | None = None) -> Chosen:
    """Return the engine for a model.

    Parameters
    ----------
    wanted
        ``"fused"``, ``"reference"``, or ``"auto"`` for fused on the CPU where it works, else reference.
    threads
        Of the fused engine; None is as many as PyTorch uses, which obeys ``OMP_NUM_THREADS``.

    Raises
    ------
    BackendError
        If the engine is unknown, or ``"fused"`` does not work here.
    """
    check_engine(wanted, threads)
    if wanted == "reference":
        return Chosen(ReferenceEngine(model), "reference", "asked for")
    try:
        return Chosen(_fused(model, threads), "fused", "the model is on the CPU")
    except BackendError as error:
        if wanted == "fused":
            raise
        # a model on a GPU is expected; on the CPU everything takes many times longer
        level = logging.WARNING if model.device.type == "cpu" else logging.INFO
        logger.log(level, "the fast engine cannot be used, the reference is: %s", error)
        return Chosen(ReferenceEngine(model), "reference", str(error))


class EngineOf:
    """The engine of a model: made when it is first wanted, and again when weights have changed.

    Copies and pickles hold what was asked for, not the engine.

    Parameters
    ----------
    model, requested, threads
        See `choose_engine`.

    Raises
    ------
    BackendError
        As `choose_engine` does; at once where ``"fused"`` was asked for.
    """

    def __init__(self, model: NequIP, requested: EngineName, threads: int | None) -> None:
        check_engine(requested, threads)
        self.model = model
        self.requested: EngineName = requested
        self.threads = threads
        self._chosen: Chosen | None = None
        self._weights: list[Tensor] = []  # that the engine was made for
        self._state: list[Any] = []
        self._lock = threading.Lock()
        if requested == "fused":
            self.chosen()  # says now what stands in its way

    def chosen(self) -> Chosen:
        """Return the engine for the weights as they are."""
        with self._lock:
            weights = _tensors_of(self.model)
            state = [_state_of(tensor) for tensor in weights]
            if self._chosen is None or state != self._state:
                self._chosen = choose_engine(self.model, self.requested, self.threads)
                self._weights, self._state = weights, state
            return self._chosen

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "requested": self.requested, "threads": self.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _chosen=None, _weights=[], _state=[], _lock=threading.Lock())


def _tensors_of(module: nn.Module) -> list[Tensor]:
    """Return parameters and buffers; `torch.nn.Module.parameters` takes ten times as long, of every evaluation."""
    own = [*module._parameters.values(), *module._buffers.values()]
    found = [tensor for tensor in own if tensor is not None]
    for child in module._modules.values():
        if child is not None:
            found += _tensors_of(child)
    return found


def _state_of(tensor: Tensor) -> tuple[Any, ...]:
    """Return what is different when a number in it has changed, except through ``tensor.data``, which PyTorch does not count."""
    return id(tensor), tensor.data_ptr(), tensor._version, tensor.dtype


def _fused(model: NequIP, threads: int | None) -> Engine:
    """Return the fused engine of a model; raises `BackendError` with the reason if it does not work."""
    if model.device.type != "cpu":
        raise BackendError(
            f"engine 'fused' runs on the CPU, the model is on {model.device}: load it with device='cpu'"
        )
    return FusedEngine(model, threads)
