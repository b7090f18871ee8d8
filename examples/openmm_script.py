"""Methanol at 300 K with the potential that ./run demo leaves; run from the root of the repository."""

import sys

from openmm import LangevinMiddleIntegrator, app

from nequip_openmm import NequIPPotential

pdb = app.PDBFile("examples/methanol.pdb")
system = NequIPPotential("demo-run/model.safetensors").createSystem(pdb.topology)
integrator = LangevinMiddleIntegrator(300.0, 1.0, 0.0005)  # K, 1/ps, ps
simulation = app.Simulation(pdb.topology, system, integrator)
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy()
table = app.StateDataReporter(sys.stdout, 200, step=True, potentialEnergy=True, temperature=True)
simulation.reporters.append(table)
simulation.step(2000)
