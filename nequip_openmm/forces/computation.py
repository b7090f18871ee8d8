"""What OpenMM's forces compute with a potential: particle positions in nm in, kJ/mol and kJ/mol/nm out.

PythonForce calls a `Computation` at every step and PythonTorchForce a `TensorComputation`; TorchForce does through the operator of
`nequip_openmm.forces.ops`.

OpenMM pickles the callable of a PythonForce as soon as the force is made and writes the pickle into the XML of a System. What is
pickled here is the content of a model file and a few plain values, no code, so that XML, copies and CustomCVForce work; only
classes of this package are named in it. Reading the XML of somebody else nevertheless unpickles, which can execute anything:
read such files only from people you trust.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nequip_openmm.errors import BackendError, ModelFileError, RunFailed, StructureError
from nequip_openmm.forces.backends import import_openmm
from nequip_openmm.forces.pressure import guard_pressure
from nequip_openmm.model.file import model_from_bytes, model_to_bytes
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM

__all__ = [
    "PICKLE_VERSION",
    "Computation",
    "TensorComputation",
    "Unreadable",
    "moved",
    "potential_from_bytes",
    "potential_to_bytes",
    "restore",
]

logger = logging.getLogger(__name__)

PICKLE_VERSION = 1
FloatArray = NDArray[np.float64]


class _Memo(NamedTuple):
    """The last evaluation, and the bytes of positions and box that it belongs to."""

    positions: bytes
    box: bytes
    energy: float
    forces: FloatArray


class Computation:
    """Energy and forces of the atoms of a System that a potential describes.

    OpenMM evaluates forces again whenever a reporter asks for the energy; the last result is kept for that. One computation
    may serve several Contexts and threads.

    Parameters
    ----------
    potential
        The potential; its weights are not to be changed any more.
    types
        Type of every atom that the potential sees: index of its element in the potential's species.
    is_periodic
        Whether OpenMM's box is read.
    atoms
        Indices of those atoms among OpenMM's particles; None means that the particles are just these atoms.
    """

    def __init__(
        self,
        potential: Potential,
        types: Sequence[int],
        is_periodic: bool,
        atoms: Sequence[int] | None = None,
    ) -> None:
        self.potential = potential
        self.types = np.array(list(types), dtype=np.int64)
        self.is_periodic = is_periodic
        self.atoms = None if atoms is None else np.array(list(atoms), dtype=np.int64)
        self._numbers = np.array(potential.info.config.atomic_numbers)[self.types]
        self._evaluator = potential.evaluator(self._numbers, is_periodic)
        self._memo: _Memo | None = None
        self._lock = threading.Lock()

    def __call__(self, state: Any) -> tuple[float, FloatArray]:
        """Evaluate an `openmm.State`; raises as `evaluate` does. OpenMM passes on only the message, as an OpenMMException."""
        nm = import_openmm().unit.nanometer
        return self.evaluate(state.getPositions(asNumpy=True).value_in_unit(nm), self._box(state))

    def evaluate(self, positions: FloatArray, box: FloatArray) -> tuple[float, FloatArray]:
        """Return energy and forces.

        Parameters
        ----------
        positions
            (n_particles, 3) nm, float64.
        box
            (3, 3) box vectors as rows in nm; ignored where nothing repeats.

        Raises
        ------
        BackendError
            If the System holds other particles than the potential was made for.
        RunFailed
            If positions are not finite or too far away to be meant, atoms overlap, or the energy or a force is not finite.
        """
        where = positions.tobytes(), box.tobytes()
        with self._lock:
            memo = self._memo
            if memo is None or memo[:2] != where:
                self._memo = memo = _Memo(*where, *self._evaluate(positions, box))
        return memo.energy, memo.forces.copy()

    def _box(self, state: Any) -> FloatArray:
        """Return the box vectors (3, 3) of a State in nm, zeros where nothing repeats."""
        if not self.is_periodic:
            return np.zeros((3, 3))
        vectors = state.getPeriodicBoxVectors(asNumpy=True)
        nm = import_openmm().unit.nanometer
        return np.array(vectors.value_in_unit(nm), dtype=np.float64)

    def _evaluate(self, positions: FloatArray, box: FloatArray) -> tuple[float, FloatArray]:
        chosen = positions if self.atoms is None else positions[self.atoms]
        if len(chosen) != len(self.types):
            raise BackendError(
                f"the potential was made for {len(self.types)} atoms but the System has {len(chosen)} particles; "
                "make the force with atoms="
            )
        cell = box * NM_TO_ANGSTROM if self.is_periodic else None
        try:
            found = self._evaluator.evaluate(chosen * NM_TO_ANGSTROM, cell)
        except RunFailed as failure:
            raise RunFailed(
                "the potential gave an energy or a force that is not finite: atoms overlap, or the simulation has blown up",
                code=failure.code,
            ) from failure
        except StructureError as error:
            raise RunFailed(
                f"the simulation has blown up, or its start is wrong: {error}", code="non-finite"
            ) from error
        atom_forces = found.forces * (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM)
        energy = float(found.energy) * EV_TO_KJ_PER_MOL
        if self.atoms is None:
            return energy, atom_forces
        forces = np.zeros((len(positions), 3))
        forces[self.atoms] = atom_forces
        return energy, forces

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {
            "types": self.types.tolist(),
            "is_periodic": self.is_periodic,
            "atoms": None if self.atoms is None else self.atoms.tolist(),
            "device": str(self.potential.device),
            "engine": self.potential.requested_engine,
            "threads": self.potential.threads,
        }
        if type(self) is not Computation:
            settings["kind"] = type(self).__name__
        return restore, (PICKLE_VERSION, potential_to_bytes(self.potential), settings)


class TensorComputation(Computation):
    """What a PythonTorchForce calls: as `Computation`, with positions and forces as tensors.

    A model on a GPU follows the positions to theirs, which is the first of the platform's ``DeviceIndex``.
    """

    def __call__(  # type: ignore[override]
        self, state: Any, positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the energy in kJ/mol and the forces in kJ/mol/nm, packed, of the type and on the device of the positions.

        Parameters
        ----------
        state
            `openmm.State` with the box vectors.
        positions
            (n_particles, 3) nm.
        """
        where, device = positions.device, self.potential.device
        if where.type == device.type == "cuda" and where != device:
            self._move(where)
        x = positions.detach().to("cpu", torch.float64).numpy()
        energy, forces = self.evaluate(x, self._box(state))
        packed = torch.from_numpy(forces).to(where, positions.dtype).contiguous()
        return torch.tensor(energy, dtype=torch.float64), packed

    def _move(self, device: torch.device) -> None:
        with self._lock:
            self.potential = moved(self.potential, device=device)
            self._evaluator = self.potential.evaluator(self._numbers, self.is_periodic)


class Unreadable:
    """Stands for a computation that could not be read, and says why as soon as it is asked for an energy.

    An exception while OpenMM unpickles would end the process without a message.
    """

    def __init__(self, reason: str, *pickled: Any) -> None:
        self.reason = reason
        self.pickled = pickled

    def __call__(self, *_: Any) -> Any:
        """Raise `ModelFileError`."""
        raise ModelFileError(self.reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, self.pickled


def restore(version: int, content: bytes, settings: dict[str, Any]) -> Computation | Unreadable:
    """Rebuild a `Computation` from what a pickle holds; on the CPU where the device it had is missing.

    What was written by another version of this package, or is damaged, gives an `Unreadable`, and an error in the log.
    """
    try:
        return _restored(version, content, settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, OpenMM could not pass it on
        reason = " ".join(str(error).split()) or type(error).__name__
        logger.error("%s", reason)
        return Unreadable(reason, version, content, settings)


def _restored(version: int, content: bytes, settings: dict[str, Any]) -> Computation:
    if version != PICKLE_VERSION:
        raise ModelFileError(
            f"this NequIP force has format {version}, but this version of nequip-openmm reads {PICKLE_VERSION}; "
            "upgrade nequip-openmm or make the System again"
        )
    device = torch.device(settings["device"])
    if device.type == "cuda" and not torch.cuda.is_available():
        device = torch.device("cpu")
    potential = potential_from_bytes(content, device, settings["engine"], settings["threads"])
    guard_pressure()
    kind = TensorComputation if settings.get("kind") == "TensorComputation" else Computation
    return kind(potential, settings["types"], settings["is_periodic"], settings["atoms"])


def moved(
    potential: Potential,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Potential:
    """Return a copy of a potential with another precision of the network or on another device; the given one stays as it is."""
    model = copy.deepcopy(potential.model)
    model = model if dtype is None else model.to_dtype(dtype)
    model = model if device is None else model.to(device)
    return Potential(model, potential.info, potential.requested_engine, potential.threads)


def potential_to_bytes(potential: Potential) -> bytes:
    """Return the model file of a potential."""
    info = potential.info
    return model_to_bytes(potential.model, {"training": info.training, "metrics": info.metrics})


def potential_from_bytes(
    content: bytes, device: torch.device | str, engine: Any, threads: int | None
) -> Potential:
    """Return the potential of a model file's content; raises `ModelFileError` if it is damaged."""
    model, info = model_from_bytes(content, device, name="the model in this System")
    return Potential(model, info, engine, threads)
