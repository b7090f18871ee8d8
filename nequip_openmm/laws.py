"""Laws of physics that every potential must obey, as functions that measure how far one is from them.

Each law takes a potential and a structure and returns the largest deviation, in eV, eV/Å or eV (virial), which is rounding
for a correct one. `check_laws` applies them all: a new model, backend or kernel is tested by one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.data.frame import Frame
from nequip_openmm.potential import Evaluation

__all__ = ["LAWS", "Evaluator", "check_laws"]

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Evaluator(Protocol):
    """What the laws need of a potential."""

    def evaluate(self, structures: Sequence[Frame], /) -> list[Evaluation]:
        """Return what the potential says about every structure."""


Law = Callable[[Evaluator, Frame, np.random.Generator], float]


def check_laws(potential: Evaluator, frame: Frame, seed: int = 0) -> dict[str, float]:
    """Return the largest deviation from every law of `LAWS` for one structure."""
    rng = np.random.default_rng(seed)
    return {name: law(potential, frame, rng) for name, law in LAWS.items()}


def sums(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Atomic energies sum to the energy, forces to zero; the virial is symmetric, and minus stress times volume."""
    found = _one(potential, frame)
    deviations: list[FloatArray | float] = [
        found.energy - found.energies.sum(),
        found.forces.sum(axis=0),
        _virial(found) - _virial(found).T,
    ]
    if found.stress is not None:
        deviations.append(_virial(found) + found.stress * abs(np.linalg.det(frame.cell)))
    return _largest(*deviations)


def repetition(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """The same question has the same answer, alone or among others, and leaves the structure as it was."""
    before = (frame.positions.copy(), frame.cell.copy())
    alone = _one(potential, frame)
    other = _displaced(frame, 0.05 * rng.normal(size=frame.positions.shape))
    among = potential.evaluate([other, frame, other])[1]
    changed = (frame.positions - before[0], frame.cell - before[1])
    return max(_difference(alone, among), _largest(*changed))


def translation(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Nothing changes when all atoms move by the same vector."""
    moved = _displaced(frame, rng.normal(size=3))
    return _difference(_one(potential, frame), _one(potential, moved))


def rotation(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Forces and virial turn with the structure."""
    return _turned(potential, frame, _random_rotation(rng))


def reflection(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Forces and virial are reflected with the structure."""
    return _turned(potential, frame, -_random_rotation(rng))


def permutation(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Numbering the atoms otherwise numbers forces and atomic energies otherwise."""
    order = rng.permutation(len(frame))
    found = _one(potential, frame)
    shuffled = _one(
        potential, Frame.create(frame.numbers[order], frame.positions[order], frame.cell, frame.pbc)
    )
    return _difference(_with_atoms(found, order), shuffled)


def images(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Atoms may be replaced by their periodic images."""
    jumps = rng.integers(-2, 3, size=frame.positions.shape) * frame.pbc
    moved = _displaced(frame, jumps @ frame.cell)
    return _difference(_one(potential, frame), _one(potential, moved))


def supercell(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """A periodic structure repeated n times has n times the energy and virial, and the same forces."""
    repeats = np.where(frame.pbc, [2, 1, 3], 1)
    n = int(repeats.prod())
    small, big = potential.evaluate([frame, _repeated(frame, repeats)])
    deviations: list[FloatArray | float] = [
        big.energy / n - small.energy,
        _virial(big) / n - _virial(small),
        big.forces - np.tile(small.forces, (n, 1)),
        big.energies - np.tile(small.energies, n),
    ]
    return _largest(*deviations)


def forces(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """Forces are minus the gradient of the energy: compared along random directions with finite differences."""
    found = _one(potential, frame)
    deviations = []
    for _ in range(4):
        direction = rng.normal(size=frame.positions.shape)
        slope = _slope(potential, lambda h, d=direction: _displaced(frame, h * d))  # type: ignore[misc]
        deviations.append(slope + float((found.forces * direction).sum()))
    return _largest(*deviations)


def virial(potential: Evaluator, frame: Frame, rng: np.random.Generator) -> float:
    """The virial is minus the derivative of the energy by strain: compared with finite strains."""
    found = _one(potential, frame)
    deviations = []
    for _ in range(3):
        strain = rng.normal(size=(3, 3))
        strain = 0.5 * (strain + strain.T)
        slope = _slope(potential, lambda h, e=strain: _mapped(frame, np.eye(3) + h * e))  # type: ignore[misc]
        deviations.append(slope + float((_virial(found) * strain).sum()))
    return _largest(*deviations)


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        sums,
        repetition,
        translation,
        rotation,
        reflection,
        permutation,
        images,
        supercell,
        forces,
        virial,
    )
}


# --- structures and their changes -----------------------------------------------------------------------------------------


def _displaced(frame: Frame, displacement: FloatArray) -> Frame:
    return Frame.create(frame.numbers, frame.positions + displacement, frame.cell, frame.pbc)


def _mapped(frame: Frame, matrix: Matrix) -> Frame:
    """Apply a linear map to all row vectors."""
    return Frame.create(frame.numbers, frame.positions @ matrix, frame.cell @ matrix, frame.pbc)


def _repeated(frame: Frame, repeats: NDArray[np.int64]) -> Frame:
    shifts = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), -1).reshape(-1, 3)
    positions = (frame.positions + (shifts @ frame.cell)[:, None]).reshape(-1, 3)
    numbers = np.tile(frame.numbers, len(shifts))
    return Frame.create(numbers, positions, frame.cell * repeats[:, None], frame.pbc)


def _random_rotation(rng: np.random.Generator) -> Matrix:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


# --- measuring --------------------------------------------------------------------------------------------------------------


def _one(potential: Evaluator, frame: Frame) -> Evaluation:
    return potential.evaluate([frame])[0]


def _virial(found: Evaluation) -> FloatArray:
    return cast("FloatArray", found.virial)  # asked for


def _turned(potential: Evaluator, frame: Frame, matrix: Matrix) -> float:
    found = _one(potential, frame)
    turned = _one(potential, _mapped(frame, matrix))
    expected = Evaluation(
        energy=found.energy,
        energies=found.energies,
        forces=found.forces @ matrix,
        virial=matrix.T @ _virial(found) @ matrix,
        stress=None,
    )
    return _difference(expected, turned)


def _with_atoms(found: Evaluation, order: NDArray[np.int64]) -> Evaluation:
    return Evaluation(
        energy=found.energy,
        energies=found.energies[order],
        forces=found.forces[order],
        virial=found.virial,
        stress=found.stress,
    )


def _difference(a: Evaluation, b: Evaluation) -> float:
    return _largest(
        a.energy - b.energy,
        a.energies - b.energies,
        a.forces - b.forces,
        _virial(a) - _virial(b),
    )


def _slope(potential: Evaluator, path: Callable[[float], Frame], h: float = 1e-3) -> float:
    """Return dE/dh at 0 by central differences of sixth order, whose error is of the order of h⁶."""
    steps = np.array([-3, -2, -1, 1, 2, 3])
    weights = np.array([-1, 9, -45, 45, -9, 1]) / 60.0
    energies = [found.energy for found in potential.evaluate([path(k * h) for k in steps])]
    return float(weights @ energies) / h


def _largest(*arrays: FloatArray | float) -> float:
    return max(float(np.abs(array).max()) for array in map(np.asarray, arrays) if array.size)
