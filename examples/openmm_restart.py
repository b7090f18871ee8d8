"""Restart: a run that is interrupted and goes on from a checkpoint ends where the uninterrupted one does, to the bit; some seconds.

System and integrator are written as XML, which contains the model, and the checkpoint beside them: these three files are all that
the second half needs. A checkpoint is for the same machine and versions; a state as XML (saveState) goes anywhere, without the
random numbers of a thermostat.

python examples/openmm_restart.py [MODEL] [STEPS]; without a model, the one that ./run demo leaves.
"""

import sys
from pathlib import Path

import numpy as np
from openmm import LangevinMiddleIntegrator, Platform, XmlSerializer, app

from nequip_openmm import NequIPPotential
from nequip_openmm.forces import choose
from nequip_openmm.forces.backends import import_openmmtorch

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
pdb = app.PDBFile("examples/methanol.pdb")
platform, one_thread = Platform.getPlatformByName("CPU"), {"Threads": "1"}


def positions(simulation: app.Simulation) -> np.ndarray:
    """In nm."""
    state = simulation.context.getState(positions=True)
    return np.array(state.getPositions(asNumpy=True)._value)


# A run, half way saved, to its end.
system = NequIPPotential(model).createSystem(pdb.topology)
integrator = LangevinMiddleIntegrator(300.0, 1.0, 0.0005)
integrator.setRandomNumberSeed(1)
simulation = app.Simulation(pdb.topology, system, integrator, platform, one_thread)
simulation.context.setPositions(pdb.positions)
simulation.minimizeEnergy()
simulation.context.setVelocitiesToTemperature(300.0, 1)
simulation.step(steps // 2)
Path("system.xml").write_text(XmlSerializer.serialize(system))
Path("integrator.xml").write_text(XmlSerializer.serialize(integrator))
simulation.saveCheckpoint("half.chk")
simulation.step(steps // 2)
end = positions(simulation)

# Another script would begin here. A System with a TorchForce is read after openmmtorch has been loaded.
if choose().name == "TorchForce":
    import_openmmtorch()
again = app.Simulation(
    pdb.topology,
    XmlSerializer.deserialize(Path("system.xml").read_text()),
    XmlSerializer.deserialize(Path("integrator.xml").read_text()),
    platform,
    one_thread,
)
again.loadCheckpoint("half.chk")
again.step(steps // 2)
print("steps", again.currentStep, "time", again.context.getTime())
print("the same to the bit:", bool((positions(again) == end).all()))
