"""Integrators of the stages, and their thermostats while they run."""

from __future__ import annotations

import math

import openmm
from openmm import unit

from nequip_openmm.simulation.embedding import ML_GROUP, MM_GROUP, NONBONDED_GROUP
from nequip_openmm.simulation.schedule import Values
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase
from nequip_openmm.units import FS_TO_PS

__all__ = ["make_integrator", "set_bath"]


def make_integrator(spec: SimulationSpec, phase: Phase) -> openmm.Integrator:
    """Return the integrator of a phase.

    nve: velocity Verlet's leap-frog form. Langevin: the middle scheme, Z. Zhang et al., J. Phys. Chem. A 123, 6056 (2019),
    doi:10.1021/acs.jpca.9b02771. Nosé-Hoover: a chain of three, G. J. Martyna et al., J. Chem. Phys. 97, 2635 (1992),
    doi:10.1063/1.463940. With inner steps: r-RESPA, M. Tuckerman et al., J. Chem. Phys. 97, 1990 (1992), doi:10.1063/1.463137,
    with a thermostat BAOAB-RESPA, L. Lagardère et al., J. Phys. Chem. Lett. 10, 2593 (2019), doi:10.1021/acs.jpclett.9b00901.
    Ring polymers have `openmm.RPMDIntegrator`.
    """
    step = spec.timestep * unit.femtosecond
    bath = (phase.temperature * unit.kelvin, phase.friction / unit.picosecond)
    groups = [(ML_GROUP, 1), (MM_GROUP, _inner_steps(spec))]
    is_nested = _inner_steps(spec) > 1
    if phase.beads > 1:
        return _ring(spec, phase)
    if not phase.has_thermostat and not is_nested:
        return openmm.VerletIntegrator(step)
    if phase.has_thermostat and phase.thermostat == "nose-hoover":
        return openmm.NoseHooverIntegrator(*bath, step)
    if not phase.has_thermostat:
        integrator = openmm.MTSIntegrator(step, groups)
    elif is_nested:
        integrator = openmm.MTSLangevinIntegrator(*bath, step, groups)
    else:
        integrator = openmm.LangevinMiddleIntegrator(*bath, step)
    integrator.setRandomNumberSeed(phase.seed)
    return integrator


def _ring(spec: SimulationSpec, phase: Phase) -> openmm.RPMDIntegrator:
    """Return the integrator of a ring polymer, with the thermostat PILE-L whose friction is that of the centroid, or without.

    M. Ceriotti et al., J. Chem. Phys. 133, 124104 (2010), doi:10.1063/1.3489925.
    """
    contraction = None if spec.mixed is None else spec.mixed.contraction
    integrator = openmm.RPMDIntegrator(
        phase.beads,
        phase.temperature * unit.kelvin,
        phase.friction / unit.picosecond,
        spec.timestep * unit.femtosecond,
        {} if contraction is None else {NONBONDED_GROUP: contraction},
    )
    integrator.setApplyThermostat(phase.has_thermostat)
    integrator.setRandomNumberSeed(phase.seed)
    return integrator


def set_bath(
    integrator: openmm.Integrator, spec: SimulationSpec, phase: Phase, values: Values
) -> None:
    """Set temperature and friction of a running integrator."""
    rate = values.friction / unit.picosecond
    if isinstance(integrator, openmm.CustomIntegrator):  # MTSLangevinIntegrator's own variables
        inner = spec.timestep * FS_TO_PS / _inner_steps(spec)
        kept = math.exp(-values.friction * inner)
        kt = unit.MOLAR_GAS_CONSTANT_R * values.temperature * unit.kelvin
        integrator.setGlobalVariableByName("a", kept)
        integrator.setGlobalVariableByName("b", math.sqrt(1.0 - kept**2))
        integrator.setGlobalVariableByName("kT", kt.value_in_unit(unit.kilojoule_per_mole))
        return
    integrator.setTemperature(values.temperature * unit.kelvin)
    if phase.thermostat == "nose-hoover":
        integrator.setCollisionFrequency(rate)
    else:
        integrator.setFriction(rate)


def _inner_steps(spec: SimulationSpec) -> int:
    return 1 if spec.mixed is None else spec.mixed.inner_steps
