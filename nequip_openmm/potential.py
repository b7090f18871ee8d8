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
from numpy.typing import NDArray

from nequip_openmm.data.batch import Batch, collate
from nequip_openmm.data.frame import Frame, as_frame
from nequip_openmm.data.soundness import MIN_DISTANCE
from nequip_openmm.errors import BackendError, DataError, RunFailed, StructureError
from nequip_openmm.model.derivatives import Prediction, energy_and_derivatives
from nequip_openmm.model.file import ModelInfo, read_model
from nequip_openmm.model.nequip import NequIP

__all__ = ["Evaluation", "Potential", "load"]

Structure: TypeAlias = "Frame | ase.Atoms"
FloatArray: TypeAlias = "NDArray[np.float64]"

MAX_EDGES = 20_000
"""Pairs evaluated at once; more structures go into a further batch, which bounds memory.

A pair costs up to about 0.3 MB (l_max 2, both parities, 32 features, 4 layers), most of it for the derivatives.
"""


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
) -> Potential:
    """Read a model file.

    Parameters
    ----------
    device
        Such as ``"cpu"`` or ``"cuda"``; None takes a GPU if there is one.
    dtype
        Precision of the network, ``"float32"`` or ``"float64"``; None keeps that of the file.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, foreign or newer than this package.
    BackendError
        If the device or precision does not exist here.

    Examples
    --------
    >>> potential = load("model.safetensors")  # doctest: +SKIP
    >>> potential.evaluate(ase.build.molecule("CH3OH")).energy  # doctest: +SKIP
    """
    model, info = read_model(path, _device(device), _dtype(dtype))
    return Potential(model, info)


class Potential:
    """A NequIP model with what is known about it.

    Parameters
    ----------
    model
        The network.
    info
        What its file says; None describes the model as it is.
    """

    def __init__(self, model: NequIP, info: ModelInfo | None = None) -> None:
        self.model = model.eval()
        self.info = info or ModelInfo.of(model)

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
        frame = as_frame(structure)
        if len(frame) == 0:
            raise StructureError("the structure has no atoms")
        unlabelled = frame.with_labels(energy=None, forces=None, stress=None)
        batch = Batch.from_frame(unlabelled, self.species, self.cutoff)
        _refuse_overlap(batch, frame)
        return batch

    def _evaluate_all(
        self, structures: Sequence[Structure], stress: bool, named: bool
    ) -> Iterator[Evaluation]:
        waiting: list[Batch] = []
        volumes: list[float] = []
        for k, structure in enumerate(structures):
            try:
                batch, volume = self.batch(structure), _volume(as_frame(structure))
            except (StructureError, DataError) as error:
                raise type(error)(f"structure {k}: {error}" if named else str(error)) from error
            if waiting and sum(b.edge_index.shape[1] for b in (*waiting, batch)) > MAX_EDGES:
                yield from self._evaluate_batch(collate(waiting), volumes, stress)
                waiting, volumes = [], []
            waiting.append(batch)
            volumes.append(volume)
        if waiting:
            yield from self._evaluate_batch(collate(waiting), volumes, stress)

    def _evaluate_batch(
        self, batch: Batch, volumes: Sequence[float], stress: bool
    ) -> Iterator[Evaluation]:
        prediction = energy_and_derivatives(self.model, batch.to(self.device), virial=stress)
        _refuse_non_finite(prediction)
        starts = torch.bincount(batch.graph, minlength=batch.n_graphs).cumsum(0)[:-1].numpy()
        forces = np.split(_array(prediction.forces), starts)
        energies = np.split(_array(prediction.atomic_energies), starts)
        for k, volume in enumerate(volumes):
            virial = _array(prediction.virial)[k] if stress else None
            yield Evaluation(
                energy=float(prediction.energy[k]),
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


def _refuse_overlap(batch: Batch, frame: Frame) -> None:
    i, j = batch.edge_index
    vectors = batch.positions[j] - batch.positions[i] + batch.shifts @ batch.cell[0]
    distances = vectors.norm(dim=1)
    nearest = int(distances.argmin()) if len(distances) else 0
    if len(distances) and distances[nearest] < MIN_DISTANCE:
        a, b = int(i[nearest]), int(j[nearest])
        raise StructureError(
            f"atoms {a} ({frame.symbols[a]}) and {b} ({frame.symbols[b]}), counted from 0, are "
            f"{distances[nearest]:.3g} Å apart, less than {MIN_DISTANCE} Å; remove one, or check units and cell"
        )


def _refuse_non_finite(prediction: Prediction) -> None:
    parts = (prediction.energy, prediction.forces, prediction.virial)
    if all(part is None or bool(torch.isfinite(part).all()) for part in parts):
        return
    raise RunFailed(
        "the model gave an energy, force or virial that is not finite",
        code="non-finite",
        hint="The structure is probably far from all training data; look for atoms that are too close.",
    )


def _volume(frame: Frame) -> float:
    """Return the volume of the cell in Å³, infinite unless the structure repeats in all directions."""
    return abs(float(np.linalg.det(frame.cell))) if frame.pbc.all() else np.inf


def _array(tensor: torch.Tensor | None) -> FloatArray:
    return cast("FloatArray", cast("torch.Tensor", tensor).cpu().numpy())
