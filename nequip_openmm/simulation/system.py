"""From a specification to an OpenMM simulation that is ready to step."""

from __future__ import annotations

import openmm
from openmm import app, unit

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.potential import Potential
from nequip_openmm.simulation.platforms import (
    choose_backend,
    choose_platform,
    platform_properties,
)
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
    "make_integrator",
    "make_simulation",
    "make_system",
]

BAROSTATS = (
    openmm.MonteCarloBarostat,
    openmm.MonteCarloAnisotropicBarostat,
    openmm.MonteCarloFlexibleBarostat,
)
_ANISOTROPIC = openmm.MonteCarloAnisotropicBarostat
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
    """Return the System whose only interaction is the potential."""
    return NequIPPotential(potential).createSystem(
        topology,
        removeCMMotion=True,
        hydrogenMass=spec.hydrogen_mass,
        moleculesFromTopology=spec.molecules,
        backend=choose_backend(spec).name,
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
    platform, properties = _platform(spec)
    integrator = make_integrator(spec, phase)
    try:
        simulation = app.Simulation(structure.topology, system, integrator, platform, properties)
    except openmm.OpenMMException as error:
        raise BackendError(
            f"platform {platform.getName()}: OpenMM cannot use it: {error}"
        ) from error
    simulation.context.setPositions(structure.frame.positions * ANGSTROM_TO_NM)
    return simulation


def enter_phase(simulation: app.Simulation, spec: SimulationSpec, phase: Phase) -> None:
    """Give a simulation integrator and barostat of its next phase; it goes on from its positions, velocities, cell and step."""
    state = simulation.context.getState(positions=True, velocities=True)
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
    context.setTime(state.getTime())
    simulation.currentStep = step


def make_integrator(spec: SimulationSpec, phase: Phase) -> openmm.Integrator:
    """Return the integrator of a phase.

    nve: velocity Verlet's leap-frog form. Langevin: the middle scheme, Z. Zhang et al., J. Phys. Chem. A 123, 6056 (2019),
    doi:10.1021/acs.jpca.9b02771. Nosé-Hoover: a chain of three, G. J. Martyna et al., J. Chem. Phys. 97, 2635 (1992),
    doi:10.1063/1.463940.
    """
    step = spec.timestep * unit.femtosecond
    if not phase.has_thermostat:
        return openmm.VerletIntegrator(step)
    bath = (phase.temperature * unit.kelvin, phase.friction / unit.picosecond)
    if phase.thermostat == "nose-hoover":
        return openmm.NoseHooverIntegrator(*bath, step)
    integrator = openmm.LangevinMiddleIntegrator(*bath, step)
    integrator.setRandomNumberSeed(phase.seed)
    return integrator


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


def apply_values(simulation: app.Simulation, phase: Phase, values: Values) -> None:
    """Set thermostat and barostat of a running simulation."""
    integrator, context = simulation.integrator, simulation.context
    if phase.has_thermostat:
        integrator.setTemperature(values.temperature * unit.kelvin)
        rate = values.friction / unit.picosecond
        if phase.thermostat == "nose-hoover":
            integrator.setCollisionFrequency(rate)
        else:
            integrator.setFriction(rate)
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
