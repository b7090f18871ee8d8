"""Reporters: right units, readable by others, one evaluation a report, files that can be cut and continued."""

from __future__ import annotations

from pathlib import Path

import ase.build
import ase.io
import mdtraj
import numpy as np
import openmm
import pytest
from openmm import app

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import UserError
from nequip_openmm.simulation.reporters import (
    DCDReporter,
    ExtendedXYZReporter,
    FileReporter,
    ThermoReporter,
    cut,
)
from nequip_openmm.simulation.structure import Structure
from nequip_openmm.simulation.thermo import Thermometer, degrees_of_freedom
from nequip_openmm.units import EV_TO_KJ_PER_MOL

STIFFNESS = 0.5  # eV/Å²


class _Well:
    """Harmonic wells at the starting points, as a PythonForce that counts its calls."""

    def __init__(self, centres: np.ndarray) -> None:
        self.centres = centres
        self.calls = 0

    def __call__(self, state: openmm.State) -> tuple[float, np.ndarray]:
        self.calls += 1
        shift = state.getPositions(asNumpy=True)._value * 10 - self.centres  # Å
        energy = 0.5 * STIFFNESS * float((shift**2).sum())
        return energy * EV_TO_KJ_PER_MOL, -STIFFNESS * shift * EV_TO_KJ_PER_MOL * 10


def _simulation(well: _Well, structure: Structure) -> app.Simulation:
    system = openmm.System()
    for atom in structure.topology.atoms():
        system.addParticle(atom.element.mass)
    force = openmm.PythonForce(well)
    if structure.is_periodic:
        force.setUsesPeriodicBoundaryConditions(True)
        system.setDefaultPeriodicBoxVectors(*structure.topology.getPeriodicBoxVectors())
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    integrator = openmm.VerletIntegrator(0.0005)
    simulation = app.Simulation(structure.topology, system, integrator, platform)
    simulation.context.setPositions(structure.frame.positions * 0.1)
    simulation.context.setVelocitiesToTemperature(300, 5)
    return simulation


@pytest.fixture
def molecule() -> Structure:
    return Structure.from_frame(Frame.from_ase(ase.build.molecule("CH3OH")))


@pytest.fixture
def crystal() -> Structure:
    return Structure.from_frame(Frame.from_ase(ase.build.bulk("NaCl", "rocksalt", a=5.64)))


def _well(structure: Structure) -> _Well:
    return _Well(structure.frame.positions.copy())


@pytest.mark.parametrize("kind", ["molecule", "crystal"])
def test_extended_xyz_is_in_ev_and_angstrom(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    structure: Structure = request.getfixturevalue(kind)
    simulation = _simulation(_well(structure), structure)
    path = tmp_path / "t.xyz"
    reporter = ExtendedXYZReporter(path, 10, timestep_fs=0.5)
    simulation.reporters.append(reporter)
    simulation.step(30)
    reporter.close()
    frames = ase.io.read(path, ":")
    assert [frame.info["step"] for frame in frames] == [10, 20, 30]
    assert [frame.info["time_ps"] for frame in frames] == [0.005, 0.01, 0.015]
    for frame in frames:
        shift = frame.positions - structure.frame.positions
        energy = 0.5 * STIFFNESS * (shift**2).sum()
        assert frame.get_potential_energy() == pytest.approx(energy, abs=1e-7)
        np.testing.assert_allclose(frame.get_forces(), -STIFFNESS * shift, atol=2e-8)
        np.testing.assert_array_equal(frame.numbers, structure.frame.numbers)
        np.testing.assert_allclose(frame.cell, structure.frame.cell, atol=1e-8)
        assert frame.pbc.tolist() == structure.frame.pbc.tolist()


@pytest.mark.parametrize("kind", ["molecule", "crystal"])
def test_dcd_is_read_by_mdtraj_in_nm(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    structure: Structure = request.getfixturevalue(kind)
    simulation = _simulation(_well(structure), structure)
    reporter = DCDReporter(tmp_path / "t.dcd", 10)
    simulation.reporters.append(reporter)
    expected = []
    for _ in range(3):
        simulation.step(10)
        expected.append(simulation.context.getState(positions=True).getPositions(True)._value)
    reporter.close()
    topology = mdtraj.Topology.from_openmm(structure.topology)
    trajectory = mdtraj.load_dcd(str(tmp_path / "t.dcd"), top=topology)
    np.testing.assert_allclose(trajectory.xyz, expected, atol=1e-7)
    if structure.is_periodic:
        vectors = trajectory.unitcell_vectors[0]
        lengths = np.linalg.norm(structure.frame.cell, axis=1) * 0.1
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), lengths, rtol=1e-6)
    else:
        assert trajectory.unitcell_vectors is None


def test_thermo_agrees_with_openmms_own_reporter(tmp_path: Path, crystal: Structure) -> None:
    simulation = _simulation(_well(crystal), crystal)
    simulation.system.addForce(openmm.CMMotionRemover())
    thermometer = Thermometer(simulation.system, 0.5, conserves_energy=True)
    ours = ThermoReporter(tmp_path / "ours.csv", 5, thermometer)
    theirs = app.StateDataReporter(
        str(tmp_path / "theirs.csv"),
        5,
        step=True,
        time=True,
        potentialEnergy=True,
        kineticEnergy=True,
        totalEnergy=True,
        temperature=True,
        volume=True,
        density=True,
    )
    simulation.reporters += [ours, theirs]
    simulation.step(25)
    ours.close()
    del theirs, simulation.reporters[:]
    mine = read_thermo(tmp_path / "ours.csv")
    other = np.loadtxt(tmp_path / "theirs.csv", delimiter=",", skiprows=1).T
    np.testing.assert_array_equal(mine["step"], other[0])
    np.testing.assert_allclose(mine["time_ps"], other[1], rtol=1e-12)
    for name, column in zip(("potential_eV", "kinetic_eV", "total_eV"), other[2:5]):
        np.testing.assert_allclose(mine[name] * EV_TO_KJ_PER_MOL, column, rtol=1e-9)
    np.testing.assert_allclose(mine["temperature_K"], other[5], rtol=1e-6)
    np.testing.assert_allclose(mine["volume_A3"], other[6] * 1000, rtol=1e-9)
    np.testing.assert_allclose(mine["density_g_per_cm3"], other[7], rtol=1e-6)
    np.testing.assert_array_equal(mine["conserved_eV"], mine["total_eV"])
    assert np.isfinite(mine["pressure_bar"]).all()


def test_degrees_of_freedom() -> None:
    system = openmm.System()
    for mass in (1.0, 12.0, 16.0, 0.0):
        system.addParticle(mass)
    assert degrees_of_freedom(system) == 9
    system.addForce(openmm.CMMotionRemover())
    assert degrees_of_freedom(system) == 6
    system.addConstraint(0, 1, 0.1)
    assert degrees_of_freedom(system) == 5


def test_reporters_that_fire_together_share_one_state(tmp_path: Path, molecule: Structure) -> None:
    well = _well(molecule)
    simulation = _simulation(well, molecule)
    states: list[openmm.State] = []
    reporters: list[FileReporter] = [
        ThermoReporter(
            tmp_path / "a", 1, Thermometer(simulation.system, 0.5, conserves_energy=True)
        ),
        ExtendedXYZReporter(tmp_path / "b", 1, 0.5),
        DCDReporter(tmp_path / "c", 1),
    ]
    for reporter in reporters:
        write = reporter.report
        reporter.report = lambda sim, state, write=write: (  # type: ignore[method-assign]
            states.append(state),
            write(sim, state),
        )
    simulation.reporters += reporters
    simulation.step(4)
    assert len(states) == 12
    assert all(len({id(s) for s in states[i : i + 3]}) == 1 for i in (0, 3, 6, 9))
    for reporter in reporters:
        reporter.close()


@pytest.mark.parametrize("name", ["t.dcd", "t.xyz", "t.csv"])
def test_a_file_cut_at_a_mark_and_continued_is_the_uninterrupted_one(
    tmp_path: Path, molecule: Structure, name: str
) -> None:
    def make(path: Path, simulation: app.Simulation, append: bool = False) -> FileReporter:
        if name.endswith("dcd"):
            return DCDReporter(path, 10, append)
        if name.endswith("xyz"):
            return ExtendedXYZReporter(path, 10, 0.5, append)
        thermometer = Thermometer(simulation.system, 0.5, conserves_energy=True)
        return ThermoReporter(path, 10, thermometer, append)

    whole, broken = tmp_path / f"whole_{name}", tmp_path / name
    simulation = _simulation(_well(molecule), molecule)
    simulation.reporters = [make(whole, simulation)]
    simulation.step(80)
    simulation.reporters[0].close()

    simulation = _simulation(_well(molecule), molecule)
    simulation.reporters = [make(broken, simulation)]
    simulation.step(30)
    mark, state = simulation.reporters[0].mark(), simulation.context.createCheckpoint()
    simulation.step(20)
    simulation.reporters[0].close()
    with broken.open("ab") as file:
        file.write(b"half a repo")
    cut(broken, mark)
    simulation.context.loadCheckpoint(state)
    simulation.reporters = [make(broken, simulation, append=True)]
    simulation.step(50)
    simulation.reporters[0].close()
    dated = slice(180, 260) if name.endswith("dcd") else slice(0, 0)  # a DCD file holds its date
    contents = [bytearray(path.read_bytes()) for path in (whole, broken)]
    for content in contents:
        content[dated] = b""
    assert contents[0] == contents[1]


def test_a_file_of_an_earlier_version_keeps_its_columns(
    tmp_path: Path, molecule: Structure
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("step,max_force_eV_per_A,stage\n10,0.5,1\n")
    simulation = _simulation(_well(molecule), molecule)
    thermometer = Thermometer(simulation.system, 0.5, conserves_energy=True)
    simulation.reporters = [ThermoReporter(path, 10, thermometer, append=True)]
    simulation.step(10)
    simulation.reporters[0].close()
    header, _, row = path.read_text().splitlines()
    assert len(row.split(",")) == len(header.split(","))
    assert row.split(",")[0] == "10"
    assert row.split(",")[2] == "1"


def test_a_mark_before_the_first_frame_can_be_taken_up(tmp_path: Path, molecule: Structure) -> None:
    simulation = _simulation(_well(molecule), molecule)
    path = tmp_path / "t.dcd"
    reporter = DCDReporter(path, 10)
    mark = reporter.mark()
    simulation.reporters = [reporter]
    simulation.step(10)
    reporter.close()
    cut(path, mark)
    assert path.stat().st_size == 0
    simulation.reporters = [DCDReporter(path, 10, append=True)]
    simulation.step(20)
    simulation.reporters[0].close()
    assert len(mdtraj.load_dcd(str(path), top=mdtraj.Topology.from_openmm(molecule.topology))) == 2


def test_a_file_that_has_become_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("abc")
    with pytest.raises(UserError, match="has 3 bytes, fewer than the 10"):
        cut(path, {"bytes": 10})
