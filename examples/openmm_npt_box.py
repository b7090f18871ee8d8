"""NPT of a periodic box: eight methanol molecules at 400 K and 1 bar, a gas; half a minute.

The model of the demo has seen single molecules only and knows nothing of two that meet: hence a gas so thin that they rarely do,
whose volume must come out near that of the ideal gas. With a model of a liquid, give a liquid: nothing else changes.

python examples/openmm_npt_box.py [MODEL] [STEPS]; without a model, the one that ./run demo leaves.
"""

import sys

import numpy as np
from openmm import LangevinMiddleIntegrator, MonteCarloBarostat, Vec3, app, unit

from nequip_openmm import NequIPPotential

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
TEMPERATURE, PRESSURE = 400.0, 1.0  # K, bar

pdb = app.PDBFile("examples/methanol.pdb")
box = app.Modeller(pdb.topology, pdb.positions)
for corner in range(1, 8):
    shift = 3.9 * np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
    box.add(pdb.topology, pdb.getPositions(asNumpy=True) + shift * unit.nanometer)
box.topology.setUnitCellDimensions(Vec3(7.8, 7.8, 7.8) * unit.nanometer)

# The barostat moves whole molecules, which it knows by their bonds: these have no energy.
system = NequIPPotential(model).createSystem(box.topology, moleculesFromTopology=True)
system.addForce(MonteCarloBarostat(PRESSURE * unit.bar, TEMPERATURE * unit.kelvin, 5))
integrator = LangevinMiddleIntegrator(TEMPERATURE, 1.0, 0.0005)
simulation = app.Simulation(box.topology, system, integrator)
simulation.context.setPositions(box.positions)
simulation.context.setVelocitiesToTemperature(TEMPERATURE)
columns = {"step": True, "potentialEnergy": True, "temperature": True, "volume": True}
simulation.reporters.append(app.StateDataReporter(sys.stdout, max(1, steps // 10), **columns))
volumes = []
for _ in range(steps // 20):
    simulation.step(20)
    state = simulation.context.getState()
    volumes.append(state.getPeriodicBoxVolume().value_in_unit(unit.nanometer**3))
kt = unit.MOLAR_GAS_CONSTANT_R * TEMPERATURE * unit.kelvin / unit.AVOGADRO_CONSTANT_NA
ideal = 9 * (kt / (PRESSURE * unit.bar)).value_in_unit(unit.nanometer**3)
print(
    f"volume {np.mean(volumes):.1f} ± {np.std(volumes):.1f} nm³; ideal gas {ideal:.1f} ± {ideal / 3:.1f} nm³"
)
