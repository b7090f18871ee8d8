"""`NequIPReporter`: what potentials say of the atoms of any simulation."""

from __future__ import annotations

from pathlib import Path

import ase.build
import ase.io
import numpy as np
import openmm
import pytest
import torch
from openmm import app

import nequip_openmm
from nequip_openmm.analysis.statistics import read_columns
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import StructureError, UserError
from nequip_openmm.model.file import read_model, save_model
from nequip_openmm.simulation.reporters import ExtendedXYZReporter, NequIPReporter
from nequip_openmm.simulation.structure import Structure, read_structure


def _simulation(structure: Structure, system: openmm.System | None = None) -> app.Simulation:
    """Return a simulation without forces: what a reporter says must not depend on them."""
    if system is None:
        system = openmm.System()
        for atom in structure.topology.atoms():
            system.addParticle(atom.element.mass)
        nothing = openmm.HarmonicBondForce()
        nothing.setUsesPeriodicBoundaryConditions(structure.is_periodic)
        system.addForce(nothing)
        if structure.is_periodic:
            system.setDefaultPeriodicBoxVectors(*structure.topology.getPeriodicBoxVectors())
    platform = openmm.Platform.getPlatformByName("Reference")
    integrator = openmm.VerletIntegrator(0.0005)
    simulation = app.Simulation(structure.topology, system, integrator, platform)
    simulation.context.setPositions(structure.frame.positions * 0.1)
    simulation.context.setVelocitiesToTemperature(300, 5)
    return simulation


def _load(path: Path) -> nequip_openmm.Potential:
    """Load a model without the time that its fast engine takes to get ready."""
    return nequip_openmm.load(path, "cpu", engine="reference")


@pytest.fixture(scope="module")
def members(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three models that differ a little."""
    files = []
    for k in range(3):
        model, _ = read_model(model_file, torch.device("cpu"), None)
        torch.manual_seed(k)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.0 + 0.02 * torch.randn(()))
        files.append(tmp_path_factory.mktemp("committee") / f"{k}.safetensors")
        save_model(files[-1], model, {})
    return files


@pytest.mark.parametrize("periodic", [False, True])
def test_energies_of_atoms_and_the_largest_force_are_the_potentials(
    model_file: Path, methanol_file: Path, box_file: Path, tmp_path: Path, periodic: bool
) -> None:
    structure = read_structure(box_file if periodic else methanol_file)
    simulation = _simulation(structure)
    potential = _load(model_file)
    reporters = [
        NequIPReporter(tmp_path / "atoms.csv", 5, potential),
        ExtendedXYZReporter(tmp_path / "t.xyz", 5),
    ]
    simulation.reporters += reporters
    simulation.step(15)
    for reporter in reporters:
        reporter.close()
    found = read_columns(tmp_path / "atoms.csv")
    assert list(found["step"]) == [5, 10, 15]
    np.testing.assert_allclose(found["time_ps"], [0.0025, 0.005, 0.0075], rtol=1e-12)
    frames = ase.io.read(tmp_path / "t.xyz", ":")
    assert [frame.info["time_ps"] for frame in frames] == [0.0025, 0.005, 0.0075]
    for row, frame in enumerate(frames):
        expected = potential.evaluate(frame)
        assert found["energy_eV"][row] == pytest.approx(expected.energy, abs=1e-6)
        force = np.linalg.norm(expected.forces, axis=1).max()
        assert found["max_force_eV_per_A"][row] == pytest.approx(force, abs=1e-6)
        atoms = [found[f"atom_{k}_eV"][row] for k in range(len(frame))]
        np.testing.assert_allclose(atoms, expected.energies, atol=1e-6)


def test_a_committee_tells_its_mean_and_its_spread(
    members: list[Path], methanol_file: Path, tmp_path: Path
) -> None:
    structure = read_structure(methanol_file)
    simulation = _simulation(structure)
    reporter = NequIPReporter(tmp_path / "atoms.csv", 1, [_load(path) for path in members])
    simulation.reporters.append(reporter)
    simulation.step(1)
    positions = simulation.context.getState(positions=True).getPositions(True)._value * 10
    reporter.close()
    found = {name: column[0] for name, column in read_columns(tmp_path / "atoms.csv").items()}
    frame = Frame.create(structure.frame.numbers, positions)
    said = [_load(path).evaluate(frame) for path in members]
    energies = np.array([one.energy for one in said])
    forces = np.array([one.forces for one in said])
    assert found["energy_eV"] == pytest.approx(energies.mean(), abs=1e-9)
    assert found["energy_std_eV"] == pytest.approx(energies.std(), rel=1e-6)
    assert found["energy_std_eV"] > 0
    spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)).max()
    assert found["max_force_std_eV_per_A"] == pytest.approx(spread, rel=1e-6)
    largest = np.linalg.norm(forces.mean(axis=0), axis=1).max()
    assert found["max_force_eV_per_A"] == pytest.approx(largest, abs=1e-9)
    assert found["atom_3_eV"] == pytest.approx(np.mean([one.energies[3] for one in said]))


def test_identical_members_agree(model_file: Path, methanol_file: Path, tmp_path: Path) -> None:
    simulation = _simulation(read_structure(methanol_file))
    reporter = NequIPReporter(tmp_path / "atoms.csv", 1, [_load(model_file), model_file])
    simulation.reporters.append(reporter)
    simulation.step(2)
    reporter.close()
    found = read_columns(tmp_path / "atoms.csv")
    assert (found["energy_std_eV"] < 1e-12).all()
    assert (found["max_force_std_eV_per_A"] < 1e-12).all()


def test_some_atoms_and_an_appended_file(
    model_file: Path, methanol_file: Path, tmp_path: Path
) -> None:
    """Atoms that are left out, here of an element that the model does not know, are not seen."""
    atoms = ase.io.read(methanol_file)
    mixed = atoms + ase.Atoms("Ne", [[1.0, 1.0, 1.5]])
    structure = Structure.from_frame(Frame.from_ase(mixed))
    path = tmp_path / "atoms.csv"
    for append in (False, True):
        simulation = _simulation(structure)
        reporter = NequIPReporter(path, 1, _load(model_file), atoms=range(6), append=append)
        simulation.reporters.append(reporter)
        simulation.step(1)
        reporter.close()
    found = read_columns(path)
    assert len(found["step"]) == 2
    assert [name for name in found if name.startswith("atom_")] == [
        f"atom_{k}_eV" for k in range(6)
    ]
    alone = _simulation(Structure.from_frame(Frame.from_ase(mixed)))
    alone.step(1)
    positions = alone.context.getState(positions=True).getPositions(True)._value[:6] * 10
    expected = _load(model_file).evaluate(Frame.create(atoms.numbers, positions))
    np.testing.assert_allclose(found["energy_eV"], expected.energy, atol=1e-9)


def test_it_reports_beside_the_potentials_own_force(
    model_file: Path, methanol_file: Path, tmp_path: Path
) -> None:
    structure = read_structure(methanol_file)
    potential = _load(model_file)
    system = nequip_openmm.NequIPPotential(potential).createSystem(structure.topology)
    simulation = _simulation(structure, system)
    reporter = NequIPReporter(tmp_path / "atoms.csv", 2, potential)
    simulation.reporters.append(reporter)
    simulation.step(4)
    reporter.close()
    energy = simulation.context.getState(energy=True).getPotentialEnergy()._value / 96.48533212331
    assert read_columns(tmp_path / "atoms.csv")["energy_eV"][-1] == pytest.approx(energy, abs=1e-8)


def test_what_cannot_be_reported_is_said(
    model_file: Path, methanol_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "atoms.csv"
    with pytest.raises(UserError, match="a committee needs one member or more"):
        NequIPReporter(path, 1, [])
    for interval in (0, -1, 2.5, True):
        with pytest.raises(UserError, match="reportInterval must be a whole number"):
            NequIPReporter(path, interval, model_file)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"no\.safetensors"):
        NequIPReporter(path, 1, tmp_path / "no.safetensors")
    neon = _simulation(
        Structure.from_frame(Frame.from_ase(ase.Atoms("Ne2", [[0, 0, 0], [0, 0, 3]])))
    )
    neon.reporters.append(NequIPReporter(path, 1, model_file))
    with pytest.raises(StructureError, match="knows H, C, O but not Ne"):
        neon.step(1)
    neon.reporters = [NequIPReporter(path, 1, model_file, atoms=[7])]
    with pytest.raises(UserError, match="atoms: 7 is not in the topology"):
        neon.step(1)
    structure = read_structure(methanol_file)
    topology = structure.topology
    topology.addAtom("EP", None, next(topology.residues()))
    system = openmm.System()
    for _ in range(7):
        system.addParticle(1.0)
    platform = openmm.Platform.getPlatformByName("Reference")
    simulation = app.Simulation(topology, system, openmm.VerletIntegrator(0.0005), platform)
    simulation.context.setPositions(np.vstack([structure.frame.positions * 0.1, [[2, 2, 2]]]))
    simulation.reporters.append(NequIPReporter(path, 1, model_file))
    with pytest.raises(
        StructureError, match=r"atom 6 \(EP\) has no element; leave it out of atoms="
    ):
        simulation.step(1)
