"""The operator ``nequip_openmm::energy_and_forces``: how TorchScript, and so OpenMM's TorchForce, calls the fused engine.

A scripted module carries the model file as a tensor of bytes and calls this operator, which is written in Python; importing this
module registers it. Computations are kept by name, the digest of all that they are made of, so that every Context and every copy
of a force uses the same one.
"""

from __future__ import annotations

import hashlib
import json
import threading
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
"""Most computations kept, the newest; one that was dropped is made again when it is called."""

_computations: dict[int, Computation] = {}  # read without the lock
_lock = threading.Lock()

# The library is to live as long as the process: when it is collected, the operator is gone.
_library = torch.library.Library("nequip_openmm", "DEF")
_library.define(
    "energy_and_forces(str provided_by, Tensor positions, Tensor? box, Tensor content, int name) -> Tensor"
)


class Recipe(NamedTuple):
    """All that a computation is made of, as values that TorchScript carries, and hands to Python at no cost.

    Attributes
    ----------
    content
        uint8: a line of JSON (types, is_periodic, atoms, threads), then the content of the model file.
    name
        63 bits of a digest of it.
    """

    content: Tensor
    name: int


def recipe(computation: Computation) -> Recipe:
    """Return what makes a computation again anywhere; in this process it is kept and used as it is."""
    settings = json.dumps(
        {
            "types": computation.types.tolist(),
            "is_periodic": computation.is_periodic,
            "atoms": None if computation.atoms is None else computation.atoms.tolist(),
            "threads": computation.potential.threads,
        }
    )
    content = settings.encode() + b"\n" + potential_to_bytes(computation.potential)
    name = _digest(content)
    with _lock:
        _keep(name, computation)
    return Recipe(torch.frombuffer(bytearray(content), dtype=torch.uint8), name)


def _energy_and_forces(
    provided_by: str, positions: Tensor, box: Tensor | None, content: Tensor, name: int
) -> Tensor:
    """Return (1 + 3 n_particles) numbers: the energy in kJ/mol, then the forces in kJ/mol/nm.

    One float64 tensor on the CPU in, one out: every tensor more that passes between C++ and Python costs several µs a step.

    Parameters
    ----------
    provided_by
        Read by nobody but a user whose process lacks the operator: TorchScript's error shows the call.
    positions
        (n_particles, 3) nm, wrapped or not.
    box
        (3, 3) box vectors as rows in nm; needed where the structure repeats.
    content, name
        See `Recipe`.
    """
    computation = _computations.get(name) or computation_of(content, name)
    if box is None:
        if computation.is_periodic:
            raise RuntimeError("this potential is periodic and needs box vectors")
        vectors = _NO_BOX
    else:
        vectors = box.detach().numpy()
    energy, forces = computation.evaluate(positions.detach().numpy(), vectors)
    found = np.empty(1 + forces.size)
    found[0] = energy
    found[1:] = forces.reshape(-1)
    return torch.from_numpy(found)


_NO_BOX = np.zeros((3, 3))
_library.impl("energy_and_forces", _energy_and_forces, "CompositeImplicitAutograd")


def computation_of(content: Tensor, name: int) -> Computation:
    """Return the computation of a recipe, made if this process does not have it."""
    with _lock:
        found = _computations.get(name)
        if found is None:
            found = _made(content.cpu().numpy().tobytes(), name)
            _keep(name, found)
        return found


def _made(content: bytes, name: int) -> Computation:
    """Make the computation that a module describes, in a process that has not seen it yet."""
    if _digest(content) != name:
        raise ModelFileError("the model in this System is damaged; make the System again")
    settings, _, model = content.partition(b"\n")
    values = json.loads(settings)
    potential = potential_from_bytes(model, "cpu", "fused", values["threads"])
    return Computation(potential, values["types"], values["is_periodic"], values["atoms"])


def _keep(name: int, computation: Computation) -> None:
    _computations[name] = computation
    while len(_computations) > MOST_COMPUTATIONS:
        del _computations[next(iter(_computations))]


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1
