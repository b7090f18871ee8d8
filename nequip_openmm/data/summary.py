"""What a data set holds, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.scan import GeometryScan, scan_geometry

__all__ = ["Range", "Summary", "summarise"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """Smallest, mean and largest of some values; None stands for a value that is not finite, or no value."""

    min: float | None
    mean: float | None
    max: float | None

    @classmethod
    def of(cls, values: NDArray[Any]) -> Range | None:
        """Return the range of the finite ones among ``values``, None if there are none."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return None
        return cls(float(finite.min()), float(finite.mean()), float(finite.max()))


@dataclass(frozen=True)
class Summary:
    """What summarise returns; energies in eV, lengths in Å, forces in eV/Å, pressures in eV/Å³.

    Attributes
    ----------
    source, frames
        File and number of frames.
    atoms
        Number of atoms in a frame.
    elements
        Symbol -> number of atoms of that element in all frames.
    compositions
        Formula -> number of frames, most frequent first.
    periodicity
        Such as ``"abc"``, ``"ab"`` or ``"none"`` -> number of frames.
    cell_lengths, cell_volume
        Lengths of the lattice vectors and volumes of periodic frames, None where there are none.
    with_energy, with_forces, with_stress
        Numbers of frames with that label.
    energy_per_atom
        Range of E/N.
    force_rms
        Root of the mean square of force components.
    force_norm
        Range of |F| over atoms.
    stress_norm
        Range of the largest stress component of each frame.
    cutoff, neighbours
        Cutoff and range of the number of neighbours within it.
    shortest_distance
        Smallest distance between two atoms in any frame looked at.
    frames_scanned
        Number of frames in which neighbours were counted.
    notes
        What the reader assumed.
    """

    source: str
    frames: int
    atoms: Range | None
    elements: dict[str, int]
    compositions: dict[str, int]
    periodicity: dict[str, int]
    cell_lengths: Range | None
    cell_volume: Range | None
    with_energy: int
    with_forces: int
    with_stress: int
    energy_per_atom: Range | None
    force_rms: float | None
    force_norm: Range | None
    stress_norm: Range | None
    cutoff: float
    neighbours: Range | None
    shortest_distance: float | None
    frames_scanned: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def summarise(
    dataset: Dataset, cutoff: float, *, scan: GeometryScan | None = None, progress: bool = False
) -> Summary:
    """Measure a data set; ``scan`` may hand over a geometry scan made before with the same cutoff (Å)."""
    scan = scan_geometry(dataset, cutoff, progress=progress) if scan is None else scan
    stresses = None if dataset.stresses is None else np.abs(dataset.stresses).max(axis=(1, 2))
    norms = np.linalg.norm(dataset.forces, axis=1)
    return Summary(
        source=dataset.source,
        frames=len(dataset),
        atoms=Range.of(dataset.n_atoms),
        elements=_elements(dataset),
        compositions=_compositions(dataset),
        periodicity=_periodicity(dataset),
        cell_lengths=Range.of(_periodic_lengths(dataset)),
        cell_volume=Range.of(_volumes(dataset)),
        with_energy=int(dataset.with_energy.sum()),
        with_forces=int(dataset.with_forces.sum()),
        with_stress=int(dataset.with_stress.sum()),
        energy_per_atom=Range.of(dataset.energies / dataset.n_atoms),
        force_rms=_rms(dataset.forces),
        force_norm=Range.of(norms),
        stress_norm=None if stresses is None else Range.of(stresses),
        cutoff=float(cutoff),
        neighbours=Range.of(scan.counts),
        shortest_distance=float(scan.closest.min()) if np.isfinite(scan.closest).any() else None,
        frames_scanned=len(scan.frames),
        notes=dataset.notes,
    )


def _elements(dataset: Dataset) -> dict[str, int]:
    numbers, counts = np.unique(dataset.numbers, return_counts=True)
    return {chemical_symbols[z]: int(count) for z, count in zip(numbers, counts)}


def _compositions(dataset: Dataset) -> dict[str, int]:
    rows, counts = np.unique(dataset.compositions(), axis=0, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")
    return {_formula(dataset.species, rows[i]): int(counts[i]) for i in frequent}


def _formula(species: tuple[str, ...], row: NDArray[np.int64]) -> str:
    present = {symbol: int(n) for symbol, n in zip(species, row) if n}
    return str(Formula.from_dict(present).format("hill"))


def _periodicity(dataset: Dataset) -> dict[str, int]:
    names = ["".join(axis for axis, repeats in zip("abc", pbc) if repeats) for pbc in dataset.pbc]
    return {name or "none": count for name, count in Counter(names).most_common()}


def _periodic_lengths(dataset: Dataset) -> FloatArray:
    return np.asarray(np.linalg.norm(dataset.cells, axis=2)[dataset.pbc])


def _volumes(dataset: Dataset) -> FloatArray:
    cells = dataset.cells[dataset.pbc.all(axis=1)]
    return np.asarray(np.abs(np.linalg.det(cells[np.isfinite(cells).all(axis=(1, 2))])))


def _rms(forces: FloatArray) -> float | None:
    finite = forces[np.isfinite(forces)]
    return float(np.sqrt(np.mean(finite**2))) if len(finite) else None
