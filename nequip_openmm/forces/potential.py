"""A trained potential in OpenMM: a System from a topology, or one force for a System of your own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from nequip_openmm.engines import EngineName
from nequip_openmm.errors import UserError
from nequip_openmm.forces import topology as topologies
from nequip_openmm.forces.backends import choose, import_openmm, import_openmmtorch
from nequip_openmm.forces.computation import Computation
from nequip_openmm.forces.script import EngineModule, OpenMMModule, script_module
from nequip_openmm.potential import Potential, load

__all__ = ["FORCE_NAME", "NequIPPotential"]

FORCE_NAME = "NequIP"


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

    def createSystem(
        self,
        topology: Any,
        removeCMMotion: bool = True,
        hydrogenMass: Any = None,
        constraints: Any = None,
        forceGroup: int = 0,
        backend: str = "auto",
    ) -> Any:
        """Return an `openmm.System` whose only interaction is the potential.

        Parameters
        ----------
        topology
            `openmm.app.Topology`; the System is periodic if this has box vectors. Bonds are read for ``hydrogenMass`` only.
        removeCMMotion
            Whether to add a `CMMotionRemover`.
        hydrogenMass
            Mass in dalton (or a Quantity) of every hydrogen bound to a heavy atom, which gives up what its hydrogens gain;
            None keeps natural masses.
        constraints
            Only None: the potential describes every bond, also those to hydrogen.
        forceGroup
            0 to 31.
        backend
            ``"TorchForce"``, ``"PythonForce"``, or ``"auto"`` for TorchForce where the installed versions allow it.

        Raises
        ------
        StructureError
            For atoms without an element or of one that the model does not know, with their indices; for no atoms; for a box
            that makes no sense.
        BackendError
            If the backend does not work here; the message names the versions that would.
        UserError
            For constraints, a mass or a group that cannot be used.
        """
        openmm = import_openmm()
        if constraints is not None:
            raise UserError(
                f"constraints={constraints} is not possible: the potential was trained on bonds that move; use a timestep "
                "of 0.5 fs, or up to 1 fs with hydrogenMass=3"
            )
        force = self.createForce(topology, forceGroup=forceGroup, backend=backend)
        system = openmm.System()
        masses = topologies.masses(topology, hydrogenMass)
        for mass in masses:
            system.addParticle(mass)
        box = topologies.box_vectors(topology, len(masses))
        if box is not None:
            system.setDefaultPeriodicBoxVectors(*box)
        system.addForce(force)
        if removeCMMotion:
            system.addForce(openmm.CMMotionRemover())
        return system

    def createForce(
        self,
        topology: Any,
        atoms: Iterable[int] | None = None,
        forceGroup: int = 0,
        backend: str = "auto",
    ) -> Any:
        """Return an `openmm.Force` with the potential, to be added to a System of the same particles.

        Parameters
        ----------
        topology
            `openmm.app.Topology`, in the order of the System's particles; the force is periodic if this has box vectors.
        atoms
            Indices, counted from 0, of the atoms that the potential describes; None is all of them, and then the System may
            have no other particles. The potential sees nothing of the rest.
        forceGroup, backend
            See `createSystem`.

        Raises
        ------
        StructureError, BackendError, UserError
            See `createSystem`.
        """
        group = _checked_group(forceGroup)
        n_particles = len(topologies.topology_atoms(topology))
        chosen = topologies.chosen_atoms(atoms, n_particles)
        types = topologies.atom_types(topology, self.potential.species, chosen).tolist()
        is_periodic = topologies.box_vectors(topology, len(types)) is not None
        make = {"TorchForce": self._torch_force, "PythonForce": self._python_force}
        force = make[choose(backend).name](types, is_periodic, chosen)
        force.setUsesPeriodicBoundaryConditions(is_periodic)
        force.setForceGroup(group)
        force.setName(FORCE_NAME)
        return force

    def _torch_force(self, types: list[int], is_periodic: bool, atoms: list[int] | None) -> Any:
        openmmtorch = import_openmmtorch()
        module: EngineModule | OpenMMModule
        if self.potential.engine == "fused":
            from nequip_openmm.forces.ops import recipe

            computation = Computation(self.potential, types, is_periodic, atoms)
            module = EngineModule(*recipe(computation))
        else:
            model, cutoff = self.potential.model, self.potential.cutoff
            module = OpenMMModule(model, types, cutoff, is_periodic, atoms)
        force = openmmtorch.TorchForce(script_module(module))
        force.setOutputsForces(True)
        return force

    def _python_force(self, types: list[int], is_periodic: bool, atoms: list[int] | None) -> Any:
        computation = Computation(self.potential, types, is_periodic, atoms)
        return import_openmm().PythonForce(computation)


def _checked_group(group: int) -> int:
    if isinstance(group, bool) or not isinstance(group, int) or not 0 <= group <= 31:
        raise UserError(f"forceGroup must be a whole number from 0 to 31, got {group!r}")
    return group
