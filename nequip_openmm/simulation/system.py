"""From a specification to an OpenMM simulation that is ready to step."""

from __future__ import annotations

import openmm
from openmm import app, unit

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.potential import Potential
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure, box_vectors_nm
from nequip_openmm.units import ANGSTROM_TO_NM

__all__ = [
    "choose_platform",
    "make_integrator",
    "make_simulation",
    "make_system",
    "model_device",
    "platform_properties",
]

_GPU_PLATFORMS = ("CUDA", "HIP")
_CPU_PLATFORMS = ("CPU", "Reference")


def make_system(
    spec: SimulationSpec, topology: app.Topology, potential: Potential
) -> openmm.System:
    """Return the System whose only interaction is the potential."""
    return NequIPPotential(potential).createSystem(
        topology, removeCMMotion=True, backend=spec.backend
    )


def make_simulation(
    spec: SimulationSpec, structure: Structure, potential: Potential
) -> app.Simulation:
    """Return a Simulation with cell and positions set, at step 0, without velocities.

    Raises
    ------
    BackendError
        If the platform is not there or does not work with the force.
    """
    system = make_system(spec, structure.topology, potential)
    if structure.is_periodic:
        vectors = box_vectors_nm(structure.frame.cell)
        system.setDefaultPeriodicBoxVectors(*vectors)
    if spec.ensemble == "npt":
        system.addForce(_barostat(spec))
    platform, properties = choose_platform(spec)
    try:
        simulation = app.Simulation(
            structure.topology, system, make_integrator(spec), platform, properties
        )
    except openmm.OpenMMException as error:
        raise BackendError(
            f"OpenMM cannot use its {platform.getName()} platform: {error}"
        ) from error
    simulation.context.setPositions(structure.frame.positions * ANGSTROM_TO_NM)
    return simulation


def make_integrator(spec: SimulationSpec) -> openmm.Integrator:
    """Return velocity Verlet's leap-frog form for nve, the Langevin middle scheme otherwise.

    Z. Zhang et al., J. Phys. Chem. A 123, 6056 (2019), doi:10.1021/acs.jpca.9b02771.
    """
    step = spec.timestep * unit.femtosecond
    if not spec.has_thermostat:
        return openmm.VerletIntegrator(step)
    integrator = openmm.LangevinMiddleIntegrator(
        spec.temperature * unit.kelvin, spec.friction / unit.picosecond, step
    )
    integrator.setRandomNumberSeed(spec.seed)
    return integrator


def choose_platform(spec: SimulationSpec) -> tuple[openmm.Platform, dict[str, str]]:
    """Return the platform and its properties.

    The CPU platform gets one thread: the model, which does nearly all the work, has threads of its own, and a fixed
    number makes a run repeatable, because every thread of the platform draws its own random numbers.

    Raises
    ------
    BackendError
        Naming the platforms there are, if the one asked for is not among them.
    """
    name = _automatic_platform() if spec.platform == "auto" else spec.platform
    known = [
        openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())
    ]
    if name not in known:
        raise BackendError(f"platform {name}: this OpenMM has {', '.join(known)}")
    platform = openmm.Platform.getPlatformByName(name)
    return platform, platform_properties(name, spec)


def platform_properties(name: str, spec: SimulationSpec) -> dict[str, str]:
    """Return the properties that the platform of that name is created with."""
    if name == "CPU":
        return {"Threads": "1"}
    if name == "Reference":
        return {}
    properties: dict[str, str] = {
        "Precision": "mixed" if spec.precision == "auto" else spec.precision
    }
    if spec.device is not None and ":" in spec.device:
        properties["DeviceIndex"] = spec.device.partition(":")[2]
    return properties


def model_device(name: str, spec: SimulationSpec) -> str | None:
    """Return the PyTorch device asked for, else that of the platform of that name; None takes a GPU if there is one."""
    if spec.device is None and (name in _CPU_PLATFORMS or spec.engine == "fused"):
        return "cpu"
    return spec.device


def _automatic_platform() -> str:
    """Return a GPU platform if PyTorch can put the model on the same GPU, else CPU."""
    import torch

    known = {
        openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())
    }
    on_gpu = [name for name in _GPU_PLATFORMS if name in known]
    return on_gpu[0] if on_gpu and torch.cuda.is_available() else "CPU"


def _barostat(spec: SimulationSpec) -> openmm.MonteCarloBarostat:
    barostat = openmm.MonteCarloBarostat(
        spec.pressure * unit.bar, spec.temperature * unit.kelvin, spec.barostat_interval
    )
    barostat.setRandomNumberSeed(spec.seed)
    return barostat
