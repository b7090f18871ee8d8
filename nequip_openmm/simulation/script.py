"""The plain OpenMM script that every run folder gets, so that nobody depends on this package's runner."""

from __future__ import annotations

from nequip_openmm._version import __version__
from nequip_openmm.simulation.schedule import Schedule, Span, Values
from nequip_openmm.simulation.script_ring import ring_start, ring_steps, ring_transfer
from nequip_openmm.simulation.script_system import (
    friction_lines,
    integrator_class,
    integrator_lines,
    mixed_names,
    scale_line,
    system_lines,
    temperature_line,
)
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import RAMP_INTERVAL, Phase

__all__ = ["simulate_script"]

_BAROSTATS = {
    "isotropic": "MonteCarloBarostat",
    "anisotropic": "MonteCarloAnisotropicBarostat",
    "flexible": "MonteCarloFlexibleBarostat",
}


def simulate_script(
    spec: SimulationSpec, schedule: Schedule, platform: str, ml: list[int] | None = None
) -> str:
    """Return the text of a script that starts where the run started and gives the same trajectory.

    Parameters
    ----------
    schedule
        Stages, and what was ordered on the way.
    platform
        Name of the OpenMM platform that the run used.
    ml
        Atoms that the potential describes, where a force field describes the rest.
    """
    first, *others = schedule.phases
    parts = [
        _head(spec, schedule),
        system_lines(spec, platform, ml or []),
        _stage(spec, first),
        _simulation(spec, platform),
        _minimisation(spec),
        _start(spec, first),
        _reporters(spec, first),
        ring_steps(spec) if spec.beads > 1 else "",
        _next_stage(spec) if others else "",
        _steps(spec, schedule, first),
    ]
    for before, phase in zip(schedule.phases, others):
        parts += [
            _stage(spec, phase, before),
            _reporters_of(spec, phase),
            _steps(spec, schedule, phase),
        ]
    return "\n".join(part for part in parts if part)


def _head(spec: SimulationSpec, schedule: Schedule) -> str:
    phases = schedule.phases
    from_openmm, from_app = mixed_names(spec)
    classes = {"Platform", "XmlSerializer", *from_openmm}
    classes |= {integrator_class(spec, phase) for phase in phases}
    classes |= {_BAROSTATS[spec.barostat]} if _has_barostat(phases) else set()
    classes |= {"Vec3"} if _has_barostat(phases) and spec.barostat == "anisotropic" else set()
    classes |= {"VerletIntegrator"} if spec.minimise and spec.dtype == "auto" else set()
    writer = "XTCReporter" if spec.trajectory_format == "xtc" else "DCDReporter"
    app = {writer, "PDBFile", "Simulation", *from_app}
    app |= {"StateDataReporter"} if spec.beads == 1 else set()
    units = {"femtoseconds", "kelvin"}
    has_friction = spec.beads > 1 or any(phase.has_thermostat for phase in phases)
    units |= {"picosecond"} if has_friction else set()
    units |= {"bar"} if _has_barostat(phases) else set()
    units |= {"kilojoules_per_mole", "nanometer"} if spec.minimise else set()
    if any(integrator_class(spec, phase) == "MTSLangevinIntegrator" for phase in phases):
        units |= {"MOLAR_GAS_CONSTANT_R", "kilojoules_per_mole"}
    ml_package = "from openmmml import MLPotential\n" if spec.mixed is not None else ""
    return f'''#!/usr/bin/env python3
"""Repeats the run of this folder with OpenMM: same start, same random numbers, same trajectory.

Needs ``pip install nequip-openmm[openmm]``; writes into the folder "repeated" beside this file.
Written by nequip-openmm {__version__} from spec.yaml.
"""

from pathlib import Path

from openmm import {", ".join(sorted(classes))}
from openmm.app import {", ".join(sorted(app))}
from openmm.unit import {", ".join(sorted(units))}
{ml_package}
from nequip_openmm import NequIPPotential

here = Path(__file__).resolve().parent
output = here / "repeated"
output.mkdir(exist_ok=True)

# Elements and names come from the PDB file, exact positions (and the cell) from OpenMM's own format.
topology = PDBFile(str(here / "topology.pdb")).topology
start = XmlSerializer.deserialize((here / "start.xml").read_text())
if topology.getPeriodicBoxVectors() is not None:
    topology.setPeriodicBoxVectors(start.getPeriodicBoxVectors())
'''


def _simulation(spec: SimulationSpec, platform: str) -> str:
    from nequip_openmm.simulation.platforms import platform_properties

    properties = platform_properties(platform, spec)
    comment = (
        "\n# One thread, because every thread draws its own random numbers; the model runs in threads of its own."
        if platform == "CPU"
        else ""
    )
    return f"""{comment}
platform = Platform.getPlatformByName({platform!r})
properties = {properties!r}
simulation = Simulation(topology, system, integrator, platform, properties)
simulation.context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
simulation.context.setPositions(start.getPositions(asNumpy=True))
{scale_line(spec)}""".removeprefix("\n")


def _minimisation(spec: SimulationSpec) -> str:
    if not spec.minimise:
        return ""
    from nequip_openmm.simulation.minimise import rounds, tolerance_kj_per_mol_nm

    count, iterations = rounds(spec)
    tolerance = tolerance_kj_per_mol_nm(spec)
    return f"""# Relax until the root mean square of the force components is below {spec.minimise_tolerance:g} eV/Å.
{_relaxing(spec)}for _ in range({count}):
    relaxing.minimizeEnergy({tolerance!r} * kilojoules_per_mole / nanometer, {iterations})
if relaxing is not simulation:
    relaxed = relaxing.context.getState(positions=True)
    simulation.context.setPositions(relaxed.getPositions(asNumpy=True))
"""


def _relaxing(spec: SimulationSpec) -> str:
    if spec.dtype != "auto":
        return "relaxing = simulation\n"
    return f"""relaxing = simulation
if str(potential.potential.dtype) != "torch.float64":  # forces that are exact enough for a tight minimum
    options = {{"device": potential.potential.device, "engine": {spec.engine!r}, "threads": {spec.threads!r}}}
    double = NequIPPotential(str(here / "model.safetensors"), dtype="float64", **options)
    exact = make_system(double)
    relaxing = Simulation(topology, exact, VerletIntegrator(1 * femtoseconds), platform, properties)
    relaxing.context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
    relaxing.context.setPositions(start.getPositions(asNumpy=True))
{_indented(scale_line(spec).replace("simulation.", "relaxing."))}"""


def _indented(line: str) -> str:
    return f"    {line}" if line else ""


def _start(spec: SimulationSpec, first: Phase) -> str:
    if spec.beads > 1:
        return ring_start(spec, first.temperature)
    return f"""simulation.context.setVelocitiesToTemperature({first.temperature!r} * kelvin, {spec.seed})
"""


def _reporters(spec: SimulationSpec, first: Phase) -> str:
    writer, name = ("XTCReporter", "trajectory.xtc")
    if spec.trajectory_format != "xtc":
        writer, name = ("DCDReporter", "trajectory.dcd")
    trajectory = f'trajectory = {writer}(str(output / "{name}"), {spec.trajectory_interval}, enforcePeriodicBox=False)\n'
    if spec.beads > 1:
        return trajectory + _reporters_of(spec, first)
    return f"""{trajectory}thermo = StateDataReporter(
    str(output / "thermo.csv"),
    {spec.thermo_interval},
    step=True,
    time=True,  # ps
    potentialEnergy=True,  # kJ/mol
    kineticEnergy=True,
    totalEnergy=True,
    temperature=True,  # K
)
{_reporters_of(spec, first)}"""


def _reporters_of(spec: SimulationSpec, phase: Phase) -> str:
    if spec.beads > 1:
        return f"saves_frames = {phase.save_frames}\n"
    return f"simulation.reporters = {'[thermo, trajectory]' if phase.save_frames else '[thermo]'}\n"


# --- stages -------------------------------------------------------------------------------------------------------------


def _next_stage(spec: SimulationSpec) -> str:
    return f'''
def next_stage(before, integrator):
    """Return a Simulation that goes on where the one before ended."""
    state = before.context.getState(positions=True, velocities=True)
    after = Simulation(topology, system, integrator, platform, properties)
    after.context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    after.context.setPositions(state.getPositions(asNumpy=True))
    after.context.setVelocities(state.getVelocities(asNumpy=True))
{ring_transfer(spec) if spec.beads > 1 else ""}    after.context.setTime(state.getTime())
    after.currentStep = before.currentStep
{_indented(scale_line(spec).replace("simulation.", "after."))}    return after

'''


def _stage(spec: SimulationSpec, phase: Phase, before: Phase | None = None) -> str:
    """Return the lines that make barostat and integrator of a stage, and its Simulation after the first."""
    title = f"# --- {phase.name}: {phase.ensemble}, to step {phase.end} ---\n" if phase.name else ""
    removal = "system.removeForce(system.getNumForces() - 1)  # the barostat\n"
    lines = title + (removal if before is not None and before.has_barostat else "")
    lines += (_barostat(spec, phase) if phase.has_barostat else "") + integrator_lines(spec, phase)
    return lines + ("simulation = next_stage(simulation, integrator)\n" if before else "")


def _barostat(spec: SimulationSpec, phase: Phase) -> str:
    pressure = f"{phase.pressure!r} * bar"
    temperature, interval = f"{phase.temperature!r} * kelvin", spec.barostat_interval
    if spec.barostat == "anisotropic":
        pressure = f"Vec3(*3 * [{phase.pressure!r}]) * bar"
        interval_arguments = f"True, True, True, {interval}"
    else:
        interval_arguments = f"{interval}"
    return f"""# The barostat tries a new volume every {interval} steps.
barostat = {_BAROSTATS[spec.barostat]}({pressure}, {temperature}, {interval_arguments})
barostat.setRandomNumberSeed({phase.seed})
system.addForce(barostat)
"""


def _steps(spec: SimulationSpec, schedule: Schedule, phase: Phase) -> str:
    """Return the lines that make the steps of a stage, with its ramp and with what was ordered on the way."""
    now = Values(phase.temperature, phase.friction, phase.pressure)
    lines = ""
    for span in schedule.spans:
        if span.phase is not phase or span.end == span.begin:
            continue
        if span.is_ramp:
            before, after = (values._replace(temperature=0.0) for values in (now, span.values))
            lines += _settings(spec, phase, before, after)
            lines += _ramp(spec, span)
        else:
            lines += _settings(spec, phase, now, span.values)
            time = spec.time_ps(span.end - span.begin)
            lines += f"{_step(spec)}({span.end - span.begin})  # {time:g} ps\n"
        now = span.values  # a ramp leaves another temperature, which the next span sets anew
        if span.is_ramp:
            now = now._replace(temperature=float("nan"))
    return lines


def _ramp(spec: SimulationSpec, span: Span) -> str:
    phase, stair = span.phase, RAMP_INTERVAL
    begin, length = phase.begin, phase.end - phase.begin
    difference = f"({phase.temperature_end!r} - {phase.temperature!r})"
    barostat = f"    {_barostat_temperature(spec)}\n" if phase.has_barostat else ""
    return f"""while simulation.currentStep < {span.end}:  # from {phase.temperature:g} K to {phase.temperature_end:g} K in small stairs
    done = simulation.currentStep - {begin}
    temperature = {phase.temperature!r} + {difference} * (done // {stair} * {stair}) / {length}
    {temperature_line(spec, phase)}
{barostat}    {_step(spec)}(min({stair} - done % {stair}, {span.end} - simulation.currentStep))
"""


def _settings(spec: SimulationSpec, phase: Phase, before: Values, after: Values) -> str:
    """Return the lines that change settings, as orders did."""
    lines = ""
    has_bath = phase.has_thermostat or phase.beads > 1  # the springs of a ring have a temperature
    if has_bath and after.temperature != before.temperature:
        lines += f"temperature = {after.temperature!r}\n{temperature_line(spec, phase)}\n"
        lines += f"{_barostat_temperature(spec)}\n" if phase.has_barostat else ""
    if has_bath and after.friction != before.friction:
        lines += friction_lines(spec, phase, after.friction)
    if phase.has_barostat and after.pressure != before.pressure:
        axes = "XYZ" if spec.barostat == "anisotropic" else ("",)
        for axis in axes:
            name = f"{_BAROSTATS[spec.barostat]}.Pressure{axis}()"
            lines += f"simulation.context.setParameter({name}, {after.pressure!r})\n"
    return lines


def _barostat_temperature(spec: SimulationSpec) -> str:
    name = f"{_BAROSTATS[spec.barostat]}.Temperature()"
    return f"simulation.context.setParameter({name}, temperature)"


def _step(spec: SimulationSpec) -> str:
    return "simulation.step" if spec.beads == 1 else "make_steps"


def _has_barostat(phases: tuple[Phase, ...]) -> bool:
    return any(phase.has_barostat for phase in phases)
