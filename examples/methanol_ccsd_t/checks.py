"""Checks of the finished methanol data set; run by ``make_dataset.py --check``.

Prints one table.  Forces are compared in hartree/bohr, the unit in which they
were computed; everything else is in eV and Å.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from rich.console import Console
from rich.table import Table

import reference
from reference import BOHR_IN_ANGSTROM, HARTREE_IN_EV

#: Origins from which one frame each is differentiated numerically.
DIFFERENTIATED = ("md300", "wigner300_x1.5", "stretch_OH", "bend_HCH")
#: Coordinates (atom * 3 + axis) differentiated in each of these frames.
COORDINATES = (0, 4, 8, 9, 14)
#: Step of the five-point central differences in bohr.
STEP = 5e-3
#: Frames whose gradient is compared with PySCF's own implementation.
STOCK_COMPARISONS = 3
FORCE_UNIT = HARTREE_IN_EV / BOHR_IN_ANGSTROM


def molecule_of(frame: Atoms, shift: np.ndarray | float = 0.0):
    """Build the PySCF molecule of a frame, displaced by ``shift`` Å."""
    return reference.build_molecule(frame.get_chemical_symbols(), frame.positions + shift)


def numerical_derivative(frame: Atoms, coordinate: int) -> float:
    """Return dE/dx (hartree/bohr) from five-point central differences."""

    def energy(steps: int) -> float:
        shift = np.zeros_like(frame.positions)
        shift.flat[coordinate] = steps * STEP * BOHR_IN_ANGSTROM
        return reference.energy_only(molecule_of(frame, shift))

    near, far = energy(1) - energy(-1), energy(2) - energy(-2)
    return (8 * near - far) / (12 * STEP)


def first_of(frames: list[Atoms], origin: str) -> Atoms:
    """Return the first frame of an origin."""
    return next(frame for frame in frames if frame.info["origin"] == origin)


def differentiation_errors(frames: list[Atoms]) -> dict[str, float]:
    """Return, by origin, the largest analytic-numerical difference (hartree/bohr)."""
    errors = {}
    for origin in DIFFERENTIATED:
        frame = first_of(frames, origin)
        gradient = -frame.get_forces().ravel() / FORCE_UNIT
        errors[origin] = max(abs(numerical_derivative(frame, c) - gradient[c]) for c in COORDINATES)
    return errors


def stock_error(frames: list[Atoms]) -> float:
    """Return the largest difference from PySCF's own gradient (hartree/bohr)."""
    chosen = [first_of(frames, name) for name in DIFFERENTIATED[:STOCK_COMPARISONS]]
    return max(
        np.abs(reference.stock_gradient(molecule_of(frame)) + frame.get_forces() / FORCE_UNIT).max()
        for frame in chosen
    )


def net_force(frame: Atoms) -> float:
    """Return the norm of the total force (eV/Å)."""
    return float(np.linalg.norm(frame.get_forces().sum(axis=0)))


def net_torque(frame: Atoms) -> float:
    """Return the norm of the total torque about the origin (eV)."""
    torques = np.cross(frame.positions, frame.get_forces())
    return float(np.linalg.norm(torques.sum(axis=0)))


def closest_pair(frames: list[Atoms]) -> float:
    """Return the smallest distance between two frames (Å).

    A frame is represented by its sorted interatomic distances, so turned or
    relabelled copies count as duplicates; the distance of two frames is the
    largest difference between these.
    """
    upper = np.triu_indices(len(frames[0]), 1)
    shapes = np.array([np.sort(f.get_all_distances()[upper]) for f in frames])
    gaps = np.abs(shapes[:, None] - shapes[None]).max(axis=2)
    np.fill_diagonal(gaps, np.inf)
    return float(gaps.min())


def ranges_table(frames: list[Atoms]) -> Table:
    """Tabulate counts, energies, forces and T1 diagnostics by origin."""
    lowest = min(frame.get_potential_energy() for frame in frames)
    groups = defaultdict(list)
    for frame in frames:
        groups[frame.info["origin"]].append(frame)
    table = Table("origin", "frames", "E min-max / eV", "max |F| / eV/Å", "max T1")
    for origin, members in [*sorted(groups.items()), ("all", frames)]:
        energies = [f.get_potential_energy() - lowest for f in members]
        force = max(np.linalg.norm(f.get_forces(), axis=1).max() for f in members)
        t1 = max(f.info["t1_diagnostic"] for f in members)
        span = f"{min(energies):.3f}-{max(energies):.3f}"
        table.add_row(origin, str(len(members)), span, f"{force:.2f}", f"{t1:.4f}")
    return table


def run_checks(path: Path, console: Console) -> None:
    """Print every check of the data set at ``path``."""
    frames = read(path, index=":")
    console.print(ranges_table(frames))
    console.print(f"lowest energy     {min(f.get_potential_energy() for f in frames)} eV")
    rms = np.sqrt(np.mean([f.get_forces() ** 2 for f in frames]))
    console.print(f"RMS force component  {rms:.3f} eV/Å")
    console.print(f"largest net force    {max(map(net_force, frames)):.1e} eV/Å")
    console.print(f"largest net torque   {max(map(net_torque, frames)):.1e} eV")
    console.print(f"closest two frames   {closest_pair(frames):.1e} Å")
    console.print(f"PySCF's own gradient {stock_error(frames):.1e} hartree/bohr")
    with console.status("finite differences"):
        errors = differentiation_errors(frames)
    for origin, error in errors.items():
        console.print(f"numerical, {origin:15s} {error:.1e} hartree/bohr")
