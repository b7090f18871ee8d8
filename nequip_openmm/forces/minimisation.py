"""Minimisation of energies that a potential in single precision could not resolve.

Near a minimum the rounding of a network in float32 is as large as the differences of energy that a line search looks for, and
OpenMM's minimiser stops early without saying so. The potential's sums are float64 always; here its network is too.
"""

from __future__ import annotations

import io
import pickle
from typing import Any
from xml.etree import ElementTree

import torch

from nequip_openmm.errors import BackendError
from nequip_openmm.forces.backends import import_openmm
from nequip_openmm.forces.computation import Computation, moved

__all__ = ["in_double_precision", "minimise"]


def minimise(
    context: Any, tolerance: Any = 10.0, maxIterations: int = 0, reporter: Any = None
) -> None:
    """Minimise the energy of a Context as `openmm.LocalEnergyMinimizer` does, with potentials in double precision.

    The Context itself, with its potentials in the precision they have, only gets the new positions.

    Parameters
    ----------
    context
        `openmm.Context` or `openmm.app.Simulation`.
    tolerance
        Root mean square of all force components, kJ/mol/nm or a Quantity.
    maxIterations
        0 is without limit.
    reporter
        `openmm.MinimizationReporter` or None.

    Raises
    ------
    BackendError
        For a TorchForce of the reference engine in single precision, which cannot be turned into another one.

    Examples
    --------
    >>> simulation.context.setPositions(positions)  # doctest: +SKIP
    >>> minimise(simulation, tolerance=0.1)  # doctest: +SKIP
    """
    openmm = import_openmm()
    context = getattr(context, "context", context)
    exact = in_double_precision(context.getSystem())
    if exact is None:
        openmm.LocalEnergyMinimizer.minimize(context, tolerance, maxIterations, reporter)
        return
    twin = _twin(context, exact)
    openmm.LocalEnergyMinimizer.minimize(twin, tolerance, maxIterations, reporter)
    context.setPositions(twin.getState(positions=True).getPositions(asNumpy=True))
    context.computeVirtualSites()


def in_double_precision(system: Any) -> Any | None:
    """Return a copy of a System whose potentials are evaluated in double precision; None if they are already.

    Raises
    ------
    BackendError
        See `minimise`.
    """
    serializer = import_openmm().XmlSerializer
    root = ElementTree.fromstring(serializer.serialize(system))
    changed = False
    for force in root.iter():  # also those inside a CustomCVForce
        place, rewrite = _EXACT.get(force.get("type", ""), ("", None))
        if rewrite is None or place not in force.attrib:
            continue
        exact = rewrite(bytes.fromhex(force.attrib[place]))
        if exact is not None:
            force.set(place, exact.hex())
            changed = True
    return (
        serializer.deserialize(ElementTree.tostring(root, encoding="unicode")) if changed else None
    )


def _twin(context: Any, system: Any) -> Any:
    """Return a Context of another System on the same platform, with the box, parameters and positions of the given one."""
    openmm = import_openmm()
    platform = context.getPlatform()
    properties = {
        name: platform.getPropertyValue(context, name) for name in platform.getPropertyNames()
    }
    if "Precision" in properties and platform.supportsDoublePrecision():
        properties["Precision"] = "double"
    twin = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
    state = context.getState(positions=True, parameters=True)
    twin.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    for name, value in state.getParameters().items():
        twin.setParameter(name, value)
    twin.setPositions(state.getPositions(asNumpy=True))
    return twin


def _exact_pickle(content: bytes) -> bytes | None:
    """Return the pickle of a `Computation` in double precision; None if it is already, or is something else."""
    computation = pickle.loads(content)
    exact = _exact(computation) if isinstance(computation, Computation) else None
    return None if exact is None else pickle.dumps(exact)


def _exact_script(content: bytes) -> bytes | None:
    """Return the module of a TorchForce in double precision; None if it is already, or is somebody else's."""
    from nequip_openmm.forces.ops import computation_of, recipe
    from nequip_openmm.forces.script import EngineModule, script_module

    module = torch.jit.load(io.BytesIO(content), map_location="cpu")
    if module.original_name == "OpenMMModule":
        if all(weight.dtype != torch.float32 for weight in module.model.parameters()):
            return None
        raise BackendError(
            "a TorchForce of the reference engine keeps its precision: make the System with precision='double' to minimise"
        )
    if module.original_name != "EngineModule":
        return None
    exact = _exact(computation_of(module.content, module.name))
    if exact is None:
        return None
    buffer = io.BytesIO()
    torch.jit.save(script_module(EngineModule(*recipe(exact))), buffer)
    return buffer.getvalue()


def _exact(computation: Computation) -> Computation | None:
    if computation.potential.dtype == torch.float64:
        return None
    potential = moved(computation.potential, dtype=torch.float64)
    atoms = None if computation.atoms is None else computation.atoms.tolist()
    return type(computation)(potential, computation.types.tolist(), computation.is_periodic, atoms)


# Which attribute of a force's XML holds the content that is replaced, and by what.
_EXACT = {
    "PythonForce": ("function", _exact_pickle),
    "PythonTorchForce": ("function", _exact_pickle),
    "TorchForce": ("encodedFileContents", _exact_script),
}
