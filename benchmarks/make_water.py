"""Makes the box of liquid water that the benchmarks use.

64 molecules at 0.997 g/cm³ and 300 K, by OpenMM's flexible TIP3P: filled, minimised, 20 ps with a thermostat. Nothing in it is
taken from a data set. Run from the root of the repository:

    python -m benchmarks.make_water
"""

from __future__ import annotations

import ase
import ase.io
import numpy as np
import openmm
import openmm.app
import openmm.unit

from benchmarks.common import DATA
from nequip_openmm.units import ANGSTROM_TO_NM

N_MOLECULES = 64
DENSITY = 0.997  # g/cm³
GRAM_PER_CM3 = 0.602214076  # amu/Å³
MASS = 18.01528  # amu
STEPS = 40_000


def main() -> None:
    """Write ``benchmarks/data/water_192.xyz``."""
    length = (N_MOLECULES * MASS / (DENSITY * GRAM_PER_CM3)) ** (1 / 3)
    field = openmm.app.ForceField("amber14/tip3p.xml")
    box = openmm.app.Modeller(openmm.app.Topology(), [])
    box.addSolvent(field, numAdded=N_MOLECULES)
    box.topology.setPeriodicBoxVectors(np.eye(3) * length * ANGSTROM_TO_NM * openmm.unit.nanometer)
    system = field.createSystem(
        box.topology,
        nonbondedMethod=openmm.app.PME,
        nonbondedCutoff=0.6 * openmm.unit.nanometer,
        rigidWater=False,
    )
    integrator = openmm.LangevinMiddleIntegrator(300.0, 5.0, 0.0005)
    integrator.setRandomNumberSeed(1)
    simulation = openmm.app.Simulation(box.topology, system, integrator)
    simulation.context.setPositions(box.positions)
    simulation.minimizeEnergy()
    simulation.context.setVelocitiesToTemperature(300.0, 1)
    simulation.step(STEPS)
    state = simulation.context.getState(positions=True)
    positions = state.getPositions(asNumpy=True).value_in_unit(openmm.unit.angstrom)
    symbols = [atom.element.symbol for atom in box.topology.atoms()]
    atoms = ase.Atoms(symbols, positions, cell=length * np.eye(3), pbc=True)
    ase.io.write(DATA / "water_192.xyz", atoms, columns=["symbols", "positions"])
    print(f"{len(atoms)} atoms, {length:.4f} Å")


if __name__ == "__main__":
    main()
