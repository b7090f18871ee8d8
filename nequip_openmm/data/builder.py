"""Fills a data set frame by frame while a file is read, without keeping an object per frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nequip_openmm.data.conventions import EV_ANGSTROM, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.errors import DataError

__all__ = ["DatasetBuilder"]


class DatasetBuilder:
    """Collects frames in the file's own units; `finish` converts them all at once.

    Parameters
    ----------
    source
        File name, for messages.

    Attributes
    ----------
    names
        Label -> name under which it stands in the file; readers fill it in.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: dict[str, str] = {}
        self._notes: dict[str, None] = {}  # a set that keeps its order
        self._n_atoms: list[int] = []
        self._numbers = _Column(np.int64)
        self._positions = _Column(np.float64)
        self._cells = _Column(np.float64)
        self._pbc = _Column(np.bool_)
        self._energies = _Column(np.float64)
        self._forces = _Column(np.float64)
        self._stresses = _Column(np.float64)
        self._with: dict[str, list[bool]] = {"energy": [], "forces": [], "stress": []}
        self._virial: list[bool] = []
        self._isolated: list[bool] = []

    def __len__(self) -> int:
        return len(self._n_atoms)

    def note(self, text: str) -> None:
        """Remember what the reader assumed; the same text is kept once."""
        self._notes[text] = None

    def add(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike | None,
        pbc: ArrayLike,
        *,
        energy: float | None = None,
        forces: ArrayLike | None = None,
        stress: ArrayLike | None = None,
        virial: ArrayLike | None = None,
        isolated: bool = False,
    ) -> None:
        """Append a frame of N atoms; see `Dataset` for shapes. At most one of ``stress`` and ``virial`` is given."""
        n = self._numbers.append(numbers)
        self._n_atoms.append(n)
        self._positions.append(positions, 3 * n)
        self._cells.append(np.zeros(9) if cell is None else cell, 9)
        self._pbc.append(np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)), 3)
        self._energies.append(np.nan if energy is None else energy, 1)
        self._forces.append(np.full(3 * n, np.nan) if forces is None else forces, 3 * n)
        tensor = stress if virial is None else virial
        self._stresses.append(np.full(9, np.nan) if tensor is None else tensor, 9)
        self._virial.append(virial is not None)
        self._with["energy"].append(energy is not None)
        self._with["forces"].append(forces is not None)
        self._with["stress"].append(tensor is not None)
        self._isolated.append(isolated)

    def finish(self, units: UnitSystem = EV_ANGSTROM) -> Dataset:
        """Return the data set, converted from ``units`` to eV and Å.

        Raises
        ------
        DataError
            If there is no frame.
        """
        if not self._n_atoms:
            raise DataError(f"{self.source}: holds no frames")
        if not units.is_internal:
            self.note(f"converted to eV and Å from {units}")
        forces = self._forces.array((-1, 3), units.force_to_ev_per_angstrom)
        with_forces = self._complete_forces(forces)
        cells = self._cells.array((-1, 3, 3), units.length_to_angstrom)
        return Dataset(
            offsets=np.concatenate([[0], np.cumsum(self._n_atoms, dtype=np.int64)]),
            numbers=self._numbers.array((-1,)),
            positions=self._positions.array((-1, 3), units.length_to_angstrom),
            cells=cells,
            pbc=self._pbc.array((-1, 3)),
            energies=self._energies.array((-1,), units.energy_to_ev),
            forces=forces,
            stresses=self._stresses_in_ev(cells, units) if any(self._with["stress"]) else None,
            with_energy=np.array(self._with["energy"]),
            with_forces=with_forces,
            with_stress=np.array(self._with["stress"]),
            isolated=np.array(self._isolated),
            source=self.source,
            notes=tuple(self._notes),
            names=dict(self.names),
            units=str(units),
        )

    def _complete_forces(self, forces: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Give single atoms the force they must have, zero, and return which frames have forces.

        Files that hold isolated atoms for their energies often leave it out.
        """
        given = np.array(self._with["forces"])
        n_atoms = np.array(self._n_atoms)
        lone = ~given & (n_atoms == 1)
        if not given.any() or not lone.any():
            return given
        self.note(
            f"forces on single atoms, which the file leaves out in {lone.sum()} frames, are zero"
        )
        forces[(np.cumsum(n_atoms) - 1)[lone]] = 0.0
        return given | lone

    def _stresses_in_ev(self, cells: NDArray[np.float64], units: UnitSystem) -> NDArray[np.float64]:
        """Convert stresses; a virial W becomes the stress -W / V."""
        stresses = self._stresses.array((-1, 3, 3))
        virial = np.array(self._virial)
        volume = np.abs(np.linalg.det(cells))
        flat = np.flatnonzero(virial & (volume == 0.0))
        if len(flat):
            raise DataError(
                f"{self.source}: frame {flat[0]} has a virial but no cell volume; "
                "stress = -virial / volume needs one"
            )
        stresses[~virial] *= units.stress_to_ev_per_angstrom3
        stresses[virial] *= -units.energy_to_ev / volume[virial, None, None]
        return stresses


class _Column:
    """A flat array that grows."""

    def __init__(self, dtype: type) -> None:
        self._dtype = np.dtype(dtype)
        self._buffer = bytearray()

    def append(self, values: ArrayLike, size: int | None = None) -> int:
        """Add values, of which there must be ``size``; return how many there were."""
        array = np.asarray(values, dtype=self._dtype)
        if size is not None and array.size != size:
            raise DataError(f"expected {size} values, got an array of shape {array.shape}")
        self._buffer += array.tobytes()
        return array.size

    def array(self, shape: tuple[int, ...], factor: float = 1.0) -> Any:
        array = np.frombuffer(self._buffer, dtype=self._dtype).reshape(shape)
        if factor != 1.0:
            array *= factor
        return array
