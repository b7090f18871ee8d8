"""The part of ``simulate.py`` that makes the System and the integrators."""

from __future__ import annotations

import math
from pathlib import Path

from nequip_openmm.simulation.mixed import Mixed
from nequip_openmm.simulation.platforms import choose_backend, model_device
from nequip_openmm.simulation.script_ring import ring_lines
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase
from nequip_openmm.units import FS_TO_PS

__all__ = [
    "friction_lines",
    "integrator_class",
    "integrator_lines",
    "mixed_names",
    "scale_line",
    "system_lines",
    "temperature_line",
]

_CONSTRAINTS = {"none": "None", "hbonds": "HBonds", "allbonds": "AllBonds"}


def system_lines(spec: SimulationSpec, platform: str, ml: list[int]) -> str:
    """Return the lines that define ``make_system(potential)`` and make the System.

    Parameters
    ----------
    ml
        Atoms that the potential describes, where a force field describes the rest.
    """
    dtype = None if spec.dtype == "auto" else spec.dtype
    device = model_device(platform, spec)
    body = _plain(spec, platform) if spec.mixed is None else _mixed(spec, spec.mixed, platform, ml)
    return f"""{body}

potential = NequIPPotential(
    str(here / "model.safetensors"), device={device!r}, dtype={dtype!r}, engine={spec.engine!r}, threads={spec.threads!r}
)
system = make_system(potential)
"""


def mixed_names(spec: SimulationSpec) -> tuple[set[str], set[str]]:
    """Return what a mixed System needs of ``openmm`` and of ``openmm.app``."""
    if spec.mixed is None:
        return set(), set()
    from_openmm = {"HarmonicBondForce", "NonbondedForce"}
    from_openmm |= {"CustomCVForce"} if spec.mixed.coupling < 1.0 else set()
    rigid = {_CONSTRAINTS[spec.mixed.constraints]} - {"None"}
    return from_openmm, {"PME", "ForceField", "NoCutoff", *rigid}


def scale_line(spec: SimulationSpec) -> str:
    """Return the line that sets the factor of the potential in a new Context, if there is one."""
    return (
        "" if spec.scale == 1.0 else f'simulation.context.setParameter("scale", {spec.scale!r})\n'
    )


def integrator_class(spec: SimulationSpec, phase: Phase) -> str:
    """Return the name of the integrator's class."""
    is_nested = spec.mixed is not None and spec.mixed.inner_steps > 1
    if spec.beads > 1:
        return "RPMDIntegrator"
    if not phase.has_thermostat:
        return "MTSIntegrator" if is_nested else "VerletIntegrator"
    if phase.thermostat == "nose-hoover":
        return "NoseHooverIntegrator"
    return "MTSLangevinIntegrator" if is_nested else "LangevinMiddleIntegrator"


def integrator_lines(spec: SimulationSpec, phase: Phase) -> str:
    """Return the lines that make the integrator of a stage."""
    if spec.beads > 1:
        return ring_lines(spec, phase)
    name, step = integrator_class(spec, phase), f"{spec.timestep!r} * femtoseconds"
    groups = f", [(1, 1), (0, {_inner(spec)})]" if name.startswith("MTS") else ""
    if not phase.has_thermostat:
        return f"integrator = {name}({step}{groups})  # constant energy\n"
    bath = f"{phase.temperature!r} * kelvin, {phase.friction!r} / picosecond"
    text = f"# Temperature, friction, time step.\nintegrator = {name}({bath}, {step}{groups})\n"
    if phase.thermostat == "nose-hoover":
        return text
    if name == "MTSLangevinIntegrator":
        text += "# OpenMM draws random numbers when it computes the kinetic energy: with other reports the noise is another.\n"
    return f"{text}integrator.setRandomNumberSeed({phase.seed})\n"


def temperature_line(spec: SimulationSpec, phase: Phase) -> str:
    """Return the line that gives the integrator the value of ``temperature``."""
    if integrator_class(spec, phase) == "MTSLangevinIntegrator":
        kt = "(MOLAR_GAS_CONSTANT_R * temperature * kelvin).value_in_unit(kilojoules_per_mole)"
        return f'integrator.setGlobalVariableByName("kT", {kt})'
    return "integrator.setTemperature(temperature * kelvin)"


def friction_lines(spec: SimulationSpec, phase: Phase, friction: float) -> str:
    """Return the lines that change the integrator's friction."""
    if integrator_class(spec, phase) == "MTSLangevinIntegrator":
        kept = math.exp(-friction * spec.timestep * FS_TO_PS / _inner(spec))
        return (
            f'integrator.setGlobalVariableByName("a", {kept!r})  # friction {friction:g} / ps\n'
            f'integrator.setGlobalVariableByName("b", {math.sqrt(1.0 - kept**2)!r})\n'
        )
    setter = "setCollisionFrequency" if phase.thermostat == "nose-hoover" else "setFriction"
    return f"integrator.{setter}({friction!r} / picosecond)\n"


def _inner(spec: SimulationSpec) -> int:
    return 1 if spec.mixed is None else spec.mixed.inner_steps


def _backend(spec: SimulationSpec, platform: str) -> str:
    return choose_backend(spec).name if platform == "OpenCL" else spec.backend


def _plain(spec: SimulationSpec, platform: str) -> str:
    options = f", backend={_backend(spec, platform)!r}"
    options += f", hydrogenMass={spec.hydrogen_mass!r}" if spec.hydrogen_mass is not None else ""
    options += ", moleculesFromTopology=True" if spec.molecules else ""
    options += f", periodic={spec.periodic!r}" if spec.periodic is not None else ""
    options += ', scaleParameter="scale"' if spec.scale != 1.0 else ""
    is_kept = spec.beads == 1
    at_rest = "; the centre of mass is kept at rest" if is_kept else ""
    return f'''
def make_system(potential):
    """Return a System whose only interaction is the potential{at_rest}."""
    return potential.createSystem(topology, removeCMMotion={is_kept}{options})
'''


def _mixed(spec: SimulationSpec, mixed: Mixed, platform: str, ml: list[int]) -> str:
    names = []
    for number, name in enumerate(mixed.forcefield):
        local = f'str(here / "{mixed.copy_name(number)}")'
        names.append(local if Path(name).is_file() else repr(name))
    coupling = f"""
    for force in system.getForces():
        if isinstance(force, CustomCVForce):
            names = [force.getGlobalParameterName(i) for i in range(force.getNumGlobalParameters())]
            force.setGlobalParameterDefaultValue(names.index("lambda_interpolate"), {mixed.coupling!r})"""
    at_rest = "" if spec.beads == 1 else "\n        removeCMMotion=False,"
    contraction = """
    for force in system.getForces():  # a group of their own, which is computed on fewer beads
        if isinstance(force, NonbondedForce):
            force.setForceGroup(2)"""
    contraction = contraction if mixed.contraction is not None else ""
    return f'''
ml = {ml}  # the atoms that the potential describes
field = ForceField({", ".join(names)})


def make_system(potential):
    """Return the System of the force field with the potential in it: E = E_MM(all) - E_MM(ML) + E_ML(ML)."""
    is_periodic = topology.getPeriodicBoxVectors() is not None
    mm = field.createSystem(
        topology,
        nonbondedMethod=PME if is_periodic else NoCutoff,
        nonbondedCutoff={mixed.cutoff!r} * 0.1,
        constraints={_CONSTRAINTS[mixed.constraints]},
        rigidWater={mixed.rigid_water},
        hydrogenMass={spec.hydrogen_mass!r},{at_rest}
    )
    for force in mm.getForces():  # right also where a molecule is split over the boundary
        if isinstance(force, NonbondedForce) and is_periodic:
            force.setExceptionsUsePeriodicBoundaryConditions(True)
    options = {{"forceGroup": 1, "interpolate": {mixed.coupling < 1.0}, "backend": {_backend(spec, platform)!r}}}
    ml_potential = MLPotential("nequip-openmm", modelPath=potential.potential)
    system = ml_potential.createMixedSystem(topology, mm, ml, **options){coupling if mixed.coupling < 1.0 else ""}{contraction}
    bonds = HarmonicBondForce()  # without strength: barostats move whole molecules
    for first, second in topology.bonds():
        if first.index in ml and second.index in ml:
            bonds.addBond(first.index, second.index, 0.1, 0.0)
    bonds.setUsesPeriodicBoundaryConditions(is_periodic)
    system.addForce(bonds)
    return system
'''
