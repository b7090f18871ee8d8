"""Hydrogen in a harmonic well of 3000 cm⁻¹ at 300 K: energies of P beads against their exact values.

For βħω = 14.4 a classical atom has 12.9 meV in every degree of freedom, the quantum one 93.0 meV. With P beads

    V_P = K_P = 1/(2β) Σ_k ω² / (ω_k² + ω²),    ω_k = 2 P/(βħ) sin(π k/P)

for an exact integrator; ``baoab`` with a step of 0.25 fs comes close (D. Chandler, P. G. Wolynes, J. Chem. Phys. 74, 4078 (1981);
M. Ceriotti et al., J. Chem. Phys. 133, 124104 (2010), doi:10.1063/1.3489925).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nequip_openmm.analysis.statistics import block_average
from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, hydrogens, thermostat
from tests.ipi_driver.with_ipi.run import Run

pytestmark = [pytest.mark.peer, pytest.mark.slow]

WAVENUMBER_IN_HARTREE = 4.556335252912e-6  # 1 cm⁻¹, CODATA 2018
OMEGA = 3000.0 * WAVENUMBER_IN_HARTREE
TEMPERATURE = 300.0
N_ATOMS = 32
STEPS = 5000
EQUILIBRATION = 0.1  # of the run
ESTIMATORS = ("potential", "kinetic_cv", "kinetic_td")


def test_energies_of_finite_bead_numbers(new_run: Callable[..., Run]) -> None:
    runs = {}
    for beads in (8, 32):
        simulation = Simulation(
            motion=thermostat(
                "pile_l",
                "<tau units='femtosecond'>5</tau><pile_lambda>0.5</pile_lambda>",
                splitting="baoab",
            ),
            beads=beads,
            steps=STEPS,
            temperature=TEMPERATURE,
            columns=("step", *ESTIMATORS),
            stride=2,
            trajectories=(),
        )
        run = new_run().write(
            simulation, Connection(batch_size=beads), hydrogens(N_ATOMS, width=0.03)
        )
        spring = _hydrogen_mass() * OMEGA**2
        runs[beads] = (
            run,
            run.serve(),
            run.client("harmonic", "--atoms", str(N_ATOMS), "--spring", repr(spring)),
        )
    for beads, (run, *processes) in runs.items():
        run.finish_with(*processes)
        _compare(run.table(), beads)


def _compare(table: dict[str, np.ndarray], beads: int) -> None:
    exact = 3 * N_ATOMS * _energy_per_degree_of_freedom(beads)
    for name in ESTIMATORS:
        series = table[name]
        mean = block_average(series[int(EQUILIBRATION * len(series)) :])
        assert 0.0 < mean.error < 0.006 * exact, f"{name}, {beads} beads: the run is too short"
        allowed = min(4.0 * mean.error, 0.015 * exact)
        assert abs(mean.value - exact) < allowed, f"{name}, {beads} beads: {mean.value / exact}"


def _energy_per_degree_of_freedom(beads: int) -> float:
    """Return V_P = K_P in hartree."""
    from ipi.utils.units import Constants, unit_to_internal

    beta = 1.0 / (Constants.kb * unit_to_internal("temperature", "kelvin", TEMPERATURE))
    k = np.arange(beads)
    frequencies = 2.0 * beads / beta * np.sin(np.pi * k / beads)
    return float(np.sum(OMEGA**2 / (frequencies**2 + OMEGA**2)) / (2.0 * beta))


def _hydrogen_mass() -> float:
    from ipi.utils.units import Elements

    return float(Elements.mass("H"))
