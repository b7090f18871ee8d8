"""What i-PI makes of our virial and forces: pressure, finite differences through the socket, rotated requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest

from nequip_openmm.units import BOHR_TO_ANGSTROM
from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, hydrogens, start_file
from tests.ipi_driver.with_ipi.pes import REST_VOLUME, STIFFNESS
from tests.ipi_driver.with_ipi.run import Run, numbers

pytestmark = pytest.mark.peer

Runs = Callable[..., Run]

COMPONENTS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Order of i-PI's six components of a tensor."""

AT_REST = Simulation(columns=("potential", "volume", "virial_cv"), velocities=False, steps=1)


@pytest.mark.parametrize("beads", [1, 4])
def test_pressure_is_minus_de_dv(beads: int, new_run: Runs) -> None:
    """E = c/2 (V - V₀)² in cells of any shape, compressed and stretched; beads count once."""
    cells = [[10.0] * 3 + [90.0] * 3, [9.0, 10.0, 11.0, 75.0, 95.0, 60.0], [10.5] * 3 + [90.0] * 3]
    starts = [_in_cell(hydrogens(), cell) for cell in cells]
    simulation = Simulation(AT_REST.motion, beads, 1, columns=AT_REST.columns, velocities=False)
    run = new_run().write(simulation, Connection(batch_size=beads * len(starts)), *starts)
    server, client = run.serve(), run.client("volume")
    run.finish_with(server, client)
    signs = set()
    for k, atoms in enumerate(starts):
        table = run.table(f"s{k}")
        volume = table["volume"][0]  # i-PI knows the Å to eight digits
        np.testing.assert_allclose(volume, atoms.get_volume() / BOHR_TO_ANGSTROM**3, rtol=1e-7)
        pressure = -STIFFNESS * (volume - REST_VOLUME)  # -dE/dV, hartree/bohr³
        np.testing.assert_allclose(table["virial_cv"][:, :3], pressure, rtol=1e-7)
        np.testing.assert_allclose(table["virial_cv"][:, 3:], 0.0, atol=1e-9 * abs(pressure))
        signs.add(np.sign(pressure))
    assert signs == {1.0, -1.0}


def test_virial_is_the_finite_difference_of_the_energy(new_run: Runs, model_file: Path) -> None:
    """W_ij = -dE/dε_ij: i-PI itself sends the strained cells, all in one batch."""
    delta = 1e-3
    box = _methanol_box()
    strains = [np.zeros((3, 3))]
    for i, j in COMPONENTS:
        for sign in (1.0, -1.0):
            strain = np.zeros((3, 3))
            strain[i, j] = sign * delta  # upper triangle: the cell stays as i-PI wants it
            strains.append(strain)
    starts = [_strained(box, strain) for strain in strains]
    run = new_run().write(AT_REST, Connection(batch_size=len(starts)), *starts)
    server = run.serve()
    driver = run.driver("--model", str(model_file), "--template", start_file(0))
    run.finish_with(server, driver)
    first = run.table("s0")
    virial = first["virial_cv"][0] * first["volume"][0]
    energies = [run.table(f"s{k}")["potential"][0] for k in range(1, len(starts))]
    slopes = -(np.array(energies[0::2]) - np.array(energies[1::2])) / (2.0 * delta)
    assert np.abs(virial).min() > 1e-4, "every component is put to the test"
    np.testing.assert_allclose(virial, slopes, rtol=1e-4, atol=1e-5 * np.abs(virial).max())


def test_rotated_requests_give_rotated_forces(new_run: Runs, model_file: Path) -> None:
    """i-PI averages over rotations and reflections of its own; an equivariant model cannot be told from one that is not asked."""
    simulation = Simulation(columns=("step", "conserved", "potential", "virial_cv"), steps=3)
    plain = new_run().write(simulation, Connection(), _methanol_box())
    # a socket within another force field ignores the prefix of socket files, so it is one of TCP
    rotated = new_run().write(simulation, Connection("inet", batch_size=36), _methanol_box())
    socket = rotated.connection.forcefield()
    asked = socket.replace("'engine'", "'asked'", 1)
    rotated.edit(
        socket,
        "<ffrotations name='engine'><random>True</random><grid_order>2</grid_order><inversion>True</inversion>"
        f"{asked}</ffrotations>",
    )
    runs = []
    for run in (plain, rotated):
        driver = ("--model", str(model_file), "--template", start_file(0))
        runs.append((run, run.serve(), run.driver(*driver)))
    expected, found = (run.finish_with(server, driver) for run, server, driver in runs)
    for name in ("simulation.out", "simulation.positions_0.xyz", "simulation.forces_0.xyz"):
        here, there = numbers(found[name]), numbers(expected[name])
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-7, err_msg=name)


def _in_cell(atoms: ase.Atoms, cell: list[float]) -> ase.Atoms:
    atoms.set_cell(cell)
    return atoms


def _methanol_box() -> ase.Atoms:
    """Return two methanol molecules that see each other's images in a triclinic cell."""
    atoms = ase.build.molecule("CH3OH")
    atoms.rotate(40, (1, 2, 3))
    other = atoms.copy()
    other.rotate(70, (3, 1, 2))
    other.translate([0.4, 3.0, 3.4])
    atoms += other
    atoms.set_cell([5.5, 6.0, 6.5, 80.0, 95.0, 100.0])
    atoms.pbc = True
    return atoms


def _strained(atoms: ase.Atoms, strain: np.ndarray) -> ase.Atoms:
    """Return x → (1 + ε) x of atoms and lattice vectors (rows)."""
    moved = atoms.copy()
    deformation = np.eye(3) + strain
    moved.set_cell(atoms.cell @ deformation.T)
    moved.positions = atoms.positions @ deformation.T
    return moved
