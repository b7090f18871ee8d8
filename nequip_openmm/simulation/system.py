"""From a specification to an OpenMM simulation that is ready to step."""

from __future__ import annotations

import openmm
from openmm import app, unit

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.potential import Potential
from nequip_openmm.simulation.embedding import make_mixed_system
from nequip_openmm.simulation.integrators import make_integrator, set_bath
from nequip_openmm.simulation.platforms import (
    choose_backend,
    choose_platform,
    platform_properties,
)
from nequip_openmm.simulation.ring import RingSimulation, beads_nm, refuse_rigid, set_beads
from nequip_openmm.simulation.schedule import Values
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase
from nequip_openmm.simulation.structure import Structure, box_vectors_nm
from nequip_openmm.units import ANGSTROM_TO_NM, KJ_PER_MOL_TO_EV

__all__ = [
    "BAROSTATS",
    "apply_values",
    "bath_ev",
    "enter_phase",
    "make_barostat",
    "make_simulation",
    "make_system",
]

BAROSTATS = (
    openmm.MonteCarloBarostat,
    openmm.MonteCarloAnisotropicBarostat,
    openmm.MonteCarloFlexibleBarostat,
)
_ANISOTROPIC = openmm.MonteCarloAnisotropicBarostat
SCALE = "scale"
_PRESSURES = (
    openmm.MonteCarloBarostat.Pressure(),
    openmm.MonteCarloFlexibleBarostat.Pressure(),
    _ANISOTROPIC.PressureX(),
    _ANISOTROPIC.PressureY(),
    _ANISOTROPIC.PressureZ(),
)


def make_system(
    spec: SimulationSpec, topology: app.Topology, potential: Potential
) -> openmm.System:
    """Return the System whose only interaction is the potential, or with a force field around it."""
    if spec.mixed is not None:
        return make_mixed_system(spec, spec.mixed, topology, potential)
    return NequIPPotential(potential).createSystem(
        topology,
        removeCMMotion=spec.beads == 1,  # every bead would be kept at rest by itself
        hydrogenMass=spec.hydrogen_mass,
        moleculesFromTopology=spec.molecules,
        backend=choose_backend(spec).name,
        periodic=spec.periodic,
        scaleParameter=None if spec.scale == 1.0 else SCALE,
    )


def make_simulation(
    spec: SimulationSpec, structure: Structure, potential: Potential, phase: Phase
) -> app.Simulation:
    """Return a Simulation of one phase with cell and positions set, at step 0, without velocities.

    Raises
    ------
    BackendError
        If the platform is not there or does not work with the force.
    """
    system = make_system(spec, structure.topology, potential)
    if structure.is_periodic:
        vectors = box_vectors_nm(structure.frame.cell)
        system.setDefaultPeriodicBoxVectors(*vectors)
    if phase.has_barostat:
        system.addForce(make_barostat(spec, phase))
    if spec.beads > 1:
        refuse_rigid(system)
    platform, properties = _platform(spec)
    integrator = make_integrator(spec, phase)
    kind = app.Simulation if spec.beads == 1 else RingSimulation
    try:
        simulation = kind(structure.topology, system, integrator, platform, properties)
    except openmm.OpenMMException as error:
        raise BackendError(
            f"platform {platform.getName()}: OpenMM cannot use it: {error}"
        ) from error
    simulation.context.setPositions(structure.frame.positions * ANGSTROM_TO_NM)
    _set_scale(simulation.context, spec)
    return simulation


def enter_phase(simulation: app.Simulation, spec: SimulationSpec, phase: Phase) -> None:
    """Give a simulation integrator and barostat of its next phase; it goes on from its positions, velocities, cell and step."""
    state = simulation.context.getState(positions=True, velocities=True)
    beads = beads_nm(simulation) if isinstance(simulation, RingSimulation) else None
    step, system = simulation.currentStep, simulation.system
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), BAROSTATS):
            system.removeForce(index)
    if phase.has_barostat:
        system.addForce(make_barostat(spec, phase))
    platform, properties = _platform(spec)
    simulation.integrator = make_integrator(spec, phase)
    simulation.context = openmm.Context(system, simulation.integrator, platform, properties)
    context = simulation.context
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions(asNumpy=True))
    context.setVelocities(state.getVelocities(asNumpy=True))
    if beads is not None:
        set_beads(simulation, **beads)
    context.setTime(state.getTime())
    _set_scale(context, spec)
    simulation.currentStep = step


def _set_scale(context: openmm.Context, spec: SimulationSpec) -> None:
    if spec.scale != 1.0:
        context.setParameter(SCALE, spec.scale)


def make_barostat(spec: SimulationSpec, phase: Phase) -> openmm.Force:
    """Return the Monte Carlo barostat of a phase."""
    pressure, temperature = phase.pressure * unit.bar, phase.temperature * unit.kelvin
    interval = spec.barostat_interval
    if spec.barostat == "isotropic":
        barostat = openmm.MonteCarloBarostat(pressure, temperature, interval)
    elif spec.barostat == "flexible":
        barostat = openmm.MonteCarloFlexibleBarostat(pressure, temperature, interval)
    else:
        three = openmm.Vec3(phase.pressure, phase.pressure, phase.pressure) * unit.bar
        barostat = openmm.MonteCarloAnisotropicBarostat(
            three, temperature, True, True, True, interval
        )
    barostat.setRandomNumberSeed(phase.seed)
    return barostat


def apply_values(
    simulation: app.Simulation, spec: SimulationSpec, phase: Phase, values: Values
) -> None:
    """Set thermostat and barostat of a running simulation."""
    context = simulation.context
    if phase.has_thermostat or phase.beads > 1:  # the springs of a ring have a temperature
        set_bath(simulation.integrator, spec, phase, values)
    known = context.getParameters()
    for name in (barostat.Temperature() for barostat in BAROSTATS):
        if name in known:
            context.setParameter(name, values.temperature)
    for name in _PRESSURES:
        if name in known:
            context.setParameter(name, values.pressure)


def bath_ev(simulation: app.Simulation, phase: Phase) -> float:
    """Return the energy in eV of what is coupled to the atoms and counts in the conserved quantity."""
    if not phase.has_thermostat or phase.thermostat != "nose-hoover":
        return 0.0
    energy = simulation.integrator.computeHeatBathEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole)) * KJ_PER_MOL_TO_EV


def _platform(spec: SimulationSpec) -> tuple[openmm.Platform, dict[str, str]]:
    """Return the platform of a run and its properties."""
    name = choose_platform(spec).name
    return openmm.Platform.getPlatformByName(name), platform_properties(name, spec)
