"""What is looked at before a run leaves anything on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipi_driver.inputs import PimdSpec, Start
from ipi_driver.inputs.beads import TOLERANCE, energy_deficit, suggested_beads
from ipi_driver.inputs.vibrations import highest_wavenumber
from nequip_openmm.errors import StructureError

if TYPE_CHECKING:
    from nequip_openmm.potential import Potential

__all__ = ["MANY_ATOMS", "check_start", "smallest_height", "warnings_about"]

SAFE_TIMESTEP_FS = {True: 0.5, False: 2.0}  # with and without hydrogen
_HYDROGEN = 1
MANY_ATOMS = 500  # the search for the fastest vibration takes some fifty evaluations


def check_start(spec: PimdSpec, start: Start) -> Potential:
    """Evaluate the start once; return the potential.

    Raises
    ------
    UserError
        For a model that cannot be read, elements it does not know, atoms that overlap, forces above the guard's limit.
    """
    from nequip_openmm.potential import load  # torch: needed here only, and by the drivers

    potential = load(
        spec.model, device=spec.device, dtype=None if spec.dtype == "auto" else spec.dtype
    )
    forces = potential.evaluate(start.frame, stress=False).forces
    if spec.is_dynamics and spec.start is None:
        _refuse_strong_forces(forces, start, spec)
    return potential


def warnings_about(
    spec: PimdSpec, start: Start, potential: Potential, wavenumber: float | None = None
) -> list[tuple[str, str]]:
    """Return (code, message) of what is allowed but seldom meant.

    Parameters
    ----------
    wavenumber
        Of the fastest vibration, cm⁻¹; None to have it found where it is needed.
    """
    found = []
    has_hydrogen = bool((start.frame.numbers == _HYDROGEN).any())
    safe = SAFE_TIMESTEP_FS[has_hydrogen]
    if spec.is_dynamics and spec.timestep > safe:
        reason = " with hydrogen atoms" if has_hydrogen else ""
        text = f"a time step of {spec.timestep:g} fs is long{reason}; up to {safe:g} fs is usual"
        found.append(("long-timestep", text))
    if start.is_periodic and (height := smallest_height(start.cell)) < potential.cutoff:
        text = (
            f"the cell is {height:.2f} Å high at its narrowest, less than the cutoff of {potential.cutoff:g} Å: "
            "atoms feel their own images; consider a larger cell"
        )
        found.append(("small-cell", text))
    if spec.mode == "rpmd" and spec.start is None:
        text = "RPMD starts from the structure, with thermal velocities but beads that are not spread; give start, the RESTART of a pimd run"
        found.append(("not-equilibrated", text))
    return found + _about_beads(spec, start, potential, wavenumber)


def _about_beads(
    spec: PimdSpec, start: Start, potential: Potential, wavenumber: float | None
) -> list[tuple[str, str]]:
    """Warn of fewer beads than the fastest vibration needs. A GLE thermostat needs fewer, which is its purpose."""
    if spec.n_beads == 1 or spec.mode == "piglet" or len(start.frame) > MANY_ATOMS:
        return []
    temperature = min(spec.temperatures, default=spec.temperature)
    if wavenumber is None:
        wavenumber = highest_wavenumber(potential, start.frame)
    needed = suggested_beads(wavenumber, temperature)
    if spec.n_beads >= needed:
        return []
    missing = energy_deficit(wavenumber, temperature, spec.n_beads)
    text = (
        f"with {spec.n_beads} beads the fastest vibration ({wavenumber:.0f} cm⁻¹) lacks {missing:.0%} of its energy at "
        f"{temperature:g} K; {needed} beads bring it within {TOLERANCE:.0%}"
    )
    return [("few-beads", text)]


def _refuse_strong_forces(forces: NDArray[np.float64], start: Start, spec: PimdSpec) -> None:
    norms = np.linalg.norm(forces, axis=1)
    atom = int(norms.argmax())
    if not norms[atom] <= spec.max_force:  # also true for NaN
        raise StructureError(
            f"structure {spec.structure}: the force on atom {atom} ({start.frame.symbols[atom]}, counted from 0) is "
            f"{norms[atom]:.1f} eV/Å, above max_force = {spec.max_force:g} eV/Å; relax it first with --mode minimise"
        )


def smallest_height(cell: NDArray[np.float64]) -> float:
    """Return the smallest distance between opposite faces of a cell, Å."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())
