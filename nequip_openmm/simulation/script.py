"""The plain OpenMM script that every run folder gets, so that nobody depends on this package's runner."""

from __future__ import annotations

from nequip_openmm._version import __version__
from nequip_openmm.simulation.spec import SimulationSpec

__all__ = ["simulate_script"]


def simulate_script(spec: SimulationSpec, platform: str) -> str:
    """Return the text of a script that starts where the run started and gives the same trajectory.

    Parameters
    ----------
    platform
        Name of the OpenMM platform that the run used.
    """
    parts = [
        _head(spec),
        _system(spec, platform),
        _integrator(spec),
        _simulation(spec, platform),
        _minimisation(spec),
        _dynamics(spec),
    ]
    return "\n".join(part for part in parts if part)


def _head(spec: SimulationSpec) -> str:
    classes = ["LangevinMiddleIntegrator"] if spec.has_thermostat else ["VerletIntegrator"]
    classes += ["MonteCarloBarostat"] if spec.ensemble == "npt" else []
    classes += ["Platform", "XmlSerializer"]
    units = ["femtoseconds", "kelvin"]
    units += ["picosecond"] if spec.has_thermostat else []
    units += ["bar"] if spec.ensemble == "npt" else []
    units += ["kilojoules_per_mole", "nanometer"] if spec.minimise else []
    return f'''#!/usr/bin/env python3
"""Repeats the run of this folder with OpenMM: same start, same random numbers, same trajectory.

Needs ``pip install nequip-openmm[openmm]``; writes into the folder "repeated" beside this file.
Written by nequip-openmm {__version__} from spec.yaml.
"""

from pathlib import Path

from openmm import {", ".join(sorted(classes))}
from openmm.app import DCDReporter, PDBFile, Simulation, StateDataReporter
from openmm.unit import {", ".join(sorted(units))}

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


def _system(spec: SimulationSpec, platform: str) -> str:
    from nequip_openmm.simulation.system import model_device

    device = model_device(platform, spec)
    dtype = None if spec.dtype == "auto" else spec.dtype
    barostat = (
        f"""
# The barostat tries a new volume every {spec.barostat_interval} steps.
barostat = MonteCarloBarostat({spec.pressure!r} * bar, {spec.temperature!r} * kelvin, {spec.barostat_interval})
barostat.setRandomNumberSeed({spec.seed})
system.addForce(barostat)
"""
        if spec.ensemble == "npt"
        else ""
    )
    return f"""# The potential is the only interaction; the centre of mass is kept at rest.
potential = NequIPPotential(
    str(here / "model.safetensors"), device={device!r}, dtype={dtype!r}, engine={spec.engine!r}, threads={spec.threads!r}
)
system = potential.createSystem(topology, removeCMMotion=True, backend={spec.backend!r})
{barostat}"""


def _integrator(spec: SimulationSpec) -> str:
    if not spec.has_thermostat:
        return (
            f"integrator = VerletIntegrator({spec.timestep!r} * femtoseconds)  # constant energy\n"
        )
    return f"""# Langevin dynamics: temperature, friction, time step.
integrator = LangevinMiddleIntegrator({spec.temperature!r} * kelvin, {spec.friction!r} / picosecond, {spec.timestep!r} * femtoseconds)
integrator.setRandomNumberSeed({spec.seed})
"""


def _simulation(spec: SimulationSpec, platform: str) -> str:
    from nequip_openmm.simulation.system import platform_properties

    properties = platform_properties(platform, spec)
    comment = (
        "\n# One thread, because every thread draws its own random numbers; the model runs in threads of its own."
        if platform == "CPU"
        else ""
    )
    return f"""{comment}
platform = Platform.getPlatformByName({platform!r})
simulation = Simulation(topology, system, integrator, platform, {properties!r})
simulation.context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
simulation.context.setPositions(start.getPositions(asNumpy=True))
""".removeprefix("\n")


def _minimisation(spec: SimulationSpec) -> str:
    if not spec.minimise:
        return ""
    from nequip_openmm.simulation.minimise import rounds, tolerance_kj_per_mol_nm

    count, iterations = rounds(spec)
    tolerance = tolerance_kj_per_mol_nm(spec)
    return f"""# Relax until the root mean square of the force components is below {spec.minimise_tolerance:g} eV/Å.
for _ in range({count}):
    simulation.minimizeEnergy({tolerance!r} * kilojoules_per_mole / nanometer, {iterations})

"""


def _dynamics(spec: SimulationSpec) -> str:
    time = spec.time_ps(spec.steps)
    return f"""simulation.context.setVelocitiesToTemperature({spec.temperature!r} * kelvin, {spec.seed})

simulation.reporters.append(
    DCDReporter(str(output / "trajectory.dcd"), {spec.trajectory_interval}, enforcePeriodicBox=False)
)
simulation.reporters.append(
    StateDataReporter(
        str(output / "thermo.csv"),
        {spec.thermo_interval},
        step=True,
        time=True,  # ps
        potentialEnergy=True,  # kJ/mol
        kineticEnergy=True,
        totalEnergy=True,
        temperature=True,  # K
    )
)
simulation.step({spec.steps})  # {time:g} ps
"""
