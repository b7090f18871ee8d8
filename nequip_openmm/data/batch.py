"""Structures as tensors: what the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols
from torch import Tensor

from nequip_openmm.data.frame import Frame
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.errors import StructureError

__all__ = ["Batch", "collate", "species_to_types"]


@dataclass(frozen=True, eq=False)
class Batch:
    """One or more structures, concatenated.

    Attributes
    ----------
    positions
        (N, 3) float64, Å.
    types
        (N,) int64 index of every atom's element in the model's species.
    edge_index
        (2, E) int64; row 0 the centre i that receives, row 1 the neighbour j that sends.
    shifts
        (E, 3) float64 whole numbers of lattice vectors: r_ij = r_j - r_i + shift @ cell.
    cell
        (B, 3, 3) float64 lattice vectors as rows, Å.
    graph
        (N,) int64 number of the structure that every atom belongs to.
    energy, forces, stress
        (B,) eV, (N, 3) eV/Å, (B, 3, 3) eV/Å³ labels, float64, or None.
    """

    positions: Tensor
    types: Tensor
    edge_index: Tensor
    shifts: Tensor
    cell: Tensor
    graph: Tensor
    energy: Tensor | None = None
    forces: Tensor | None = None
    stress: Tensor | None = None

    @property
    def n_graphs(self) -> int:
        """Number of structures B."""
        return int(self.cell.shape[0])

    @classmethod
    def from_frame(cls, frame: Frame, species: Sequence[str], cutoff: float) -> Batch:
        """Return the one-structure batch of a frame, with its neighbour list.

        Raises
        ------
        StructureError
            If an element is not among ``species``.
        """
        edge_index, shifts = neighbour_list(frame.positions, frame.cell, frame.pbc, cutoff)
        return cls(
            positions=torch.from_numpy(frame.positions.copy()),
            types=torch.from_numpy(species_to_types(frame.numbers, species)),
            edge_index=torch.from_numpy(np.ascontiguousarray(edge_index, dtype=np.int64)),
            shifts=torch.from_numpy(np.ascontiguousarray(shifts, dtype=np.float64)),
            cell=torch.from_numpy(frame.cell.copy()).unsqueeze(0),
            graph=torch.zeros(len(frame), dtype=torch.int64),
            energy=None
            if frame.energy is None
            else torch.tensor([frame.energy], dtype=torch.float64),
            forces=None if frame.forces is None else torch.from_numpy(frame.forces.copy()),
            stress=None
            if frame.stress is None
            else torch.from_numpy(frame.stress.copy()).unsqueeze(0),
        )

    @classmethod
    def from_frames(cls, frames: Sequence[Frame], species: Sequence[str], cutoff: float) -> Batch:
        """Return the batch of several frames; see `from_frame`."""
        return collate([cls.from_frame(frame, species, cutoff) for frame in frames])

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on another device."""
        moved = {
            field.name: value.to(device)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return replace(self, **moved)


def collate(batches: Sequence[Batch]) -> Batch:
    """Concatenate batches; a label is kept where every one has it."""
    n_atoms = [len(batch.positions) for batch in batches]
    n_graphs = [batch.n_graphs for batch in batches]
    first_atom = np.concatenate([[0], np.cumsum(n_atoms)[:-1]])
    first_graph = np.concatenate([[0], np.cumsum(n_graphs)[:-1]])
    shifted_edges = [b.edge_index + int(start) for b, start in zip(batches, first_atom)]
    shifted_graphs = [b.graph + int(start) for b, start in zip(batches, first_graph)]
    return Batch(
        positions=torch.cat([b.positions for b in batches]),
        types=torch.cat([b.types for b in batches]),
        edge_index=torch.cat(shifted_edges, dim=1),
        shifts=torch.cat([b.shifts for b in batches]),
        cell=torch.cat([b.cell for b in batches]),
        graph=torch.cat(shifted_graphs),
        energy=_cat_labels([b.energy for b in batches]),
        forces=_cat_labels([b.forces for b in batches]),
        stress=_cat_labels([b.stress for b in batches]),
    )


def species_to_types(numbers: np.ndarray, species: Sequence[str]) -> np.ndarray:
    """Return (N,) int64 indices into ``species`` for atomic numbers.

    Raises
    ------
    StructureError
        Naming the elements the model does not know and the atoms that are of them.
    """
    table = np.full(len(chemical_symbols), -1, dtype=np.int64)
    for index, symbol in enumerate(species):
        table[atomic_numbers[symbol]] = index
    types: np.ndarray = table[numbers]
    if (types < 0).any():
        raise StructureError(_unknown_elements(numbers, types, species))
    return types


def _unknown_elements(numbers: np.ndarray, types: np.ndarray, species: Sequence[str]) -> str:
    unknown = np.flatnonzero(types < 0)
    named = ", ".join(sorted({chemical_symbols[z] for z in numbers[unknown]}))
    shown = ", ".join(str(i) for i in unknown[:8]) + (", ..." if len(unknown) > 8 else "")
    return (
        f"the model knows {', '.join(species)} but not {named} (atoms {shown}, counted from 0); "
        "train a model on data with these elements or remove the atoms"
    )


def _cat_labels(labels: Sequence[Tensor | None]) -> Tensor | None:
    present = [label for label in labels if label is not None]
    return torch.cat(present) if len(present) == len(labels) else None
