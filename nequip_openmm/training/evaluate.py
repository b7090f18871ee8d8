"""Errors of a potential on a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nequip_openmm.data import Dataset
from nequip_openmm.data.batch import Batch, collate
from nequip_openmm.data.soundness import require_sound
from nequip_openmm.errors import DataError, RunFailed
from nequip_openmm.potential import Potential
from nequip_openmm.training.loader import FrameBatches
from nequip_openmm.training.metrics import ErrorSums

__all__ = ["Errors", "evaluate_model"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Errors:
    """How far a potential is from the labels of a data set.

    Attributes
    ----------
    frames
        Number of frames.
    total
        Mean absolute, root mean square and largest errors; every name ends in the unit.
    per_species
        Force errors of the atoms of every element of the potential.
    energies, forces
        Predictions (F,) in eV and (ΣN, 3) in eV/Å, in the order of the data set.
    """

    frames: int
    total: dict[str, float]
    per_species: dict[str, dict[str, float]]
    energies: FloatArray
    forces: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """Return the errors without the predictions, ready for JSON."""
        return {**self.total, "frames": self.frames, "per_species": self.per_species}


def evaluate_model(
    potential: Potential,
    dataset: Dataset,
    batch_size: int = 32,
    advance: Callable[[int], None] | None = None,
) -> Errors:
    """Compare a potential with the energies and forces of a data set.

    Parameters
    ----------
    potential
        What is judged.
    dataset
        Labelled frames; a label that a frame lacks does not count.
    batch_size
        Frames evaluated at once, at most.
    advance
        Called with the number of frames done, for a progress bar.

    Raises
    ------
    StructureError
        If a frame holds an element that the potential does not know.
    DataError
        If there is nothing to compare with, a number is not finite or two atoms lie in one place.
    RunFailed
        If a prediction is not finite.
    """
    _check(dataset)
    frames = FrameBatches(dataset, potential.species, potential.cutoff, cache_size=0.0)
    sums = ErrorSums(potential.species, torch.device("cpu"))
    energies: list[FloatArray] = []
    forces: list[FloatArray] = []
    for batch in _batches(frames, batch_size, potential.max_edges):
        prediction = potential.predict(batch)
        sums.update(prediction, batch)
        energies.append(prediction.energy.numpy())
        forces.append(torch.as_tensor(prediction.forces).numpy())
        if advance is not None:
            advance(sums.frames)
    predicted = (np.concatenate(energies), np.concatenate(forces))
    _require_finite(*predicted)
    return Errors(sums.frames, sums.results(), sums.results_by_species(), *predicted)


def _batches(frames: FrameBatches, batch_size: int, max_edges: int) -> Iterator[Batch]:
    """Yield all frames in order, as many at once as size and memory allow."""
    waiting: list[Batch] = []
    edges = 0
    for k in range(len(frames)):
        batch = frames[k]
        n = batch.edge_index.shape[1]
        if waiting and (len(waiting) == batch_size or edges + n > max_edges):
            yield collate(waiting)
            waiting, edges = [], 0
        waiting.append(batch)
        edges += n
    yield collate(waiting)


def _check(dataset: Dataset) -> None:
    if len(dataset) == 0:
        raise DataError(f"{dataset.source}: no frames to evaluate")
    if not (dataset.with_energy.any() or dataset.with_forces.any()):
        raise DataError(f"{dataset.source}: no frame has an energy or forces to compare with")
    require_sound(dataset, ("energy", "forces"))


def _require_finite(energies: FloatArray, forces: FloatArray) -> None:
    if not (np.isfinite(energies).all() and np.isfinite(forces).all()):
        raise RunFailed(
            "the model gave an energy or force that is not finite",
            code="non-finite",
            hint="A frame is probably far from all training data; look for atoms that are too close.",
        )
