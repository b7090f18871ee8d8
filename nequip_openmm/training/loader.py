"""Frames to batches: neighbour lists made once, an order that only depends on seed and epoch, an equal share for every process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nequip_openmm.data.batch import Batch, collate
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.errors import StructureError

__all__ = [
    "FrameBatches",
    "Position",
    "TrainingLoader",
    "ValidationLoader",
    "epoch_order",
    "size_in_bytes",
]

BYTES_PER_GIB = 2**30


@dataclass
class Position:
    """Where a training stands; what lies before it has been learnt from, to the last frame.

    Attributes
    ----------
    epoch
        Complete epochs.
    batch
        Complete batches of the epoch under way.
    step
        Complete steps in all.
    elapsed
        Seconds spent training, over all sittings.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    elapsed: float = 0.0


class FrameBatches:
    """One-structure batches of a data set's frames, with every label: NaN where the frame has none.

    Parameters
    ----------
    dataset
        The frames.
    species
        Chemical symbols in the order of the type numbers.
    cutoff
        Radius of the neighbour lists, Å.
    cache_size
        GiB of batches kept in memory; the rest is made anew when asked for.
    """

    def __init__(
        self, dataset: Dataset, species: Sequence[str], cutoff: float, cache_size: float
    ) -> None:
        self.dataset = dataset
        self.species = tuple(species)
        self.cutoff = cutoff
        self._kept: dict[int, Batch] = {}
        self._bytes_left = cache_size * BYTES_PER_GIB

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Batch:
        """Return the batch of one frame."""
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        batch = _with_all_labels(self._made(index))
        size = size_in_bytes(batch)
        if size <= self._bytes_left:
            self._kept[index] = batch
            self._bytes_left -= size
        return batch

    def _made(self, index: int) -> Batch:
        try:
            return Batch.from_frame(self.dataset[index], self.species, self.cutoff)
        except StructureError as error:
            number = self.dataset.number_in_source(index)
            raise StructureError(f"{self.dataset.source}, frame {number}: {error}") from error

    def collate(self, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
        """Return the batch of several frames."""
        return collate([self[int(i)] for i in indices])


class TrainingLoader:
    """Yields the batches of one epoch, from the position on that the training has reached.

    A batch is the same set of frames whatever the number of processes; every process gets its share of it. It has no
    length on purpose: a resumed epoch is shorter than the others.

    Parameters
    ----------
    frames
        The training frames.
    batch_size
        Frames a batch, over all processes.
    seed
        Seed of the order.
    position
        Read at the beginning of every epoch.
    rank, world_size
        Number of this process, and of all.
    """

    def __init__(
        self,
        frames: FrameBatches,
        batch_size: int,
        seed: int,
        position: Position,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.frames = frames
        self.batch_size = batch_size
        self.seed = seed
        self.position = position
        self.rank = rank
        self.world_size = world_size

    def __iter__(self) -> Iterator[Batch]:
        order = epoch_order(len(self.frames), self.seed, self.position.epoch)
        for start in range(self.position.batch * self.batch_size, len(order), self.batch_size):
            yield self._share(order[start : start + self.batch_size])

    def _share(self, indices: NDArray[np.int64]) -> Batch:
        mine = indices[self.rank :: self.world_size]
        if len(mine) > 0:
            return self.frames.collate(mine)
        return _without_labels(self.frames[int(indices[0])])  # takes part, teaches nothing


class ValidationLoader:
    """Yields all frames in order, every process its share.

    Parameters
    ----------
    frames
        The validation frames.
    batch_size
        Frames a batch.
    rank, world_size
        Number of this process, and of all.
    """

    def __init__(
        self, frames: FrameBatches, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.frames = frames
        mine = np.arange(len(frames))[rank::world_size]
        self.parts = [mine[k : k + batch_size] for k in range(0, len(mine), batch_size)]

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Batch]:
        for indices in self.parts:
            yield self.frames.collate(indices)


def epoch_order(n_frames: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of frames in an epoch; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, epoch]).permutation(n_frames)


def _with_all_labels(batch: Batch) -> Batch:
    return replace(
        batch,
        energy=_or_nan(batch.energy, batch.cell[:, 0, 0]),
        forces=_or_nan(batch.forces, batch.positions),
        stress=_or_nan(batch.stress, batch.cell),
    )


def _or_nan(label: Tensor | None, like: Tensor) -> Tensor:
    return torch.full_like(like, torch.nan) if label is None else label


def _without_labels(batch: Batch) -> Batch:
    return _with_all_labels(replace(batch, energy=None, forces=None, stress=None))


def size_in_bytes(batch: Batch) -> int:
    """Return the memory that a batch takes."""
    tensors = [value for value in vars(batch).values() if isinstance(value, Tensor)]
    return sum(t.numel() * t.element_size() for t in tensors)
