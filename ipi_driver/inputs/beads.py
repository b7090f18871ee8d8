"""How many beads a system needs, from its fastest vibration.

For a harmonic oscillator of angular frequency ω and P beads the mean potential energy, half the total, is

    V_P = 1/(2β) Σ_k ω² / (ω_k² + ω²),   ω_k = 2 P/(βħ) sin(πk/P),   k = 0 ... P-1

and tends to (ħω/4) coth(βħω/2). The error of the fastest vibration is the largest.

Source: K. S. Schweizer et al., J. Chem. Phys. 75, 1347 (1981), doi:10.1063/1.442141.
"""

from __future__ import annotations

import numpy as np

from nequip_openmm.units import BOLTZMANN_EV_PER_K, WAVENUMBER_TO_EV

__all__ = ["TOLERANCE", "energy_deficit", "suggested_beads"]

TOLERANCE = 0.03
"""Relative error of the fastest vibration's energy that the suggestion allows."""
_MOST_BEADS = 4096


def energy_deficit(wavenumber: float, temperature: float, beads: int) -> float:
    """Return by how much of its energy a vibration falls short with so many beads, between 0 and 1.

    Parameters
    ----------
    wavenumber
        In cm⁻¹.
    temperature
        In K.
    """
    x = wavenumber * WAVENUMBER_TO_EV / (BOLTZMANN_EV_PER_K * temperature)  # βħω
    springs = 2.0 * beads * np.sin(np.pi * np.arange(beads) / beads)  # βħ ω_k
    finite = 0.5 * np.sum(x**2 / (springs**2 + x**2))
    exact = 0.25 * x / np.tanh(0.5 * x)
    return float(1.0 - finite / exact)


def suggested_beads(wavenumber: float, temperature: float, tolerance: float = TOLERANCE) -> int:
    """Return the smallest even number of beads that brings the vibration's energy within ``tolerance`` (or 1).

    Examples
    --------
    >>> suggested_beads(3000.0, 300.0)
    30
    """
    if energy_deficit(wavenumber, temperature, 1) <= tolerance:
        return 1
    for beads in range(2, _MOST_BEADS, 2):
        if energy_deficit(wavenumber, temperature, beads) <= tolerance:
            return beads
    return _MOST_BEADS
