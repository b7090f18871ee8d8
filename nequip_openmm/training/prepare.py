"""From settings to frames, split and model: all that can be wrong with the input is found here, before anything is written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.data import Dataset, Keys, read_dataset
from nequip_openmm.data.soundness import require_sound
from nequip_openmm.data.split import Split, split_indices
from nequip_openmm.data.statistics import compute_statistics, isolated_atoms
from nequip_openmm.errors import ConfigError, DataError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.training.config import TrainingConfig, TrainingSettings

__all__ = ["Preparation", "fingerprint", "prepare", "prepare_frames", "read_frames"]

CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class Preparation:
    """A training that can begin.

    Attributes
    ----------
    train, valid, test
        Frames.
    split
        Which frames of the file these are.
    model_config
        The model, with every ``auto`` filled in.
    source
        Name and SHA-256 of the data set.
    warnings
        What a user should know, one sentence each.
    """

    train: Dataset
    valid: Dataset
    test: Dataset
    split: Split
    model_config: ModelConfig
    source: dict[str, str]
    warnings: tuple[str, ...]


def prepare(
    config: TrainingConfig,
    split: Split | None = None,
    model_config: ModelConfig | None = None,
    *,
    progress: bool = False,
) -> Preparation:
    """Read and check the data, split them, and complete the model's configuration.

    Parameters
    ----------
    split, model_config
        Those of an earlier sitting; None makes them.
    progress
        Whether progress bars may be drawn.

    Raises
    ------
    DataError
        If the data cannot be read or used.
    ConfigError
        If settings do not fit the data.
    """
    return prepare_frames(config, read_frames(config, progress=progress), split, model_config)


def prepare_frames(
    config: TrainingConfig,
    dataset: Dataset,
    split: Split | None = None,
    model_config: ModelConfig | None = None,
) -> Preparation:
    """Do what `prepare` does with frames that have been read."""
    split = split or make_split(len(dataset), config)
    warnings: tuple[str, ...] = tuple(dataset.notes)
    if model_config is None:
        model_config, notes = _complete(config, dataset, split.train)
        warnings += notes
    return Preparation(
        train=dataset.subset(split.train),
        valid=dataset.subset(split.valid),
        test=dataset.subset(split.test),
        split=split,
        model_config=model_config,
        source=fingerprint(Path(str(config.data.path))),
        warnings=warnings,
    )


def read_frames(config: TrainingConfig, *, progress: bool = False) -> Dataset:
    """Read the data set and require the labels that the loss needs."""
    data = config.data
    dataset = read_dataset(
        str(data.path),
        format=data.format,
        units=data.units,
        keys=Keys(**data.keys.model_dump()),
        progress=progress,
    )
    labels = _labels(config.training)
    if not data.allow_missing_labels:
        dataset.require(labels)
    require_sound(dataset, labels, progress=progress)
    return dataset


def make_split(n_frames: int, config: TrainingConfig) -> Split:
    """Return training, validation and test frames as asked for.

    Raises
    ------
    DataError
        If there are not enough frames.
    """
    data = config.data
    n_valid, n_test = (_count(n, n_frames) for n in (data.n_valid, data.n_test))
    n_train = n_frames - n_valid - n_test
    if data.n_train is not None:
        n_train = _count(data.n_train, n_frames)
    if n_train < 1 or n_train + n_valid + n_test > n_frames:
        raise DataError(
            f"{data.path} holds {n_frames} frames; data.n_train, n_valid and n_test ask for "
            f"{max(n_train, 1)} + {n_valid} + {n_test}; ask for less, or give data.n_test=0 for no test frames"
        )
    seed = config.training.seed if data.split_seed is None else data.split_seed
    return split_indices(n_frames, n_train, n_valid, n_test, method=data.split, seed=seed)


def fingerprint(path: Path) -> dict[str, str]:
    """Return name, absolute path and SHA-256 of a file, or of all files in a folder."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    return {"name": path.name, "path": str(path.resolve()), "sha256": digest.hexdigest()}


def _complete(
    config: TrainingConfig, dataset: Dataset, train: NDArray[np.int64]
) -> tuple[ModelConfig, tuple[str, ...]]:
    """Fill in what is ``auto``, from the training frames and isolated atoms alone."""
    model, data = config.model, config.data
    species = dataset.species if model.species == "auto" else model.species
    if missing := [s for s in dataset.species if s not in species]:
        raise ConfigError(
            f"model.species = {', '.join(species)} lacks {', '.join(missing)}, which {data.path} holds"
        )
    measured = dataset.subset(np.union1d(train, np.flatnonzero(isolated_atoms(dataset))))
    found = compute_statistics(measured, species, model.cutoff, data.isolated_atom_energies)
    complete = model.resolve(
        species, found.avg_num_neighbors, found.energy_shifts, found.forces_rms
    )
    return complete, tuple(found.warnings)


def _labels(settings: TrainingSettings) -> tuple[str, ...]:
    weights = {
        "energy": settings.energy_weight,
        "forces": settings.forces_weight,
        "stress": settings.stress_weight,
    }
    return tuple(label for label, weight in weights.items() if weight > 0.0)


def _count(size: int | float, n_frames: int) -> int:
    """Return a number of frames from a number or a fraction; a fraction is never none."""
    return size if isinstance(size, int) else max(1, round(size * n_frames))
