"""Ring polymer molecular dynamics: methanol as 16 beads at 300 K, quantum beside classical O-H distances; about a minute.

OpenMM evaluates one bead after the other; for all beads in one evaluation see docs/ipi.md.

python examples/openmm_rpmd.py [MODEL] [STEPS]; without a model, the one that ./run demo leaves.
"""

import sys

import numpy as np
from openmm import Context, Platform, RPMDIntegrator, VerletIntegrator, app, unit
from openmm import LocalEnergyMinimizer as Minimizer

from nequip_openmm import NequIPPotential

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 2000

pdb = app.PDBFile("examples/methanol.pdb")
names = [atom.name for atom in pdb.topology.atoms()]
oxygen, hydrogen = names.index("O"), names.index("HO")
system = NequIPPotential(model).createSystem(pdb.topology, removeCMMotion=False)
platform = Platform.getPlatformByName("CPU")

minimum = Context(system, VerletIntegrator(0.0005), platform)
minimum.setPositions(pdb.positions)
Minimizer.minimize(minimum)
start = minimum.getState(positions=True).getPositions()

for beads in (1, 16):
    integrator = RPMDIntegrator(
        beads, 300.0 * unit.kelvin, 10.0 / unit.picosecond, 0.25 * unit.femtosecond
    )
    context = Context(system, integrator, platform)
    context.setPositions(start)
    context.setVelocitiesToTemperature(300.0)
    velocities = context.getState(velocities=True).getVelocities()
    for bead in range(beads):
        integrator.setPositions(bead, start)
        integrator.setVelocities(bead, velocities)
    integrator.step(steps // 4)  # the beads spread
    distances = []
    for _ in range(steps // 20):
        integrator.step(20)
        for bead in range(beads):
            state = integrator.getState(bead, getPositions=True)
            x = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
            distances.append(np.linalg.norm(x[oxygen] - x[hydrogen]))
    print(f"{beads:2d} beads: O-H {np.mean(distances):.3f} ± {np.std(distances):.3f} Å")
