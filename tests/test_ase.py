"""The ASE calculator: ASE's units, signs and habits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from nequip_openmm.ase import NequIPCalculator
from nequip_openmm.errors import StructureError
from nequip_openmm.model.file import save_model
from tests.model import cases


def test_properties_are_those_of_the_potential(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", cases.potential("l1").model)
    atoms = cases.triclinic()
    atoms.calc = NequIPCalculator(tmp_path / "m.safetensors", device="cpu")
    wanted = cases.potential("l1").evaluate(atoms)
    assert atoms.get_potential_energy() == wanted.energy
    assert atoms.get_potential_energy(force_consistent=True) == wanted.energy
    np.testing.assert_array_equal(atoms.get_forces(), wanted.forces)
    np.testing.assert_array_equal(atoms.get_potential_energies(), wanted.energies)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), wanted.stress, atol=1e-16)


def test_forces_and_stress_have_ase_signs() -> None:
    atoms = cases.triclinic()
    atoms.calc = NequIPCalculator(cases.potential("l2-parity"))
    forces = calculate_numerical_forces(atoms, eps=1e-4)
    np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-7)
    stress = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), stress, rtol=0, atol=1e-8)


def test_molecules_have_no_stress() -> None:
    atoms = cases.ethanol()
    atoms.calc = NequIPCalculator(cases.potential("l1"))
    assert np.isfinite(atoms.get_potential_energy())
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_results_follow_the_atoms() -> None:
    atoms = cases.ethanol()
    atoms.calc = NequIPCalculator(cases.potential("l1"))
    before = atoms.get_potential_energy()
    atoms.positions[0] += 0.1
    assert atoms.get_potential_energy() != before
    atoms.positions[0] -= 0.1
    assert atoms.get_potential_energy() == pytest.approx(before, abs=1e-12)


def test_one_calculator_serves_atoms_of_all_kinds() -> None:
    calculator = NequIPCalculator(cases.potential("l1"))
    for _ in range(2):
        for make in cases.STRUCTURES.values():
            atoms = make()
            atoms.calc = calculator
            wanted = calculator.potential.evaluate(atoms)
            assert atoms.get_potential_energy() == wanted.energy
            np.testing.assert_array_equal(atoms.get_forces(), wanted.forces)


def test_structures_that_cannot_be_evaluated_are_refused_at_any_time() -> None:
    atoms = cases.ethanol()
    atoms.calc = NequIPCalculator(cases.potential("l1"))
    atoms.get_potential_energy()
    atoms.positions[3] = atoms.positions[4] + 0.01
    with pytest.raises(StructureError, match=r"atoms 3 \(H\) and 4 \(H\)"):
        atoms.get_potential_energy()
    atoms.positions[3] = np.nan
    with pytest.raises(StructureError, match="atom 3 is not finite"):
        atoms.get_forces()
    atoms.positions[3] = [5.0, 0.0, 0.0]
    assert np.isfinite(atoms.get_potential_energy())


def test_a_minimum_is_found() -> None:
    """Relaxation needs forces that belong to the energy."""
    atoms = cases.triclinic()
    atoms.calc = NequIPCalculator(cases.potential("zbl"))
    before = atoms.get_potential_energy()
    assert BFGS(atoms, logfile=None).run(fmax=1e-3, steps=300)
    assert atoms.get_potential_energy() < before


def test_energy_is_conserved_to_second_order_in_the_time_step() -> None:
    """The error of the total energy falls with the square of the time step: forces are exact gradients."""
    atoms = cases.triclinic()
    atoms.calc = NequIPCalculator(cases.potential("zbl"))
    BFGS(atoms, logfile=None).run(fmax=1e-2, steps=300)
    noise = np.random.default_rng(0).normal(size=(len(atoms), 3))
    atoms.set_momenta(noise * np.sqrt(atoms.get_masses() * units.kB * 100.0)[:, None])
    coarse, middle, fine = (_energy_spread(atoms, dt) for dt in (0.8, 0.4, 0.2))
    assert fine < 1e-4
    assert coarse / middle == pytest.approx(4.0, rel=0.1)
    assert middle / fine == pytest.approx(4.0, rel=0.1)


def _energy_spread(start: Atoms, timestep_fs: float, duration_fs: float = 24.0) -> float:
    """Return the largest change of the total energy in eV during NVE dynamics."""
    atoms = start.copy()
    atoms.calc = start.calc
    dynamics = VelocityVerlet(atoms, timestep_fs * units.fs)
    energies: list[float] = []
    dynamics.attach(lambda: energies.append(atoms.get_total_energy()), interval=1)
    dynamics.run(round(duration_fs / timestep_fs))
    return float(np.ptp(energies))
