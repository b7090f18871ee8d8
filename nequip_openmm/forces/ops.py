"""The operator ``nequip_openmm::energy_and_forces``: how TorchScript, and so OpenMM's TorchForce, calls the fused engine.

A scripted module carries the model file as a tensor of bytes and calls this operator, which is written in Python; importing this
module registers it. Computations are kept by name, the digest of all that they are made of, so that every Context and every copy
of a force uses the same one.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nequip_openmm.errors import ModelFileError
from nequip_openmm.forces.computation import (
    Computation,
    potential_from_bytes,
    potential_to_bytes,
)

__all__ = ["Recipe", "computation_of", "recipe"]

MOST_COMPUTATIONS = 64
"""Most computations kept; one that was dropped is made again when it is called."""

_computations: OrderedDict[str, Computation] = OrderedDict()
_lock = threading.Lock()

# The library is to live as long as the process: when it is collected, the operator is gone.
_library = torch.library.Library("nequip_openmm", "DEF")
_library.define(
    "energy_and_forces(str provided_by, Tensor positions, Tensor? box, Tensor model, str settings, str name) "
    "-> (Tensor, Tensor)"
)


class Recipe(NamedTuple):
    """All that a computation is made of, as values that TorchScript can carry.

    Attributes
    ----------
    model
        The content of the model file, uint8.
    settings
        JSON: types, is_periodic, atoms, threads.
    name
        Digest of both.
    """

    model: Tensor
    settings: str
    name: str


def recipe(computation: Computation) -> Recipe:
    """Return what makes a computation again anywhere; in this process it is kept and used as it is."""
    content = potential_to_bytes(computation.potential)
    settings = json.dumps(
        {
            "types": computation.types.tolist(),
            "is_periodic": computation.is_periodic,
            "atoms": None if computation.atoms is None else computation.atoms.tolist(),
            "threads": computation.potential.threads,
        }
    )
    name = _digest(content, settings)
    with _lock:
        _keep(name, computation)
    return Recipe(torch.frombuffer(bytearray(content), dtype=torch.uint8), settings, name)


def _energy_and_forces(
    provided_by: str, positions: Tensor, box: Tensor | None, model: Tensor, settings: str, name: str
) -> tuple[Tensor, Tensor]:
    """Return the energy in kJ/mol, float64, and forces in kJ/mol/nm, packed, of the type and on the device of the positions.

    Parameters
    ----------
    provided_by
        Read by nobody but a user whose process lacks the operator: TorchScript's error shows the call.
    positions
        (n_particles, 3) nm, of any floating-point type, wrapped or not.
    box
        (3, 3) box vectors as rows in nm; needed where the structure repeats.
    model, settings, name
        See `Recipe`.
    """
    computation = computation_of(model, settings, name)
    if box is None and computation.is_periodic:
        raise RuntimeError("this potential is periodic and needs box vectors")
    energy, forces = computation.evaluate(
        _array(positions), np.zeros((3, 3)) if box is None else _array(box)
    )
    packed = torch.from_numpy(forces).to(device=positions.device, dtype=positions.dtype)
    return torch.from_numpy(np.array(energy)), packed


_library.impl("energy_and_forces", _energy_and_forces, "CompositeExplicitAutograd")


def _array(tensor: Tensor) -> np.ndarray:
    """Return a copy: OpenMM uses the same memory at the next step."""
    return tensor.detach().to("cpu", torch.float64, copy=True).numpy()


def computation_of(model: Tensor, settings: str, name: str) -> Computation:
    """Return the computation of a recipe, made if this process does not have it."""
    with _lock:
        found = _computations.get(name)
        if found is None:
            found = _made(model.cpu().numpy().tobytes(), settings, name)
        _keep(name, found)
        return found


def _made(content: bytes, settings: str, name: str) -> Computation:
    """Make the computation that a module describes, in a process that has not seen it yet."""
    if _digest(content, settings) != name:
        raise ModelFileError("the model in this System is damaged; make the System again")
    values = json.loads(settings)
    potential = potential_from_bytes(content, "cpu", "fused", values["threads"])
    return Computation(potential, values["types"], values["is_periodic"], values["atoms"])


def _keep(name: str, computation: Computation) -> None:
    _computations[name] = computation
    _computations.move_to_end(name)
    while len(_computations) > MOST_COMPUTATIONS:
        _computations.popitem(last=False)


def _digest(content: bytes, settings: str) -> str:
    return hashlib.sha256(content + settings.encode()).hexdigest()
