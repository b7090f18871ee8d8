"""NVT of a molecule: methanol at 300 K, with a trajectory and the mean length of its bonds; about 20 s.

python examples/openmm_nvt_molecule.py [MODEL] [STEPS]; without a model, the one that ./run demo leaves.
"""

import sys

import numpy as np
from openmm import LangevinMiddleIntegrator, app, unit

from nequip_openmm import NequIPPotential

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000

pdb = app.PDBFile("examples/methanol.pdb")
system = NequIPPotential(model).createSystem(pdb.topology)
integrator = LangevinMiddleIntegrator(300.0, 10.0, 0.0005)  # K, 1/ps, ps
simulation = app.Simulation(pdb.topology, system, integrator)
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy()
simulation.context.setVelocitiesToTemperature(300.0)
simulation.reporters += [
    app.DCDReporter("methanol_nvt.dcd", 20),
    app.StateDataReporter(
        sys.stdout,
        max(1, steps // 10),
        step=True,
        potentialEnergy=True,
        temperature=True,
        speed=True,
    ),
]
bonds = [(bond[0].index, bond[1].index) for bond in pdb.topology.bonds()]
names = [f"{bond[0].name}-{bond[1].name}" for bond in pdb.topology.bonds()]
lengths = []
for _ in range(steps // 20):
    simulation.step(20)
    state = simulation.context.getState(positions=True)
    x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    lengths.append([np.linalg.norm(x[i] - x[j]) for i, j in bonds])
for name, mean, spread in zip(names, np.mean(lengths, axis=0), np.std(lengths, axis=0)):
    print(f"{name:5s} {mean:.3f} ± {spread:.3f} Å")
