"""What a thermometer, a barometer and a dynamometer show at one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit

from nequip_openmm.units import (
    AMU_PER_ANGSTROM3_TO_G_PER_CM3,
    ANGSTROM_TO_NM,
    BOLTZMANN_EV_PER_K,
    EV_PER_ANGSTROM3_TO_BAR,
    FS_TO_PS,
    KJ_PER_MOL_TO_EV,
    NM_TO_ANGSTROM,
)

__all__ = [
    "COLUMNS",
    "Sample",
    "Thermometer",
    "beads_of",
    "degrees_of_freedom",
    "forces_ev_per_angstrom",
    "positions_angstrom",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One row of ``thermo.csv``; None where a quantity is not defined.

    The name of each field ends in its unit. ``conserved_eV`` is what exact dynamics would keep constant: the total energy
    in the NVE ensemble, with a Nosé-Hoover chain that of atoms and chain; the Langevin thermostat and the Monte Carlo
    barostat have no such quantity. ``rms_force_eV_per_A`` is the root mean square of all force components. ``stage`` is counted from 1.
    """

    step: int
    time_ps: float
    potential_eV: float
    kinetic_eV: float
    total_eV: float
    temperature_K: float
    volume_A3: float | None
    density_g_per_cm3: float | None
    pressure_bar: float | None
    max_force_eV_per_A: float
    rms_force_eV_per_A: float
    conserved_eV: float | None
    stage: int

    def to_csv(self, columns: Sequence[str]) -> str:
        """Return those fields as text, every digit of them, so that analysis sees what was simulated; others are empty."""
        values = (getattr(self, column, None) for column in columns)
        return ",".join("" if value is None else repr(value) for value in values)


COLUMNS = tuple(field.name for field in fields(Sample))


_STRAIN = 1e-3  # of every length, for the derivative of the energy with volume


class Thermometer:
    """Turns OpenMM states into samples.

    Parameters
    ----------
    system
        Gives masses, constraints and whether the centre of mass is kept at rest.
    timestep_fs
        Time step in fs; time is step × time step, without the rounding that a sum of steps collects.
    conserves_energy
        Whether the dynamics has a conserved quantity.
    bath_ev
        Returns the energy in eV of a thermostat, to be counted in the conserved quantity.
    stage
        Stage of the run that the dynamics is, counted from 1.
    """

    def __init__(
        self,
        system: openmm.System,
        timestep_fs: float,
        *,
        conserves_energy: bool,
        bath_ev: Callable[[], float] = lambda: 0.0,
        stage: int = 1,
    ) -> None:
        self._dof = degrees_of_freedom(system)
        self._mass = sum(masses_amu(system))
        self._is_periodic = system.usesPeriodicBoundaryConditions()
        self._timestep_fs = timestep_fs
        self._conserves_energy = conserves_energy
        self._n_massive = sum(mass > 0 for mass in masses_amu(system))
        self._bath_ev = bath_ev
        is_rigid = system.getNumConstraints() > 0 or any(m == 0 for m in masses_amu(system))
        self._has_pressure = self._is_periodic and not is_rigid
        self._stage = stage

    def measure(self, step: int, state: openmm.State, context: openmm.Context) -> Sample:
        """Return the sample of a state that holds energy and forces.

        The pressure of a periodic system takes two more evaluations of the potential; parts that cannot be stretched, rigid
        bonds and virtual sites, leave it undefined.
        """
        potential, forces = potential_ev(state), forces_ev_per_angstrom(state)
        kinetic = kinetic_ev(state)
        volume = _volume_angstrom3(state) if self._is_periodic else None
        return Sample(
            step=step,
            time_ps=step * self._timestep_fs * FS_TO_PS,
            potential_eV=potential,
            kinetic_eV=kinetic,
            total_eV=potential + kinetic,
            temperature_K=self.temperature(kinetic),
            volume_A3=volume,
            density_g_per_cm3=None
            if volume is None
            else self._mass / volume * AMU_PER_ANGSTROM3_TO_G_PER_CM3,
            pressure_bar=None
            if volume is None or not self._has_pressure
            else self._pressure(kinetic, volume, state, context),
            max_force_eV_per_A=max_norm(forces),
            rms_force_eV_per_A=root_mean_square(forces),
            conserved_eV=potential + kinetic + self._bath_ev() if self._conserves_energy else None,
            stage=self._stage,
        )

    def temperature(self, kinetic_ev: float) -> float:
        """Return 2 E_kin / (k_B × degrees of freedom), K."""
        return 2.0 * kinetic_ev / (BOLTZMANN_EV_PER_K * self._dof)

    def _pressure(
        self, kinetic_ev: float, volume: float, state: openmm.State, context: openmm.Context
    ) -> float:
        """Return N k_B T / V - dU/dV in bar, dU/dV from a cell that is a little larger and one that is a little smaller.

        OpenMM's own `computeCurrentPressure` holds Python's lock, under which PyTorch refuses to differentiate. N k_B T counts
        the degree of freedom of the centre of mass in, as the barostat does.
        """
        larger, smaller = (
            _energy_scaled(factor, state, context) for factor in (1.0 + _STRAIN, 1.0 - _STRAIN)
        )
        _restore(state, context)
        slope = (larger - smaller) / (6.0 * _STRAIN * volume)  # dU/dV, as dV = 3 V ε
        ideal = self._n_massive * BOLTZMANN_EV_PER_K * self.temperature(kinetic_ev) / volume
        return (ideal - slope) * EV_PER_ANGSTROM3_TO_BAR


def degrees_of_freedom(system: openmm.System) -> int:
    """Return 3 for every particle with mass, less the constraints, less 3 when the centre of mass is kept at rest."""
    massive = [mass > 0 for mass in masses_amu(system)]
    constraints = sum(
        massive[i] or massive[j]
        for i, j, _ in (
            system.getConstraintParameters(k) for k in range(system.getNumConstraints())
        )
    )
    at_rest = any(isinstance(force, openmm.CMMotionRemover) for force in system.getForces())
    return 3 * sum(massive) - constraints - (3 if at_rest else 0)


def masses_amu(system: openmm.System) -> list[float]:
    """Return the mass of every particle, amu; 0 for one that does not move by itself."""
    return [
        system.getParticleMass(i).value_in_unit(unit.dalton)
        for i in range(system.getNumParticles())
    ]


def positions_angstrom(state: openmm.State) -> FloatArray:
    """Return (N, 3) positions in Å."""
    positions: FloatArray = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    return positions * NM_TO_ANGSTROM


def cell_angstrom(state: openmm.State) -> FloatArray:
    """Return (3, 3) lattice vectors as rows in Å."""
    vectors: FloatArray = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    return vectors * NM_TO_ANGSTROM


def forces_ev_per_angstrom(state: openmm.State) -> FloatArray:
    """Return (N, 3) forces in eV/Å."""
    forces: FloatArray = state.getForces(asNumpy=True).value_in_unit(
        unit.kilojoule_per_mole / unit.nanometer
    )
    return forces * (KJ_PER_MOL_TO_EV * ANGSTROM_TO_NM)


def potential_ev(state: openmm.State) -> float:
    """Return the potential energy in eV."""
    return _ev(state.getPotentialEnergy())


def kinetic_ev(state: openmm.State) -> float:
    """Return the kinetic energy in eV, at the time of the positions."""
    return _ev(state.getKineticEnergy())


def beads_of(state: Any) -> Sequence[openmm.State]:
    """Return the states of all beads of a ring polymer; of a classical system itself."""
    return getattr(state, "beads", (state,))


def kinetic_ev_of_velocities(state: openmm.State, masses: FloatArray) -> float:
    """Return Σ m v²/2 in eV from a state's velocities, without evaluating the potential.

    For leap-frog integrators these velocities are half a step away from the positions; good enough for a guard.
    """
    velocities: FloatArray = state.getVelocities(asNumpy=True).value_in_unit(
        unit.nanometer / unit.picosecond
    )
    return 0.5 * float(masses @ (velocities**2).sum(axis=1)) * KJ_PER_MOL_TO_EV


def max_norm(vectors: FloatArray) -> float:
    """Return the length of the longest row; NaN when any entry is NaN."""
    return float(np.sqrt((vectors**2).sum(axis=1).max()))


def root_mean_square(vectors: FloatArray) -> float:
    """Return √⟨x²⟩ over all components."""
    return float(np.sqrt((vectors**2).mean()))


def _energy_scaled(factor: float, state: openmm.State, context: openmm.Context) -> float:
    """Return the potential energy in eV with cell and positions scaled."""
    context.setPeriodicBoxVectors(*(vector * factor for vector in state.getPeriodicBoxVectors()))
    context.setPositions(state.getPositions(asNumpy=True) * factor)
    return potential_ev(context.getState(energy=True))


def _restore(state: openmm.State, context: openmm.Context) -> None:
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))


def _ev(energy: unit.Quantity) -> float:
    return float(energy.value_in_unit(unit.kilojoule_per_mole)) * KJ_PER_MOL_TO_EV


def _volume_angstrom3(state: openmm.State) -> float:
    return float(state.getPeriodicBoxVolume().value_in_unit(unit.angstrom**3))
