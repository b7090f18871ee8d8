"""Numbers that a model is scaled with: energy of each element, size of forces, number of neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset, list_frames
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.errors import DataError, StructureError

__all__ = [
    "Statistics",
    "compute_statistics",
    "count_neighbours",
    "isolated_atoms",
    "sample_frames",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RANK_TOLERANCE = 1e-6
SAME_ENERGY = 1e-3  # eV; two energies of one isolated atom should not differ by more
MAX_FRAMES = 1000
MOST_NEIGHBOURS = 2000  # three times those of dense metals within 10 Å


@dataclass(frozen=True)
class Statistics:
    """What compute_statistics returns.

    Attributes
    ----------
    energy_shifts
        Symbol -> eV, what an atom of that element contributes before it interacts.
    forces_rms
        Root of the mean square of all force components, eV/Å.
    avg_num_neighbors
        Mean over atoms of the number of neighbours within the cutoff.
    warnings
        What the user should know about these numbers.
    """

    energy_shifts: dict[str, float]
    forces_rms: float
    avg_num_neighbors: float
    warnings: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def compute_statistics(
    dataset: Dataset,
    species: Sequence[str],
    cutoff: float,
    isolated_atom_energies: Mapping[str, float] | None = None,
    *,
    max_frames: int = MAX_FRAMES,
    seed: int = 0,
    progress: bool = False,
) -> Statistics:
    """Measure a data set, normally the training frames alone.

    Energy shifts are, in this order: those given; energies of isolated atoms that the data set holds (frames of one atom
    that do not repeat, or with ``config_type=IsolatedAtom``); for elements that have neither, the least-squares fit of
    ``E = sum_Z n_Z shift_Z`` over the other frames, each weighed by 1 / N.

    Parameters
    ----------
    dataset
        In eV and Å.
    species
        Elements of the model; the data set may lack some of them.
    cutoff
        In Å, for the number of neighbours.
    isolated_atom_energies
        Symbol -> eV.
    max_frames
        Neighbours are counted in this many frames at most, drawn at random.
    seed
        Of that draw.
    progress
        Whether a progress bar may appear.

    Raises
    ------
    DataError
        If a value is not finite, an element is not among ``species``, or no atom has a neighbour.
    """
    _check_input(dataset, species)
    warnings: list[str] = []
    return Statistics(
        energy_shifts=_energy_shifts(
            dataset, species, dict(isolated_atom_energies or {}), warnings
        ),
        forces_rms=_forces_rms(dataset, warnings),
        avg_num_neighbors=_mean_neighbours(dataset, cutoff, max_frames, seed, progress),
        warnings=warnings,
    )


def sample_frames(n: int, most: int, seed: int = 0) -> IntArray:
    """Return at most ``most`` of ``n`` frames, ascending; all of them where they are few."""
    if n <= most:
        return np.arange(n)
    rng = np.random.Generator(np.random.PCG64(seed))
    return np.sort(rng.choice(n, size=most, replace=False))


def count_neighbours(
    dataset: Dataset, frames: IntArray, cutoff: float, *, progress: bool = False
) -> IntArray:
    """Return the number of neighbours within ``cutoff`` of every atom of the given frames, one frame after the other.

    Raises
    ------
    DataError
        Naming the frame that has no neighbour list.
    """
    counts = [np.zeros(0, dtype=np.int64)]
    with progress_bar("counting neighbours", len(frames), progress) as at:
        for done, i in enumerate(frames):
            frame = dataset[i]
            try:
                edges, _ = neighbour_list(frame.positions, frame.cell, frame.pbc, cutoff)
            except StructureError as error:
                number = dataset.number_in_source(i)
                raise DataError(f"{dataset.source}, frame {number}: {error}") from error
            counts.append(np.bincount(edges[0], minlength=len(frame)))
            at(done)
    return np.concatenate(counts)


def isolated_atoms(dataset: Dataset) -> NDArray[np.bool_]:
    """Return (F,) which frames are one atom by itself."""
    return (dataset.n_atoms == 1) & (~dataset.pbc.any(axis=1) | dataset.isolated)


def _check_input(dataset: Dataset, species: Sequence[str]) -> None:
    unknown = [symbol for symbol in species if atomic_numbers.get(symbol, 0) == 0]
    if unknown:
        raise DataError(f"species {', '.join(unknown)} are no chemical symbols")
    others = [symbol for symbol in dataset.species if symbol not in species]
    if others:
        raise DataError(
            f"{dataset.source}: holds {', '.join(others)}, not among species {', '.join(species)}"
        )
    for label in ("positions", "cell", "energy", "forces"):
        damaged = dataset.nonfinite(label)
        if len(damaged):
            where = list_frames(damaged, len(dataset))
            raise DataError(f"{dataset.source}: {label} not finite in {where}; leave these out")


def _energy_shifts(
    dataset: Dataset, species: Sequence[str], given: dict[str, float], warnings: list[str]
) -> dict[str, float]:
    """Return the shift of every one of ``species``."""
    bad = [symbol for symbol, energy in given.items() if not np.isfinite(energy)]
    if bad:
        raise DataError(f"energy of isolated {', '.join(bad)} is not finite")
    known = {**_isolated_energies(dataset, warnings), **given}
    fitted = [symbol for symbol in species if symbol not in known and symbol in dataset.species]
    absent = [symbol for symbol in species if symbol not in known and symbol not in fitted]
    if absent:
        warnings.append(f"no frame holds {', '.join(absent)}; energy shift set to 0 eV")
    if fitted and known:
        warnings.append(
            f"no isolated-atom energy for {', '.join(fitted)}; fitted to the other frames with the rest fixed"
        )
    shifts = {**dict.fromkeys(absent, 0.0), **known, **_fit(dataset, fitted, known, warnings)}
    return {symbol: float(shifts[symbol]) for symbol in species}


def _isolated_energies(dataset: Dataset, warnings: list[str]) -> dict[str, float]:
    """Return symbol -> lowest energy of an isolated atom of that element in the data set."""
    found: dict[str, float] = {}
    for i in np.flatnonzero(isolated_atoms(dataset) & dataset.with_energy):
        symbol = chemical_symbols[dataset.numbers[dataset.offsets[i]]]
        energy = float(dataset.energies[i])
        if abs(energy - found.get(symbol, energy)) > SAME_ENERGY:
            warnings.append(f"isolated {symbol} has several energies; the lowest is taken")
        found[symbol] = min(energy, found.get(symbol, energy))
    return found


def _fit(
    dataset: Dataset, fitted: list[str], known: Mapping[str, float], warnings: list[str]
) -> dict[str, float]:
    """Fit shifts per atom; where they are not determined, stay as near as possible to the mean energy per atom."""
    frames = np.flatnonzero(dataset.with_energy & ~isolated_atoms(dataset))
    if not fitted:
        return {}
    if not len(frames):
        warnings.append("no energies to fit; energy shifts set to 0 eV")
        return dict.fromkeys(fitted, 0.0)
    n_atoms = dataset.n_atoms[frames]
    fractions = dataset.compositions()[frames] / n_atoms[:, None]
    columns = [dataset.species.index(symbol) for symbol in fitted]
    fixed = np.array([known.get(symbol, 0.0) for symbol in dataset.species])
    target = dataset.energies[frames] / n_atoms - fractions @ fixed
    matrix = fractions[:, columns]
    holds_any = matrix.any(axis=1)
    mean = target[holds_any].sum() / matrix[holds_any].sum()
    deviation, _, rank, _ = np.linalg.lstsq(
        matrix, target - mean * matrix.sum(axis=1), rcond=RANK_TOLERANCE
    )
    if rank < len(fitted):
        warnings.append(_undetermined(fitted, int(rank)))
    return dict(zip(fitted, mean + deviation))


def _undetermined(fitted: list[str], rank: int) -> str:
    return (
        f"compositions determine {rank} of {len(fitted)} energy shifts ({', '.join(fitted)}): any split of the total between "
        "them fits; training at these compositions is not affected, but other compositions, dissociation and isolated "
        "atoms will have wrong energies; give isolated-atom energies to fix them"
    )


def _forces_rms(dataset: Dataset, warnings: list[str]) -> float:
    labelled = dataset.with_forces[dataset.frame_of_atom]
    rms = float(np.sqrt(np.mean(dataset.forces[labelled] ** 2))) if labelled.any() else 0.0
    if rms > 0.0:
        return rms
    warnings.append("there are no forces other than zero; force scale set to 1 eV/Å")
    return 1.0


def _mean_neighbours(
    dataset: Dataset, cutoff: float, max_frames: int, seed: int, progress: bool
) -> float:
    together = np.flatnonzero(~isolated_atoms(dataset))
    frames = together[sample_frames(len(together), max_frames, seed)]
    first = count_neighbours(dataset, frames[:1], cutoff)
    if len(first) and first.mean() > MOST_NEIGHBOURS:
        raise DataError(
            f"{dataset.source}: an atom of frame {dataset.number_in_source(frames[0])} has {first.mean():.0f} neighbours within {cutoff:g} Å; "
            "choose a smaller cutoff, or say in which unit positions are"
        )
    counts = count_neighbours(dataset, frames, cutoff, progress=progress)
    if not counts.any():
        raise DataError(
            f"{dataset.source}: no atom has a neighbour within {cutoff:g} Å; is the cutoff or the unit of positions wrong?"
        )
    return float(counts.mean())
