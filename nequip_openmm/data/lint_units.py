"""Signs that the numbers of a data set are not in eV and Å.

Four independent looks: bond lengths, total energies of all-electron calculations, the size of forces, and whether forces are
the slope of the energy. Each speaks only where what it sees fits a known unit and does not fit eV and Å.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.findings import Finding
from nequip_openmm.data.scan import GeometryScan, scan_geometry
from nequip_openmm.data.similar import close_pairs
from nequip_openmm.units import (
    BOHR_TO_ANGSTROM,
    HARTREE_TO_EV,
    KCAL_PER_MOL_TO_EV,
    KJ_PER_MOL_TO_EV,
    NM_TO_ANGSTROM,
    RYDBERG_TO_EV,
)

__all__ = ["check_units", "thomas_fermi_energy"]

FloatArray = NDArray[np.float64]

ENERGY_UNITS = {
    "hartree": HARTREE_TO_EV,
    "rydberg": RYDBERG_TO_EV,
    "kcal/mol": KCAL_PER_MOL_TO_EV,
    "kJ/mol": KJ_PER_MOL_TO_EV,
}
NOBLE = [atomic_numbers[symbol] for symbol in ("He", "Ne", "Ar", "Kr", "Xe", "Rn")]
HARTREE_PER_BOHR = HARTREE_TO_EV / BOHR_TO_ANGSTROM

SLOPES = {
    "energies look like hartree while forces look like eV/Å": 1.0 / HARTREE_TO_EV,
    "energies look like kcal/mol while forces look like eV/Å": 1.0 / KCAL_PER_MOL_TO_EV,
    "energies look like kJ/mol while forces look like eV/Å": 1.0 / KJ_PER_MOL_TO_EV,
    "energies look like eV while forces look like hartree/bohr": HARTREE_PER_BOHR,
    "energies look like eV while forces look like hartree/Å": HARTREE_TO_EV,
    "energies look like eV while forces look like kcal/mol/Å": KCAL_PER_MOL_TO_EV,
    "energies look like eV while forces look like kJ/mol/nm": KJ_PER_MOL_TO_EV / NM_TO_ANGSTROM,
    "forces look like energy per bohr while positions look like Å": 1.0 / BOHR_TO_ANGSTROM,
    "positions look like bohr while forces look like energy per Å": BOHR_TO_ANGSTROM,
    "positions look like nm while forces look like energy per Å": NM_TO_ANGSTROM,
}
"""What is wrong -> dE / (-F·dx) as it then comes out."""

SLOPE_TOLERANCE = 1.25
SMALL_MOVE = (
    0.3  # Å, root mean square displacement over which a straight line may stand for the energy
)
MAX_PAIRS = 200
MIN_PAIRS = 8
COMPARED = 200
FAR = 8.0  # Å, longer than any bond, in bohr


def check_units(dataset: Dataset, scan: GeometryScan) -> Iterator[Finding]:
    """Yield warnings about units of frames with finite numbers; errors where forces contradict energies."""
    yield from _bond_lengths(dataset, scan)
    yield from _total_energies(dataset)
    yield from _force_size(dataset)
    yield from _slope(dataset)


def thomas_fermi_energy(numbers: NDArray[np.int64]) -> FloatArray:
    """Return the total energy of neutral atoms in eV, to about 1 % (H: 8 %).

    E = -0.768745 Z^(7/3) + Z²/2 - 0.2699 Z^(5/3) hartree: Thomas-Fermi with the corrections of Scott and Schwinger,
    J. Schwinger, Phys. Rev. A 24, 2353 (1981), doi:10.1103/PhysRevA.24.2353.
    """
    z = np.asarray(numbers, dtype=np.float64)
    return (-0.768745 * z ** (7 / 3) + z**2 / 2 - 0.2699 * z ** (5 / 3)) * HARTREE_TO_EV


def _bond_lengths(dataset: Dataset, scan: GeometryScan) -> Iterator[Finding]:
    """Atoms that bind lie near the sum of their covalent radii."""
    if scan.lonely.sum() > len(scan.counts) / 2:  # bonds longer than the cutoff? look further
        scan = scan_geometry(dataset, FAR, max_frames=COMPARED)
    if len(scan.nearest_ratios) < 2 or np.isin(dataset.numbers, NOBLE).mean() > 0.2:
        return
    ratio = float(np.median(scan.nearest_ratios))
    for unit, low, high in (("bohr", 1.6, 2.3), ("nm", 0.06, 0.2)):
        if low < ratio < high:
            yield Finding.of(
                "warning",
                "units-positions",
                f"nearest neighbours lie at {ratio:.2f} times the sum of covalent radii: positions look like {unit}; "
                "if so, say with --units in which unit they are",
            )


def _total_energies(dataset: Dataset) -> Iterator[Finding]:
    """Total energies of all-electron calculations are those of the atoms to a few parts in a thousand."""
    frames = np.flatnonzero(dataset.with_energy)
    if not len(frames):
        return
    atoms = np.bincount(dataset.frame_of_atom, thomas_fermi_energy(dataset.numbers))
    ratio = float(np.median(dataset.energies[frames] / atoms[frames]))
    for unit, factor in ENERGY_UNITS.items():
        if abs(ratio * factor - 1.0) < 0.05:
            yield Finding.of(
                "warning",
                "units-energy",
                f"energies are those of all electrons if their unit is {unit}: they look like {unit}; "
                "if so, say so with --units",
            )


def _force_size(dataset: Dataset) -> Iterator[Finding]:
    """Forces of thermal motion are some eV/Å."""
    forces = dataset.forces[dataset.with_forces[dataset.frame_of_atom]]
    rms = float(np.sqrt(np.mean(forces**2))) if len(forces) else 0.0
    if rms > 10.0:
        unit = "kcal/mol/Å" if rms < 150.0 else "kJ/mol/nm"
        yield Finding.of(
            "warning",
            "units-forces",
            f"RMS force {rms:.3g}: forces look like {unit} rather than eV/Å; if so, say so with --units",
        )


def _slope(dataset: Dataset) -> Iterator[Finding]:
    """Between two close frames dE = -F·dx, with the mean of both forces."""
    works, changes, sizes = _close_frames(dataset)
    if len(works) < MIN_PAIRS or not works.any() or not changes.any():
        return
    typical_work, typical_change = (float(np.median(np.abs(x))) for x in (works, changes))
    if typical_work == 0.0 or typical_change == 0.0:
        return  # most pairs are copies of one another
    agreement = float(works @ changes / np.sqrt(works @ works * (changes @ changes)))
    slope = typical_change / typical_work
    if agreement < -0.7:
        yield Finding.of(
            "error",
            "forces-sign",
            "energy falls against the forces: forces have the wrong sign (gradients instead of forces?)",
        )
    elif agreement > 0.7:
        yield from _wrong_slope(slope, agreement, sizes)


def _wrong_slope(slope: float, agreement: float, n_atoms: FloatArray) -> Iterator[Finding]:
    tolerance = SLOPE_TOLERANCE if agreement > 0.9 else 2.5
    if 1.0 / tolerance < slope < tolerance:
        return
    known = {**SLOPES, "energies look like energies per atom": float(1.0 / np.median(n_atoms))}
    distance = {text: abs(np.log(slope / value)) for text, value in known.items()}
    nearest = [t for t in sorted(distance, key=distance.__getitem__) if distance[t] < np.log(1.25)]
    sure = bool(nearest) and agreement > 0.9
    if not sure and 1.0 / 4.0 < slope < 4.0:
        return  # frames that are not close enough give this much
    guess = " or ".join(nearest[:2]) or "energies and forces are in units that do not go together"
    yield Finding.of(
        "error" if sure else "warning",
        "units-mixed",
        f"between close frames the energy changes by {slope:.3g} times -F·dx: {guess}; say units with --units",
    )


def _close_frames(dataset: Dataset) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return -F·dx, dE and number of atoms for pairs of close frames."""
    usable = np.flatnonzero(dataset.with_energy & dataset.with_forces)
    part = dataset.subset(usable)
    rows = []
    for i, j, move, rotation in islice(close_pairs(part, COMPARED, SMALL_MOVE), MAX_PAIRS):
        first, second = part.forces_of(i), part.forces_of(j)
        force = 0.5 * (first + second @ rotation)
        rows.append((-np.sum(force * move), part.energies[j] - part.energies[i], len(move)))
    works, changes, sizes = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return works, changes, sizes
