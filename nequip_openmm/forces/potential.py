"""A trained potential in OpenMM: a System from a topology, or one force for a System of your own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from nequip_openmm.engines import EngineName
from nequip_openmm.errors import BackendError, UserError
from nequip_openmm.forces import topology as topologies
from nequip_openmm.forces.backends import choose_loaded, import_openmm, import_openmmtorch
from nequip_openmm.forces.computation import Computation, TensorComputation, moved
from nequip_openmm.forces.pressure import guard_pressure
from nequip_openmm.forces.script import EngineModule, OpenMMModule, script_module
from nequip_openmm.potential import Potential, load

__all__ = ["FORCE_NAME", "PRECISIONS", "NequIPPotential"]

logger = logging.getLogger(__name__)

FORCE_NAME = "NequIP"
PRECISIONS = {"single": torch.float32, "double": torch.float64}


class NequIPPotential:
    """A potential that makes OpenMM Systems and Forces.

    Names of methods and arguments follow OpenMM, so that a script changes only where the force field is made.

    Parameters
    ----------
    modelPath
        Model file, or a `Potential` that is loaded already.
    device
        Where the model is evaluated, such as ``"cpu"`` or ``"cuda"``; None takes a GPU if there is one. A TorchForce of the
        reference engine is evaluated on the device of OpenMM's platform, whatever is said here.
    dtype
        Precision of the network, ``"float32"`` or ``"float64"``; None keeps that of the file. Positions, distances and sums
        of energies are float64 always.
    engine, threads
        See `Potential`. With the fused engine TorchForce evaluates on the CPU and needs this package wherever the System is
        used; ``engine="reference"`` makes a TorchForce that holds the whole network and needs nothing but openmmtorch.

    Attributes
    ----------
    potential
        The `Potential` that it wraps.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, foreign or newer than this package.

    Examples
    --------
    >>> pdb = openmm.app.PDBFile("methanol.pdb")  # doctest: +SKIP
    >>> system = NequIPPotential("model.safetensors").createSystem(pdb.topology)  # doctest: +SKIP
    """

    def __init__(
        self,
        modelPath: str | Path | Potential,
        device: torch.device | str | None = None,
        dtype: torch.dtype | str | None = None,
        engine: EngineName = "auto",
        threads: int | None = None,
    ) -> None:
        if isinstance(modelPath, Potential):
            if (device, dtype, engine, threads) != (None, None, "auto", None):
                raise UserError(
                    "device, dtype, engine and threads belong to loading a file; load the Potential with them instead"
                )
            self.potential = modelPath
        else:
            self.potential = load(modelPath, device, dtype, engine, threads)
        self._variants: dict[tuple[torch.dtype, torch.device], Potential] = {}

    def createSystem(
        self,
        topology: Any,
        removeCMMotion: bool = True,
        hydrogenMass: Any = None,
        constraints: Any = None,
        forceGroup: int = 0,
        backend: str = "auto",
        *,
        moleculesFromTopology: bool = False,
        periodic: bool | None = None,
        precision: str | None = None,
        scaleParameter: str | None = None,
        name: str = FORCE_NAME,
        properties: Mapping[str, str] | None = None,
    ) -> Any:
        """Return an `openmm.System` whose only interaction is the potential.

        Parameters
        ----------
        topology
            `openmm.app.Topology`, such as that of a PDBFile, PDBxFile, Modeller, GromacsTopFile or `from_ase`. Bonds are read for
            ``hydrogenMass`` and ``moleculesFromTopology`` only.
        removeCMMotion
            Whether to add a `CMMotionRemover`.
        hydrogenMass
            Mass in dalton (or a Quantity) of every hydrogen bound to a heavy atom, which gives up what its hydrogens gain;
            None keeps natural masses.
        constraints
            Only None: the potential describes every bond, also those to hydrogen.
        moleculesFromTopology
            Whether to add the bonds of the topology without any strength, so that barostats move molecules instead of atoms and
            molecules are wrapped into the box as a whole. Not for reactions.
        forceGroup, backend, periodic, precision, scaleParameter, name, properties
            See `createForce`.

        Raises
        ------
        StructureError
            For atoms without an element or of one that the model does not know, with their indices; for no atoms; for a box
            that makes no sense.
        BackendError
            If the backend does not work here; the message names the versions that would.
        UserError
            For constraints, a mass, a group or another setting that cannot be used.
        """
        openmm = import_openmm()
        if constraints is not None:
            raise UserError(
                f"constraints={constraints} is not possible: the potential was trained on bonds that move; use a timestep "
                "of 0.5 fs, or up to 1 fs with hydrogenMass=3"
            )
        force = self.createForce(
            topology,
            forceGroup=forceGroup,
            backend=backend,
            periodic=periodic,
            precision=precision,
            scaleParameter=scaleParameter,
            name=name,
            properties=properties,
        )
        system = openmm.System()
        masses = topologies.masses(topology, hydrogenMass)
        for mass in masses:
            system.addParticle(mass)
        box = topologies.box_vectors(topology, len(masses))
        if box is not None:
            system.setDefaultPeriodicBoxVectors(*box)
        elif periodic:
            raise UserError("periodic=True needs a box: call topology.setPeriodicBoxVectors first")
        system.addForce(force)
        if moleculesFromTopology:
            bonds = topologies.molecule_bonds(topology)
            bonds.setUsesPeriodicBoundaryConditions(force.usesPeriodicBoundaryConditions())
            bonds.setForceGroup(forceGroup)
            system.addForce(bonds)
        if removeCMMotion:
            system.addForce(openmm.CMMotionRemover())
        return system

    def createForce(
        self,
        topology: Any,
        atoms: Iterable[int] | None = None,
        forceGroup: int = 0,
        backend: str = "auto",
        *,
        periodic: bool | None = None,
        precision: str | None = None,
        scaleParameter: str | None = None,
        name: str = FORCE_NAME,
        properties: Mapping[str, str] | None = None,
    ) -> Any:
        """Return an `openmm.Force` with the potential, to be added to a System of the same particles.

        Parameters
        ----------
        topology
            `openmm.app.Topology`, in the order of the System's particles.
        atoms
            Indices, counted from 0, of the atoms that the potential describes; None is all of them, and then the System may
            have no other particles. The potential sees nothing of the rest.
        forceGroup
            0 to 31.
        backend
            ``"TorchForce"``, ``"PythonForce"``, ``"PythonTorchForce"``, or ``"auto"`` for what the installed versions allow.
        periodic
            Whether atoms see their images in the System's box; None means: if the topology has a box.
        precision
            ``"single"`` or ``"double"``, of the network; None keeps that of the potential.
        scaleParameter
            Name of a global parameter λ, 1 at first, by which energy and forces are multiplied; the Context knows ∂E/∂λ too
            (``getState(parameterDerivatives=True)``). The force is then a CustomCVForce around the potential.
        name
            Of the force.
        properties
            The properties that the Context's platform gets: a model on a GPU goes to the first of ``DeviceIndex``. None takes the
            default of OpenMM's CUDA platform, where one is set. TorchForce and PythonTorchForce follow the platform by themselves.

        Raises
        ------
        StructureError, BackendError, UserError
            See `createSystem`.
        """
        group = _checked_group(forceGroup)
        _check_parameter(scaleParameter)
        n_particles = len(topologies.topology_atoms(topology))
        chosen = topologies.chosen_atoms(atoms, n_particles)
        types = topologies.atom_types(topology, self.potential.species, chosen).tolist()
        box = topologies.box_vectors(topology, len(types))
        is_periodic = _checked_flag(periodic, box is not None)
        choice = choose_loaded(backend)
        logger.info("%s: %s", choice.name, choice.reason)
        make = {
            "TorchForce": _torch_force,
            "PythonForce": _python_force,
            "PythonTorchForce": _python_torch_force,
        }[choice.name]
        force = make(self._prepared(precision, properties), types, is_periodic, chosen)
        force.setUsesPeriodicBoundaryConditions(is_periodic)
        force.setName(name)
        if scaleParameter is not None:
            force = _scaled(force, scaleParameter)
            force.setName(name)
        force.setForceGroup(group)
        return force

    def _prepared(self, precision: str | None, properties: Mapping[str, str] | None) -> Potential:
        """Return the potential in a precision and on the GPU of the platform."""
        if precision is not None and precision not in PRECISIONS:
            raise UserError(f"precision must be 'single', 'double' or None, got {precision!r}")
        dtype = self.potential.dtype if precision is None else PRECISIONS[precision]
        device = self.potential.device
        index = _device_index(properties) if device.type == "cuda" else None
        if index is not None:
            device = torch.device("cuda", index)
        if (dtype, device) == (self.potential.dtype, self.potential.device):
            return self.potential
        if (dtype, device) not in self._variants:
            self._variants[dtype, device] = moved(self.potential, dtype=dtype, device=device)
        return self._variants[dtype, device]


def _torch_force(
    potential: Potential, types: list[int], is_periodic: bool, atoms: list[int] | None
) -> Any:
    openmmtorch = import_openmmtorch()
    module: EngineModule | OpenMMModule
    if potential.engine == "fused":
        from nequip_openmm.forces.ops import recipe

        module = EngineModule(*recipe(Computation(potential, types, is_periodic, atoms)))
    else:
        module = OpenMMModule(potential.model, types, potential.cutoff, is_periodic, atoms)
    force = openmmtorch.TorchForce(script_module(module))
    force.setOutputsForces(True)
    return force


def _python_force(
    potential: Potential, types: list[int], is_periodic: bool, atoms: list[int] | None
) -> Any:
    guard_pressure()
    return import_openmm().PythonForce(Computation(potential, types, is_periodic, atoms))


def _python_torch_force(
    potential: Potential, types: list[int], is_periodic: bool, atoms: list[int] | None
) -> Any:
    computation = TensorComputation(potential, types, is_periodic, atoms)
    return import_openmmtorch().PythonTorchForce(computation)


def _scaled(force: Any, parameter: str) -> Any:
    """Return λ times a force, with ∂E/∂λ; PythonForce cannot differentiate, and TorchForce only by autograd."""
    scaled = import_openmm().CustomCVForce(f"{parameter}*{_SCALED_ENERGY}")
    scaled.addGlobalParameter(parameter, 1.0)
    scaled.addEnergyParameterDerivative(parameter)
    scaled.addCollectiveVariable(_SCALED_ENERGY, force)
    return scaled


_SCALED_ENERGY = "nequip_energy"


def _check_parameter(name: str | None) -> None:
    if name is None:
        return
    if (
        not isinstance(name, str)
        or not re.fullmatch(r"[A-Za-z_]\w*", name)
        or name == _SCALED_ENERGY
    ):
        raise UserError(
            f"scaleParameter must be a name of letters, digits and underscores, such as 'lambda_nequip', got {name!r}"
        )


def _checked_flag(periodic: bool | None, default: bool) -> bool:
    if periodic is None:
        return default
    if not isinstance(periodic, bool):
        raise UserError(f"periodic must be True, False or None, got {periodic!r}")
    return periodic


def _checked_group(group: int) -> int:
    if isinstance(group, bool) or not isinstance(group, int) or not 0 <= group <= 31:
        raise UserError(f"forceGroup must be a whole number from 0 to 31, got {group!r}")
    return group


def _device_index(properties: Mapping[str, str] | None) -> int | None:
    """Return the first of the GPUs that the platform's properties, or its defaults, name."""
    given = (properties or {}).get("DeviceIndex")
    if given is None:
        given = _default_device_index()
    first = given.split(",")[0].strip()
    if not first:
        return None
    if not first.isdecimal() or int(first) >= torch.cuda.device_count():
        raise BackendError(
            f"DeviceIndex {given!r} does not exist here: PyTorch sees {torch.cuda.device_count()} GPUs"
        )
    return int(first)


def _default_device_index() -> str:
    """Return the default ``DeviceIndex`` of OpenMM's CUDA platform, empty where none was set."""
    openmm = import_openmm()
    try:
        return str(openmm.Platform.getPlatformByName("CUDA").getPropertyDefaultValue("DeviceIndex"))
    except openmm.OpenMMException:  # no such platform
        return ""
