"""What a ring polymer shows: estimators of the quantum system from its beads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray

from nequip_openmm.simulation.ring import RingState
from nequip_openmm.simulation.thermo import (
    Sample,
    Thermometer,
    forces_ev_per_angstrom,
    kinetic_ev,
    masses_amu,
    max_norm,
    positions_angstrom,
    potential_ev,
    root_mean_square,
)
from nequip_openmm.units import BOLTZMANN_EV_PER_K, REDUCED_PLANCK_SQUARED_PER_AMU

__all__ = ["RingThermometer", "kinetic_centroid_virial", "springs"]

FloatArray = NDArray[np.float64]


class RingThermometer(Thermometer):
    """Turns states of P beads into samples.

    - potential: mean of the beads', an estimator of ⟨V⟩ of the quantum system;
    - kinetic: `kinetic_centroid_virial`, at the temperature of the thermostat, in NVE that of the stage;
    - total: their sum;
    - temperature: 2 Σ_j E_kin,j / (3 N k_B P²), from the velocities of all beads, whose own temperature is P times as high; it is
      that of the thermostat on average, and not a measure of the kinetic energy of quantum particles;
    - forces: of any bead;
    - conserved, in NVE: the energy of the whole ring, kinetic and potential energies of all beads and the springs between neighbours
      (`openmm.RPMDIntegrator.getTotalEnergy`);
    - the pressure is left undefined.
    """

    def __init__(self, system: openmm.System, *arguments: Any, **options: Any) -> None:
        super().__init__(system, *arguments, **options)
        self._masses = np.array(masses_amu(system))
        self._has_pressure = False

    def measure(self, step: int, state: RingState, context: openmm.Context) -> Sample:
        """Return the sample of a state that holds energy and forces."""
        beads, count = state.beads, len(state.beads)
        energies = np.array([[potential_ev(bead), kinetic_ev(bead)] for bead in beads])  # (P, 2)
        positions = np.array([positions_angstrom(bead) for bead in beads])  # (P, N, 3)
        forces = np.array([forces_ev_per_angstrom(bead) for bead in beads])
        potential = float(energies[:, 0].mean())
        kinetic = kinetic_centroid_virial(positions, forces, state.temperature_K)
        sample = super().measure(step, state, context)  # of the first bead
        ring = energies.sum() + springs(positions, self._masses, state.temperature_K)
        return replace(
            sample,
            potential_eV=potential,
            kinetic_eV=kinetic,
            total_eV=potential + kinetic,
            temperature_K=self.temperature(float(energies[:, 1].sum()) / count**2),
            max_force_eV_per_A=max_norm(forces.reshape(-1, 3)),
            rms_force_eV_per_A=root_mean_square(forces),
            conserved_eV=None if sample.conserved_eV is None else float(ring),
        )


def kinetic_centroid_virial(positions: FloatArray, forces: FloatArray, temperature: float) -> float:
    """Return the quantum kinetic energy, eV: 3 N k_B T / 2 - 1/(2P) Σ_j Σ_i (r_ij - r̄_i) · f_ij, r̄ the mean over the beads.

    Its noise does not grow with the number of beads. J. Cao and B. J. Berne, J. Chem. Phys. 91, 6359 (1989),
    doi:10.1063/1.457403; as i-PI's ``kinetic_cv``.

    Parameters
    ----------
    positions, forces
        (P, N, 3) in Å and eV/Å.
    temperature
        K.
    """
    count, n_atoms, _ = positions.shape
    virial = ((positions - positions.mean(axis=0)) * forces).sum() / count
    return float(1.5 * n_atoms * BOLTZMANN_EV_PER_K * temperature - 0.5 * virial)


def springs(positions: FloatArray, masses: FloatArray, temperature: float) -> float:
    """Return the energy of the springs between neighbours, eV: Σ ½ m ω_P² |r_j - r_j+1|² with ω_P = P k_B T / ħ.

    Parameters
    ----------
    positions
        (P, N, 3) in Å.
    masses
        (N,) in amu.
    temperature
        K.
    """
    kt = BOLTZMANN_EV_PER_K * temperature
    stiffness = masses * (len(positions) * kt) ** 2 / REDUCED_PLANCK_SQUARED_PER_AMU  # eV/Å²
    squares = ((positions - np.roll(positions, 1, axis=0)) ** 2).sum(axis=(0, 2))
    return float(0.5 * stiffness @ squares)
