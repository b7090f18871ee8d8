"""The laws that the ensembles obey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import openmm
import pytest
from ase import Atoms
from openmm import app

from nequip_openmm.analysis.statistics import block_average, energy_drift, read_thermo
from nequip_openmm.simulation import SimulationSpec, run_simulation, system
from nequip_openmm.units import BOLTZMANN_EV_PER_K, EV_PER_ANGSTROM3_TO_BAR

MakeSpec = Callable[..., SimulationSpec]


def test_verlet_conserves_the_models_energy_to_second_order(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    """The energy error of velocity Verlet shrinks as the square of the time step."""
    fluctuations = []
    for timestep, steps in ((0.8, 60), (0.4, 120), (0.2, 240)):
        spec = make_spec(
            ensemble="nve",
            temperature=600.0,
            timestep=timestep,
            steps=steps,
            thermo_interval=max(1, round(1.6 / timestep)),
            trajectory_interval=10_000,
            checkpoint_interval=10_000,
        )
        thermo = read_thermo(run_simulation(spec, tmp_path / str(timestep)).folder / "thermo.csv")
        fluctuations.append(thermo["conserved_eV"].std())
    ratios = np.array(fluctuations[:-1]) / fluctuations[1:]
    np.testing.assert_allclose(ratios, 4.0, rtol=0.15)


@pytest.mark.usefixtures("springs")
def test_nve_does_not_drift(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(
        ensemble="nve",
        temperature=600.0,
        steps=40_000,
        trajectory_interval=10**6,
        checkpoint_interval=10**6,
        thermo_interval=20,
    )
    thermo = read_thermo(run_simulation(spec, tmp_path / "run").folder / "thermo.csv")
    drift = energy_drift(thermo["time_ps"], thermo["conserved_eV"], 6)
    assert abs(drift.mev_per_atom_per_ps) < 1e-3
    assert drift.duration_ps == pytest.approx(20.0, abs=0.02)


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("temperature", [100.0, 600.0])
def test_the_thermostat_gives_its_temperature(
    make_spec: MakeSpec, tmp_path: Path, temperature: float
) -> None:
    """⟨T⟩ equals the target: with 3N degrees of freedom in place of 3N - 3 it would be 17 % low for six atoms."""
    spec = make_spec(
        temperature=temperature,
        friction=10.0,
        steps=100_000,
        trajectory_interval=10**6,
        checkpoint_interval=10**6,
        thermo_interval=20,
    )
    thermo = read_thermo(run_simulation(spec, tmp_path / "run").folder / "thermo.csv")
    mean = block_average(thermo["temperature_K"][500:])
    assert abs(mean.value - temperature) < 4 * mean.error
    assert mean.error < 0.02 * temperature
    # The fluctuation is that of the canonical ensemble: var(T) / T² = 2 / dof.
    relative = thermo["temperature_K"][500:].var() / temperature**2
    assert relative == pytest.approx(2 / 15, rel=0.15)


def _ideal_gas(spec: SimulationSpec, topology: app.Topology, potential: Any) -> openmm.System:
    result = openmm.System()
    for atom in topology.atoms():
        result.addParticle(atom.element.mass)
    nothing = openmm.HarmonicBondForce()
    nothing.setUsesPeriodicBoundaryConditions(True)
    result.addForce(nothing)
    result.addForce(openmm.CMMotionRemover())
    return result


def test_an_ideal_gas_under_the_barostat(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """⟨V⟩ = (N + 1) k_B T / P, and the mean of the pressure that is reported is the barostat's."""
    monkeypatch.setattr(system, "make_system", _ideal_gas)
    n_atoms, volume = 27, 1000.0
    pressure = (n_atoms + 1) * BOLTZMANN_EV_PER_K * 300.0 / volume * EV_PER_ANGSTROM3_TO_BAR
    positions = np.mgrid[0:3, 0:3, 0:3].reshape(3, 27).T * 3.3
    path = tmp_path / "gas.extxyz"
    ase.io.write(path, Atoms("O27", positions, cell=[10, 10, 10], pbc=True))
    spec = make_spec(
        structure=path,
        ensemble="npt",
        pressure=pressure,
        barostat_interval=1,
        steps=20_000,
        thermo_interval=10,
        trajectory_interval=10**6,
        checkpoint_interval=10**6,
    )
    thermo = read_thermo(run_simulation(spec, tmp_path / "run").folder / "thermo.csv")
    found = block_average(thermo["volume_A3"][100:])
    assert abs(found.value - volume) < 4 * found.error
    assert found.error < 0.05 * volume
    ideal = n_atoms * BOLTZMANN_EV_PER_K * thermo["temperature_K"] / thermo["volume_A3"]
    np.testing.assert_allclose(thermo["pressure_bar"], ideal * EV_PER_ANGSTROM3_TO_BAR, rtol=1e-9)
    mean = block_average(thermo["pressure_bar"][100:])
    assert abs(mean.value - pressure) < 4 * mean.error


def test_the_pressure_is_that_of_the_models_virial(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path
) -> None:
    import nequip_openmm
    from nequip_openmm.simulation.structure import read_structure

    spec = make_spec(
        structure=box_file, ensemble="npt", steps=1, thermo_interval=1, trajectory_interval=1,
        trajectory_format="xyz", barostat_interval=1000,
    )  # fmt: skip
    folder = run_simulation(spec, tmp_path / "run").folder
    (frame,) = ase.io.read(folder / "trajectory.xyz", ":")
    evaluation = nequip_openmm.load(spec.model, device="cpu").evaluate(frame)
    assert evaluation.virial is not None
    thermo = {name: values[0] for name, values in read_thermo(folder / "thermo.csv").items()}
    n_atoms = len(read_structure(box_file).frame)
    kinetic = n_atoms * BOLTZMANN_EV_PER_K * thermo["temperature_K"]
    expected = (kinetic + np.trace(evaluation.virial) / 3.0) / thermo["volume_A3"]
    assert thermo["pressure_bar"] == pytest.approx(expected * EV_PER_ANGSTROM3_TO_BAR, rel=1e-4)
