"""Mixed ML/MM: methanol by the model in TIP3P water by a force field, with mechanical embedding by openmm-ml; about a minute.

The model describes what happens inside the molecule; charges and radii of the force field, what it does to the water.

python examples/openmm_mixed.py [MODEL] [STEPS]; without a model, the one that ./run demo leaves. Needs: pip install openmmml
"""

import sys

from openmm import LangevinMiddleIntegrator, NonbondedForce, Vec3, app, unit
from openmmml import MLPotential

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 2000

# All by the force field first.
pdb = app.PDBFile("examples/methanol.pdb")
field = app.ForceField(
    "amber14/protein.ff14SB.xml", "amber14/tip3p.xml", "examples/methanol_amber.xml"
)
modeller = app.Modeller(pdb.topology, pdb.positions)
modeller.addSolvent(field, boxSize=Vec3(2.0, 2.0, 2.0) * unit.nanometer)
system = field.createSystem(
    modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=0.9, constraints=app.HBonds
)
for force in system.getForces():  # right also if the molecule is split over the boundary
    if isinstance(force, NonbondedForce):
        force.setExceptionsUsePeriodicBoundaryConditions(True)

# Then the molecule by the model. The water keeps its rigid bonds, the methanol gets vibrating ones.
molecule = [atom.index for atom in modeller.topology.atoms() if atom.residue.name == "MOH"]
potential = MLPotential("nequip-openmm", modelPath=model)
mixed = potential.createMixedSystem(modeller.topology, system, molecule)

integrator = LangevinMiddleIntegrator(300.0, 1.0, 0.0005)
simulation = app.Simulation(modeller.topology, mixed, integrator)
simulation.context.setPositions(modeller.positions)
simulation.minimizeEnergy(maxIterations=100)
simulation.context.setVelocitiesToTemperature(300.0)
columns = {"step": True, "potentialEnergy": True, "temperature": True, "speed": True}
simulation.reporters.append(app.StateDataReporter(sys.stdout, max(1, steps // 10), **columns))
simulation.step(steps)
