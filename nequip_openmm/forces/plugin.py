"""The potential ``nequip-openmm`` of openmm-ml: ``MLPotential("nequip-openmm", modelPath="model.safetensors")``.

openmm-ml imports this module by an entry point of the group ``openmmml.potentials`` as soon as it is imported itself, for every
user of it. Nothing but openmm-ml is imported here at first: torch and the rest follow when a System is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmmml.mlpotential import MLPotentialImpl, MLPotentialImplFactory

from nequip_openmm.errors import UserError, nearest

if TYPE_CHECKING:
    from nequip_openmm.forces.potential import NequIPPotential

__all__ = ["NequIPImpl", "NequIPImplFactory"]

LOADING = ("device", "dtype", "engine", "threads")
FORCE = ("backend", "periodic", "precision", "scaleParameter", "name", "properties")
# What createMixedSystem of openmm-ml 1.8 passes on though it has used it itself.
EMBEDDING = ("linkAtomDistances",)


class NequIPImplFactory(MLPotentialImplFactory):
    """Makes a `NequIPImpl`; this is what the entry point names."""

    def createImpl(self, name: str, modelPath: Any = None, **args: Any) -> NequIPImpl:
        """Return the implementation for a model file.

        Parameters
        ----------
        modelPath
            Model file, or a loaded `Potential`.
        args
            See `NequIPImpl`.

        Raises
        ------
        UserError
            If there is no model file, or for an argument that does not exist.
        """
        if modelPath is None:
            raise UserError(
                f"MLPotential({name!r}) needs a model: MLPotential({name!r}, modelPath='model.safetensors')"
            )
        return NequIPImpl(name, modelPath, **args)


class NequIPImpl(MLPotentialImpl):
    """Adds a potential to the Systems that openmm-ml makes.

    Parameters
    ----------
    name
        Of the potential, for messages.
    modelPath
        Model file, or a loaded `Potential`.
    args
        ``device``, ``dtype``, ``engine`` and ``threads`` of `NequIPPotential`, and ``backend``, ``periodic``, ``precision``,
        ``scaleParameter``, ``name`` and ``properties`` of `NequIPPotential.createForce`. What is given to `createSystem` or
        `createMixedSystem` overrules.
    """

    def __init__(self, name: str, modelPath: Any, **args: Any) -> None:
        _refuse_unknown(name, args, LOADING + FORCE)
        self.name = name
        self.modelPath = modelPath
        self.args = args
        self._loaded: dict[tuple[Any, ...], NequIPPotential] = {}

    def addForces(
        self, topology: Any, system: Any, atoms: Any, forceGroup: int, **args: Any
    ) -> None:
        """Add the potential to a System; see `MLPotentialImpl.addForces`.

        The force is periodic if the topology has a box or the System repeats already. There is nothing to do for long-range
        interactions, which the potential does not have.

        Raises
        ------
        UserError
            For an argument that does not exist, and as `NequIPPotential.createForce` does.
        """
        _refuse_unknown(self.name, args, LOADING + FORCE + (EMBEDDING if atoms is not None else ()))
        wanted = {**self.args, **args}
        settings = {key: wanted[key] for key in FORCE if key in wanted}
        if settings.get("periodic") is None and system.usesPeriodicBoundaryConditions():
            settings["periodic"] = True
        potential = self._potential({key: wanted[key] for key in LOADING if key in wanted})
        system.addForce(potential.createForce(topology, atoms, forceGroup, **settings))

    def getMLLongRange(self) -> bool:
        """Return False: atoms beyond the reach of the network do not see each other."""
        return False

    def _potential(self, settings: dict[str, Any]) -> NequIPPotential:
        """Return the potential, loaded once for every way to load it."""
        from nequip_openmm.forces.potential import NequIPPotential

        key = tuple(str(settings.get(name)) for name in LOADING)
        if key not in self._loaded:
            path = Path(self.modelPath) if isinstance(self.modelPath, str) else self.modelPath
            self._loaded[key] = NequIPPotential(path, **settings)
        return self._loaded[key]


def _refuse_unknown(name: str, args: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raise `UserError` for a keyword argument that would have no effect."""
    unknown = [key for key in args if key not in known]
    if unknown:
        raise UserError(
            f"potential {name!r} has no argument {unknown[0]!r}{nearest(unknown[0], known)}; "
            f"it knows modelPath, {', '.join(known)}"
        )
