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
from nequip_openmm.errors import StructureError
from nequip_openmm.forces import topology as topologies
from nequip_openmm.runs import RunFolder
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


@pytest.mark.parametrize(
    ("barostat", "thermostat"),
    [
        ("isotropic", "langevin"),
        ("anisotropic", "langevin"),
        ("flexible", "langevin"),
        ("isotropic", "nose-hoover"),
    ],
)
def test_an_ideal_gas_under_the_barostat(
    make_spec: MakeSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    barostat: str,
    thermostat: str,
) -> None:
    """⟨V⟩ = (N + 1) k_B T / P, and the mean of the pressure that is reported is the barostat's.

    OpenMM's flexible barostat weighs cells by V^(N - 2), because it counts the shapes that a volume can have; ⟨V⟩ is then
    (N - 1) k_B T / P.
    """
    monkeypatch.setattr(system, "make_system", _ideal_gas)
    n_atoms, volume = 27, 1000.0
    counted = n_atoms - 1 if barostat == "flexible" else n_atoms + 1
    pressure = counted * BOLTZMANN_EV_PER_K * 300.0 / volume * EV_PER_ANGSTROM3_TO_BAR
    positions = np.mgrid[0:3, 0:3, 0:3].reshape(3, 27).T * 3.3
    path = tmp_path / "gas.extxyz"
    ase.io.write(path, Atoms("O27", positions, cell=[10, 10, 10], pbc=True))
    spec = make_spec(
        structure=path,
        ensemble="npt",
        barostat=barostat,
        thermostat=thermostat,
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
    if thermostat == "nose-hoover" or barostat == "flexible":
        return  # a chain cannot bring free particles to its temperature; ⟨1/V⟩ is another for V^(N - 2)
    mean = block_average(thermo["pressure_bar"][100:])
    assert abs(mean.value - pressure) < 4 * mean.error


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("temperature", [100.0, 600.0])
def test_a_nose_hoover_chain_gives_its_temperature_and_conserves(
    make_spec: MakeSpec, tmp_path: Path, temperature: float
) -> None:
    """⟨T⟩ and var(T) are the canonical ones, and what is said to be conserved is."""
    spec = make_spec(
        thermostat="nose-hoover",
        temperature=temperature,
        friction=30.0,
        timestep=0.25,
        steps=100_000,
        trajectory_interval=10**6,
        checkpoint_interval=10**6,
        thermo_interval=20,
    )
    thermo = read_thermo(run_simulation(spec, tmp_path / "run").folder / "thermo.csv")
    mean = block_average(thermo["temperature_K"][500:])
    assert abs(mean.value - temperature) < 4 * mean.error + 0.002 * temperature
    assert mean.error < 0.03 * temperature
    relative = thermo["temperature_K"][500:].var() / temperature**2
    assert relative == pytest.approx(2 / 15, rel=0.25)
    # OpenMM's kinetic energy is half a step off, so it fluctuates in proportion to the time step; but it does not drift.
    assert thermo["conserved_eV"].std() < 0.05 * thermo["total_eV"].std()
    drift = energy_drift(thermo["time_ps"], thermo["conserved_eV"], 6)
    assert abs(drift.mev_per_atom_per_ps) < 1e-2


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("thermostat", ["langevin", "nose-hoover"])
def test_a_ramp_heats_as_it_says(make_spec: MakeSpec, tmp_path: Path, thermostat: str) -> None:
    """Heated slowly, the mean over the second half of a ramp from 100 to 500 K is 400 K."""
    spec = make_spec(
        thermostat=thermostat, temperature=100.0, temperature_end=500.0, friction=30.0,
        steps=120_000, trajectory_interval=10**6, checkpoint_interval=10**6, thermo_interval=10,
    )  # fmt: skip
    thermo = read_thermo(run_simulation(spec, tmp_path / "run").folder / "thermo.csv")
    late = thermo["temperature_K"][thermo["step"] > 60_000]
    early = thermo["temperature_K"][thermo["step"] <= 60_000]
    assert early.mean() == pytest.approx(200, rel=0.07)
    assert late.mean() == pytest.approx(400, rel=0.07)
    assert np.isnan(thermo["conserved_eV"]).all()


def test_hydrogen_can_be_made_heavier(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Energies are the potential's as ever, the total mass stays, and the masses are those of the run."""
    from nequip_openmm.simulation.files import read_start

    spec = make_spec(hydrogen_mass=3.0, steps=20, engine="reference")
    folder = run_simulation(spec, tmp_path / "run").folder
    structure = read_start(RunFolder.open(folder, "md"))
    masses = topologies.masses(structure.topology, 3.0)
    np.testing.assert_allclose(masses[2:], 3.0)
    natural = topologies.masses(structure.topology)
    assert sum(masses) == pytest.approx(sum(natural), rel=1e-12)
    assert masses[0] == pytest.approx(natural[0] - 3 * (3.0 - natural[2]), rel=1e-12)
    assert masses[1] == pytest.approx(natural[1] - (3.0 - natural[2]), rel=1e-12)
    light = run_simulation(spec.model_copy(update={"hydrogen_mass": None}), tmp_path / "light")
    first = [read_thermo(f / "thermo.csv")["kinetic_eV"] for f in (folder, light.folder)]
    assert (first[0] != first[1]).any()


def test_bonds_that_heavy_hydrogen_needs_are_those_that_are_seen(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path
) -> None:
    """Also in a cell, and for molecules that its faces cut."""
    atoms = ase.io.read(box_file)
    atoms.wrap()
    path = tmp_path / "wrapped.extxyz"
    ase.io.write(path, atoms)
    spec = make_spec(structure=path, hydrogen_mass=2.0, steps=1, engine="reference")
    folder = run_simulation(spec, tmp_path / "run").folder
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    assert topology.getNumBonds() == 10  # 5 in each methanol
    far = tmp_path / "far.xyz"
    ase.io.write(far, Atoms("CO", [[0, 0, 0], [0, 0, 3]]))
    with pytest.raises(StructureError, match="the structure has no bonds"):
        run_simulation(make_spec(structure=far, hydrogen_mass=2.0), tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("ensemble", ["npt", "nvt", "nve"])
def test_the_pressure_is_that_of_the_models_virial(
    make_spec: MakeSpec, box_file: Path, tmp_path: Path, ensemble: str
) -> None:
    import nequip_openmm
    from nequip_openmm.simulation.structure import read_structure

    spec = make_spec(
        structure=box_file, ensemble=ensemble, steps=1, thermo_interval=1, trajectory_interval=1,
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


def test_molecules_are_moved_as_wholes(make_spec: MakeSpec, box_file: Path, tmp_path: Path) -> None:
    """With a barostat that only moves molecules, frozen ones keep their shape, while the cell changes."""
    spec = make_spec(
        structure=box_file, ensemble="npt", molecules=True, temperature=1e-6, timestep=1e-6,
        pressure=1e6, barostat_interval=1, steps=20, trajectory_interval=1, thermo_interval=1,
        trajectory_format="xyz", engine="reference",
    )  # fmt: skip
    folder = run_simulation(spec, tmp_path / "run").folder
    assert len(np.unique(read_thermo(folder / "thermo.csv")["volume_A3"])) > 1
    first, *_, last = ase.io.read(folder / "trajectory.xyz", ":")
    for molecule in (range(6), range(6, 12)):
        before, after = (
            frame[list(molecule)].get_all_distances(mic=True) for frame in (first, last)
        )
        np.testing.assert_allclose(before, after, atol=1e-4)
