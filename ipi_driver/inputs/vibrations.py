"""The fastest vibration of a structure, which says how many beads it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from nequip_openmm.data.frame import Frame
from nequip_openmm.units import ROOT_EV_PER_ANGSTROM2_AMU_TO_WAVENUMBER

if TYPE_CHECKING:
    from nequip_openmm.potential import Potential

__all__ = ["highest_wavenumber"]

_STEP = 1e-3  # Å, of the numerical derivative


def highest_wavenumber(potential: Potential, frame: Frame) -> float:
    """Return the wavenumber of the fastest vibration about a structure, cm⁻¹.

    The largest eigenvalue of the mass-weighted Hessian, whose products with vectors are central differences of forces, by
    Lanczos iteration. The structure need not be at a minimum: the stiffest direction hardly notices.
    """
    root_mass = np.sqrt(frame.to_ase().get_masses())[:, None]

    def apply(vector: np.ndarray) -> np.ndarray:
        direction = vector.reshape(-1, 3) / root_mass
        scale = _STEP / np.linalg.norm(direction, axis=1).max()
        shifted: list[Frame | Atoms] = [
            Frame.create(
                frame.numbers, frame.positions + sign * scale * direction, frame.cell, frame.pbc
            )
            for sign in (1.0, -1.0)
        ]
        forward, backward = potential.evaluate(shifted, stress=False)
        return ((backward.forces - forward.forces) / (2.0 * scale * root_mass)).ravel()

    size = 3 * len(frame)
    operator = LinearOperator((size, size), matvec=apply, dtype=float)
    start = np.random.default_rng(0).normal(size=size)
    try:
        (value,) = eigsh(operator, k=1, which="LA", tol=1e-3, v0=start, return_eigenvectors=False)
    except ArpackNoConvergence as error:  # what it has found so far is a lower bound
        value = max(error.eigenvalues, default=0.0)
    return float(np.sqrt(max(value, 0.0)) * ROOT_EV_PER_ANGSTROM2_AMU_TO_WAVENUMBER)
