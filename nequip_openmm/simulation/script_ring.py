"""The part of ``simulate.py`` that is about ring polymers, whose beads OpenMM's integrator holds."""

from __future__ import annotations

from nequip_openmm.simulation.ring import bead_seed
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase

__all__ = ["ring_lines", "ring_start", "ring_steps", "ring_transfer"]


def ring_lines(spec: SimulationSpec, phase: Phase) -> str:
    """Return the lines that make the integrator of a stage."""
    contraction = None if spec.mixed is None else spec.mixed.contraction
    contractions = "" if contraction is None else f", {{2: {contraction}}}"
    bath = f"{phase.temperature!r} * kelvin, {phase.friction!r} / picosecond"
    off = (
        "" if phase.has_thermostat else "integrator.setApplyThermostat(False)  # constant energy\n"
    )
    return (
        "# Beads, temperature, friction of the centroid, time step.\n"
        f"integrator = RPMDIntegrator({spec.beads}, {bath}, {spec.timestep!r} * femtoseconds{contractions})\n"
        f"{off}integrator.setRandomNumberSeed({phase.seed})\n"
    )


def ring_start(spec: SimulationSpec, temperature: float) -> str:
    """Return the lines that put all beads at the start and draw their velocities."""
    first = bead_seed(spec, 0)
    return f"""# All beads begin in one place; as many as they are, so many times is their temperature that of the thermostat.
positions = simulation.context.getState(positions=True).getPositions(asNumpy=True)
for bead in range({spec.beads}):
    simulation.context.setVelocitiesToTemperature({spec.beads * temperature!r} * kelvin, {first} + bead)
    velocities = simulation.context.getState(velocities=True).getVelocities(asNumpy=True)
    integrator.setPositions(bead, positions)
    integrator.setVelocities(bead, velocities)
"""


def ring_transfer(spec: SimulationSpec) -> str:
    """Return the lines that hand the beads to the next stage's integrator."""
    return f"""    for bead in range({spec.beads}):
        state = before.integrator.getState(bead, getPositions=True, getVelocities=True)
        integrator.setPositions(bead, state.getPositions(asNumpy=True))
        integrator.setVelocities(bead, state.getVelocities(asNumpy=True))
"""


def ring_steps(spec: SimulationSpec) -> str:
    """Return the definition of what makes steps and writes the first bead, which OpenMM's Simulation cannot do."""
    interval = spec.trajectory_interval
    return f'''
def make_steps(count):
    """Make so many steps; every {interval} steps the first bead goes to the trajectory. OpenMM does not count those of rings."""
    end = simulation.currentStep + count
    while simulation.currentStep < end:
        step = simulation.currentStep
        count = min(end - step, {interval} - step % {interval})
        integrator.step(count)
        simulation.currentStep = step + count
        if saves_frames and simulation.currentStep % {interval} == 0:
            trajectory.report(simulation, integrator.getState(0, getPositions=True))

'''
