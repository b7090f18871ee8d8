"""A trained potential: structures in, energies, forces and virials out. Everything else is an adapter around it.

Sign and unit conventions are those of ``docs/physics.md``: eV, Å, eV/Å; virial W = -dE/dε in eV; stress (dE/dε)/V in
eV/Å³, tension positive; lattice vectors are rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast, overload

import ase
import numpy as np
import torch
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.data.batch import Batch, collate, species_to_types
from nequip_openmm.data.frame import Frame, as_unlabelled_frame
from nequip_openmm.data.verlet import PairList, VerletLists
from nequip_openmm.engines import EngineName, EngineOf, check_engine
from nequip_openmm.errors import BackendError, DataError, StructureError
from nequip_openmm.evaluator import Evaluator, refuse_non_finite, refuse_overlap, totals
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.model.file import ModelInfo, read_model
from nequip_openmm.model.nequip import NequIP

__all__ = ["Evaluation", "Potential", "load"]

Structure: TypeAlias = "Frame | ase.Atoms"
FloatArray: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a potential says about one structure.

    Attributes
    ----------
    energy
        Total energy in eV.
    forces
        (N, 3) -dE/dr in eV/Å.
    energies
        (N,) energy of every atom in eV; their sum is ``energy``.
    virial
        (3, 3) symmetric -dE/dε in eV, for molecules too; None if it was not asked for.
    stress
        (3, 3) -virial / volume in eV/Å³, tension positive; None unless the structure repeats in all directions.
    """

    energy: float
    forces: FloatArray
    energies: FloatArray
    virial: FloatArray | None
    stress: FloatArray | None


def load(
    path: Path | str,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    engine: EngineName = "auto",
    threads: int | None = None,
) -> Potential:
    """Read a model file.

    Parameters
    ----------
    device
        Such as ``"cpu"`` or ``"cuda"``; None takes a GPU if there is one, unless ``engine`` is ``"fused"``.
    dtype
        Precision of the network, ``"float32"`` or ``"float64"``; None keeps that of the file.
    engine, threads
        See `Potential`.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, foreign or newer than this package.
    BackendError
        If the device, precision or engine does not exist here.

    Examples
    --------
    >>> potential = load("model.safetensors")  # doctest: +SKIP
    >>> potential.evaluate(ase.build.molecule("CH3OH")).energy  # doctest: +SKIP
    """
    check_engine(engine, threads)
    place = "cpu" if device is None and engine == "fused" else device
    model, info = read_model(path, _device(place), _dtype(dtype))
    return Potential(model, info, engine, threads)


class Potential:
    """A NequIP model with what is known about it.

    Parameters
    ----------
    model
        The network.
    info
        What its file says; None describes the model as it is.
    engine
        ``"fused"``, the kernels for CPUs; ``"reference"``, the network as PyTorch runs it; or ``"auto"`` for fused on the CPU
        where it works, else reference.
    threads
        Of the fused engine; None is as many as PyTorch uses, which obeys ``OMP_NUM_THREADS``.

    Raises
    ------
    BackendError
        If ``engine`` is unknown, or is ``"fused"`` and does not work here.
    """

    def __init__(
        self,
        model: NequIP,
        info: ModelInfo | None = None,
        engine: EngineName = "auto",
        threads: int | None = None,
    ) -> None:
        self.model = model.eval()
        self.info = info or ModelInfo.of(model)
        self._engine = EngineOf(model, engine, threads)

    @property
    def species(self) -> tuple[str, ...]:
        """Elements the potential knows."""
        return self.info.config.species

    @property
    def cutoff(self) -> float:
        """Radius in Å beyond which atoms do not see each other directly."""
        return self.info.config.cutoff

    @property
    def device(self) -> torch.device:
        """Where it is evaluated."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network; positions and energies are float64 always."""
        return self.model.dtype

    @property
    def requested_engine(self) -> EngineName:
        """``"auto"``, ``"fused"`` or ``"reference"``: what was asked for."""
        return self._engine.requested

    @property
    def threads(self) -> int | None:
        """Number of threads that was asked for; None is as many as PyTorch uses."""
        return self._engine.threads

    @property
    def engine(self) -> str:
        """``"fused"`` or ``"reference"``: what computes it."""
        return self._engine.chosen().name

    @property
    def engine_reason(self) -> str:
        """Why this engine, such as what stands in the way of the fused one."""
        return self._engine.chosen().reason

    @property
    def max_edges(self) -> int:
        """Pairs of atoms that should be evaluated at once, at most, which bounds memory."""
        return self._engine.chosen().max_edges

    def evaluator(
        self, numbers: ArrayLike, pbc: ArrayLike = False, *, skin: float = 0.5
    ) -> Evaluator:
        """Return what evaluates structures of the same atoms again and again, such as the steps of a simulation, fast.

        It is made for the weights as they are now.

        Parameters
        ----------
        numbers
            (N,) atomic numbers.
        pbc
            Whether the structures repeat along each lattice vector.
        skin
            By how many Å neighbour lists reach beyond the cutoff, so that they last for several steps.

        Raises
        ------
        StructureError
            For no atoms, or an element the model does not know.

        Examples
        --------
        >>> evaluator = potential.evaluator(atoms.numbers, atoms.pbc)  # doctest: +SKIP
        >>> energy, forces, virial, energies = evaluator.evaluate(atoms.positions, atoms.cell)  # doctest: +SKIP
        """
        z = np.asarray(numbers, dtype=np.int64).reshape(-1)
        if len(z) == 0:
            raise StructureError("the structure has no atoms")
        types = species_to_types(z, self.species)
        symbols = [chemical_symbols[number] for number in z]
        return Evaluator(self._engine.chosen(), types, symbols, VerletLists(pbc, self.cutoff, skin))

    @overload
    def evaluate(self, structures: Structure, *, stress: bool = True) -> Evaluation: ...

    @overload
    def evaluate(
        self, structures: Sequence[Structure], *, stress: bool = True
    ) -> list[Evaluation]: ...

    def evaluate(
        self, structures: Structure | Sequence[Structure], *, stress: bool = True
    ) -> Evaluation | list[Evaluation]:
        """Compute energy, forces and (unless ``stress`` is false) virial and stress.

        Parameters
        ----------
        structures
            A `Frame` or ASE Atoms, or a sequence of them, which may differ in everything.

        Raises
        ------
        StructureError
            For a structure that cannot be evaluated: an element the model does not know, no atoms, atoms on top of each
            other, coordinates that are not finite, a periodic direction without a lattice vector.
        RunFailed
            If the model gives a result that is not finite.
        """
        if isinstance(structures, (Frame, ase.Atoms)):
            return next(self._evaluate_all([structures], stress, named=False))
        if not isinstance(structures, Sequence):
            raise DataError(
                f"expected ase.Atoms, a Frame or a list of them, got {type(structures).__name__}"
            )
        return list(self._evaluate_all(structures, stress, named=True))

    def batch(self, structure: Structure) -> Batch:
        """Return the checked structure and its neighbour list as tensors on the CPU; raises as `evaluate` does."""
        frame = as_unlabelled_frame(structure)
        if len(frame) == 0:
            raise StructureError("the structure has no atoms")
        batch = Batch.from_frame(frame, self.species, self.cutoff)
        refuse_overlap(frame.positions, frame.cell, _pairs(batch), frame.symbols)
        return batch

    def predict(self, batch: Batch) -> Prediction:
        """Return what the potential says about a batch that is known to be sound, as tensors on the CPU."""
        positions, cells = batch.positions.cpu().numpy(), batch.cell.cpu().numpy()
        types, graph = batch.types.cpu().numpy(), batch.graph.cpu().numpy()
        found = self._engine.chosen().engine.evaluate(positions, types, cells, graph, _pairs(batch))
        energy = totals(found.energies, graph, batch.n_graphs)
        return Prediction(*map(torch.from_numpy, (energy, *found)))

    def _evaluate_all(
        self, structures: Sequence[Structure], stress: bool, named: bool
    ) -> Iterator[Evaluation]:
        waiting: list[Batch] = []
        volumes: list[float] = []
        most = self.max_edges
        for k, structure in enumerate(structures):
            try:
                frame = as_unlabelled_frame(structure)
                batch, volume = self.batch(frame), _volume(frame)
            except (StructureError, DataError) as error:
                raise type(error)(f"structure {k}: {error}" if named else str(error)) from error
            if waiting and sum(b.edge_index.shape[1] for b in (*waiting, batch)) > most:
                yield from self._evaluate_batch(collate(waiting), volumes, stress)
                waiting, volumes = [], []
            waiting.append(batch)
            volumes.append(volume)
        if waiting:
            yield from self._evaluate_batch(collate(waiting), volumes, stress)

    def _evaluate_batch(
        self, batch: Batch, volumes: Sequence[float], stress: bool
    ) -> Iterator[Evaluation]:
        found = self.predict(batch)
        energy, all_forces, virials = (
            _array(part) for part in (found.energy, found.forces, found.virial)
        )
        refuse_non_finite(energy, all_forces, virials)
        starts = torch.bincount(batch.graph, minlength=batch.n_graphs).cumsum(0)[:-1].numpy()
        forces = np.split(all_forces, starts)
        energies = np.split(_array(found.atomic_energies), starts)
        for k, volume in enumerate(volumes):
            virial = virials[k] if stress else None
            yield Evaluation(
                energy=float(energy[k]),
                forces=forces[k],
                energies=energies[k],
                virial=virial,
                stress=None if virial is None or not np.isfinite(volume) else -virial / volume,
            )


def _device(name: torch.device | str | None) -> torch.device:
    """Return the device that is meant, if it is here."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise BackendError(f"device {str(name)!r} is not available here; use 'cpu'") from error
    return device


def _dtype(name: torch.dtype | str | None) -> torch.dtype | None:
    found = getattr(torch, name, None) if isinstance(name, str) else name
    if name is not None and found not in (torch.float32, torch.float64):
        raise BackendError(f"precision must be 'float32' or 'float64', got {name!r}")
    return found


def _pairs(batch: Batch) -> PairList:
    """Return the pairs of a batch, which are ordered by centre."""
    edge_index, shifts = batch.edge_index.cpu().numpy(), batch.shifts.cpu().numpy()
    return PairList.from_edges(edge_index, shifts, len(batch.positions))


def _volume(frame: Frame) -> float:
    """Return the volume of the cell in Å³, infinite unless the structure repeats in all directions."""
    return abs(float(np.linalg.det(frame.cell))) if frame.pbc.all() else np.inf


def _array(tensor: torch.Tensor | None) -> FloatArray:
    return cast("FloatArray", cast("torch.Tensor", tensor).numpy())
