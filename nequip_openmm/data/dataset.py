"""A data set: many labelled structures in flat arrays, so that a hundred thousand of them cost what their numbers cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import DataError

__all__ = ["Dataset", "list_frames"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Dataset:
    """F structures with N_1 ... N_F atoms (ΣN in all); atoms of frame i are rows ``offsets[i]:offsets[i + 1]``.

    Attributes
    ----------
    offsets
        (F + 1,) first atom of every frame, and ΣN.
    numbers
        (ΣN,) atomic numbers.
    positions
        (ΣN, 3) Å.
    cells
        (F, 3, 3) lattice vectors as rows, Å; zeros where there are none.
    pbc
        (F, 3).
    energies
        (F,) eV; NaN where missing.
    forces
        (ΣN, 3) eV/Å; NaN where missing.
    stresses
        (F, 3, 3) eV/Å³, tension positive; NaN where missing; None where no frame has one.
    with_energy, with_forces, with_stress
        (F,) which frames are labelled: tells a missing label from one that is NaN in the file.
    isolated
        (F,) frames that the file declares to be isolated atoms.
    source
        Where it came from, for messages.
    notes
        What a reader assumed or passed over, one sentence each.
    origin
        (F,) number of every frame in the source; None where these are all frames of it.
    names
        Label -> name under which the source holds it, as far as it has names.
    units
        Of the source, in words.
    """

    offsets: IntArray
    numbers: IntArray
    positions: FloatArray
    cells: FloatArray
    pbc: BoolArray
    energies: FloatArray
    forces: FloatArray
    stresses: FloatArray | None
    with_energy: BoolArray
    with_forces: BoolArray
    with_stress: BoolArray
    isolated: BoolArray
    source: str = ""
    notes: tuple[str, ...] = field(default=())
    origin: IntArray | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    units: str = ""

    @classmethod
    def from_frames(cls, frames: Sequence[Frame], source: str = "frames in memory") -> Dataset:
        """Return the data set of some frames."""
        from nequip_openmm.data.builder import DatasetBuilder

        builder = DatasetBuilder(source)
        for frame in frames:
            builder.add(
                frame.numbers,
                frame.positions,
                frame.cell,
                frame.pbc,
                energy=frame.energy,
                forces=frame.forces,
                stress=frame.stress,
            )
        return builder.finish()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Frame:
        i = int(index)
        i += len(self) if i < 0 else 0
        if not 0 <= i < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        atoms = slice(self.offsets[i], self.offsets[i + 1])
        return Frame(
            numbers=self.numbers[atoms],
            positions=self.positions[atoms],
            cell=self.cells[i],
            pbc=self.pbc[i],
            energy=float(self.energies[i]) if self.with_energy[i] else None,
            forces=self.forces[atoms] if self.with_forces[i] else None,
            stress=self.stresses[i] if self.stresses is not None and self.with_stress[i] else None,
        )

    def forces_of(self, index: int) -> FloatArray:
        """Return (N, 3) forces of a frame, NaN where it has none."""
        return self.forces[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))

    def subset(self, indices: ArrayLike) -> Dataset:
        """Return the frames at ``indices``, in that order."""
        chosen = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(chosen) and (chosen.min() < -len(self) or chosen.max() >= len(self)):
            raise IndexError(f"frame {chosen.max()} of {len(self)}")
        counts = self.n_atoms[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        atoms = np.repeat(self.offsets[:-1][chosen] - offsets[:-1], counts) + np.arange(offsets[-1])
        return replace(
            self,
            offsets=offsets,
            numbers=self.numbers[atoms],
            positions=self.positions[atoms],
            cells=self.cells[chosen],
            pbc=self.pbc[chosen],
            energies=self.energies[chosen],
            forces=self.forces[atoms],
            stresses=None if self.stresses is None else self.stresses[chosen],
            with_energy=self.with_energy[chosen],
            with_forces=self.with_forces[chosen],
            with_stress=self.with_stress[chosen],
            isolated=self.isolated[chosen],
            origin=self.numbers_in_source(chosen),
        )

    def numbers_in_source(self, frames: ArrayLike) -> IntArray:
        """Return the numbers that some frames have in the source, counted from 0; for messages."""
        chosen = np.asarray(frames, dtype=np.int64)
        return np.arange(len(self))[chosen] if self.origin is None else self.origin[chosen]

    def number_in_source(self, frame: int) -> int:
        """Return the number that a frame has in the source, counted from 0; for messages."""
        return int(self.numbers_in_source(frame))

    def require(self, labels: Sequence[str]) -> None:
        """Check that every frame has the given labels, out of ``"energy"``, ``"forces"`` and ``"stress"``, all finite.

        Raises
        ------
        DataError
            Naming the frames that do not.
        """
        for label in labels:
            self._require(label)

    def _require(self, label: str) -> None:
        masks = {
            "energy": self.with_energy,
            "forces": self.with_forces,
            "stress": self.with_stress,
        }
        missing = np.flatnonzero(~masks[label])
        if len(missing):
            raise DataError(
                f"{self.source}: no {label} in {list_frames(missing, len(self))}; "
                "compute them, leave these frames out, or name the key that holds them"
            )
        damaged = self.nonfinite(label)
        if len(damaged):
            raise DataError(
                f"{self.source}: {label} not finite in {list_frames(damaged, len(self))}; "
                "leave these frames out"
            )

    def nonfinite(self, label: str) -> IntArray:
        """Return the frames that have ``label`` (or ``"positions"``, ``"cell"``) with a value that is not finite."""
        if label == "energy":
            return np.flatnonzero(self.with_energy & ~np.isfinite(self.energies))
        if label == "stress":
            if self.stresses is None:
                return np.zeros(0, dtype=np.int64)
            return np.flatnonzero(self.with_stress & ~np.isfinite(self.stresses).all(axis=(1, 2)))
        if label == "cell":
            return np.flatnonzero(~np.isfinite(self.cells).all(axis=(1, 2)))
        values = self.forces if label == "forces" else self.positions
        bad = np.unique(self.frame_of_atom[~np.isfinite(values).all(axis=1)])
        return bad[self.with_forces[bad]] if label == "forces" else bad

    @cached_property
    def n_atoms(self) -> IntArray:
        """(F,) number of atoms of every frame."""
        return np.diff(self.offsets)

    @cached_property
    def frame_of_atom(self) -> IntArray:
        """(ΣN,) frame that every atom belongs to."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    @cached_property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols that occur, by atomic number."""
        return tuple(chemical_symbols[z] for z in np.unique(self.numbers))

    @property
    def has_energies(self) -> bool:
        """Whether every frame has an energy."""
        return bool(self.with_energy.all())

    @property
    def has_forces(self) -> bool:
        """Whether every frame has forces."""
        return bool(self.with_forces.all())

    @property
    def has_stress(self) -> bool:
        """Whether every frame has a stress."""
        return bool(self.with_stress.all())

    def compositions(self) -> IntArray:
        """Return (F, S) how many atoms of each of ``species`` every frame holds."""
        elements, type_of_atom = np.unique(self.numbers, return_inverse=True)
        table = np.zeros((len(self), len(elements)), dtype=np.int64)
        np.add.at(table, (self.frame_of_atom, type_of_atom), 1)
        return table


def list_frames(frames: Sequence[int] | IntArray, total: int, most: int = 5) -> str:
    """Return ``frame 3``, ``frames 3, 5, 8 ... (12 of 100)`` or ``all 100 frames``, counted from 0."""
    if len(frames) == total:
        return f"all {total} frames" if total > 1 else "its only frame"
    if len(frames) == 1:
        return f"frame {frames[0]}"
    first = ", ".join(str(int(i)) for i in frames[:most])
    dots = " ..." if len(frames) > most else ""
    return f"frames {first}{dots} ({len(frames)} of {total})"
