"""A potential as OpenMM's PythonForce calls it: Python at every step, with any version of torch.

OpenMM pickles the callable as soon as the force is made and writes the pickle into the XML of a System. What is pickled here
is the content of a model file and a few plain values, no code, so that XML, copies and CustomCVForce work; only classes of
this package are named in it. Reading the XML of somebody else nevertheless unpickles, which can execute anything: read such
files only from people you trust.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from nequip_openmm.data.batch import Batch
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.errors import BackendError, ModelFileError, RunFailed
from nequip_openmm.forces.backends import import_openmm
from nequip_openmm.model.derivatives import energy_and_derivatives
from nequip_openmm.model.file import ModelInfo, model_from_bytes, model_to_bytes
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM

__all__ = ["PICKLE_VERSION", "Evaluator", "restore"]

PICKLE_VERSION = 1
FloatArray = NDArray[np.float64]


class _Memo(NamedTuple):
    """The last evaluation."""

    positions: FloatArray
    box: FloatArray
    energy: float
    forces: FloatArray


class Evaluator:
    """Callable for PythonForce: state in, energy (kJ/mol) and forces (kJ/mol/nm) out.

    OpenMM evaluates forces again whenever a reporter asks for the energy; the last result is kept for that. One evaluator
    may serve several Contexts and threads.

    Parameters
    ----------
    model
        The network; it is copied.
    info
        What its file says.
    types
        Type of every atom that the model sees.
    is_periodic
        Whether OpenMM's box is read.
    atoms
        Indices of those atoms among OpenMM's particles; None means that the particles are just these atoms.
    """

    def __init__(
        self,
        model: NequIP,
        info: ModelInfo,
        types: Sequence[int],
        is_periodic: bool,
        atoms: Sequence[int] | None = None,
    ) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.info = info
        self.types = torch.tensor(list(types), dtype=torch.int64)
        self.is_periodic = is_periodic
        self.atoms = None if atoms is None else np.array(list(atoms), dtype=np.int64)
        self._memo: _Memo | None = None
        self._lock = threading.Lock()

    def __call__(self, state: Any) -> tuple[float, FloatArray]:
        """Evaluate an `openmm.State`.

        Raises
        ------
        StructureError
            If positions are not finite.
        RunFailed
            If the energy or a force is not finite. OpenMM passes on only the message, as an OpenMMException.
        """
        nm = import_openmm().unit.nanometer
        positions = np.array(state.getPositions(asNumpy=True).value_in_unit(nm), dtype=np.float64)
        box = np.zeros((3, 3))
        if self.is_periodic:
            vectors = state.getPeriodicBoxVectors(asNumpy=True)
            box = np.array(vectors.value_in_unit(nm), dtype=np.float64)
        return self.evaluate(positions, box)

    def evaluate(self, positions: FloatArray, box: FloatArray) -> tuple[float, FloatArray]:
        """Return energy and forces for particle positions (n_particles, 3) and box vectors (3, 3) in nm."""
        with self._lock:
            memo = self._memo
            if (
                memo is None
                or not np.array_equal(memo.positions, positions)
                or not np.array_equal(memo.box, box)
            ):
                memo = _Memo(positions, box, *self._evaluate(positions, box))
                self._memo = memo
        return memo.energy, memo.forces.copy()

    def _evaluate(self, positions: FloatArray, box: FloatArray) -> tuple[float, FloatArray]:
        chosen = positions if self.atoms is None else positions[self.atoms]
        if len(chosen) != len(self.types):
            raise BackendError(
                f"the potential was made for {len(self.types)} atoms but the System has {len(chosen)} particles; "
                "make the force with atoms="
            )
        batch = self._batch(chosen * NM_TO_ANGSTROM, box * NM_TO_ANGSTROM)
        prediction = energy_and_derivatives(self.model, batch.to(self.model.device))
        energy = float(prediction.energy[0]) * EV_TO_KJ_PER_MOL
        ev_per_angstrom = cast("torch.Tensor", prediction.forces).cpu().numpy()
        atom_forces = ev_per_angstrom * (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM)
        if not (np.isfinite(energy) and np.isfinite(atom_forces).all()):
            raise RunFailed(
                "the potential gave an energy or a force that is not finite: atoms overlap, or the simulation has blown up",
                code="non-finite",
            )
        if self.atoms is None:
            return energy, atom_forces
        forces = np.zeros((len(positions), 3))
        forces[self.atoms] = atom_forces
        return energy, forces

    def _batch(self, positions: FloatArray, cell: FloatArray) -> Batch:
        edge_index, shifts = neighbour_list(
            positions, cell, self.is_periodic, self.info.config.cutoff
        )
        return Batch(
            positions=torch.from_numpy(positions),
            types=self.types,
            edge_index=torch.from_numpy(edge_index),
            shifts=torch.from_numpy(shifts.astype(np.float64)),
            cell=torch.from_numpy(cell).unsqueeze(0),
            graph=torch.zeros_like(self.types),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {
            "types": self.types.tolist(),
            "is_periodic": self.is_periodic,
            "atoms": None if self.atoms is None else self.atoms.tolist(),
            "device": str(self.model.device),
        }
        metadata = {"training": self.info.training, "metrics": self.info.metrics}
        return restore, (PICKLE_VERSION, model_to_bytes(self.model, metadata), settings)


def restore(version: int, content: bytes, settings: dict[str, Any]) -> Evaluator:
    """Rebuild an `Evaluator` from what a pickle holds; on the CPU where the device it had is missing.

    Raises
    ------
    ModelFileError
        If it was written by a newer version of this package, or is damaged.
    """
    if version != PICKLE_VERSION:
        raise ModelFileError(
            f"this NequIP force has format {version}, but this version of nequip-openmm reads {PICKLE_VERSION}; "
            "upgrade nequip-openmm or make the System again"
        )
    device = torch.device(settings["device"])
    if device.type == "cuda" and not torch.cuda.is_available():
        device = torch.device("cpu")
    model, info = model_from_bytes(content, device, name="the model in this System")
    return Evaluator(model, info, settings["types"], settings["is_periodic"], settings["atoms"])
