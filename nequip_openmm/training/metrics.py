"""Errors of a potential, summed over batches, devices and elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.training.loss import atoms_per_graph

__all__ = ["ErrorSums"]

MEV = 1000.0  # meV in one eV
COUNT, ABSOLUTE, SQUARE = 0, 1, 2


class ErrorSums:
    """Running sums of errors: what a mean over frames needs, and no more.

    Everything stays on its device until `results` is asked for, so that training never waits for a number. Energies are
    errors of the total energy divided by the number of atoms; forces are errors of components. Missing labels (NaN) do
    not count.

    Parameters
    ----------
    species
        Chemical symbols in the order of the type numbers.
    """

    def __init__(self, species: Sequence[str], device: torch.device | str = "cpu") -> None:
        self.species = tuple(species)
        # columns: count, sum of |x|, sum of x²
        self.energy = torch.zeros(3, dtype=torch.float64, device=device)
        self.forces = torch.zeros(len(self.species), 3, dtype=torch.float64, device=device)
        self.energy_max = torch.zeros((), dtype=torch.float64, device=device)
        self.forces_max = torch.zeros(len(self.species), dtype=torch.float64, device=device)
        self.frames = 0

    @torch.no_grad()
    def update(self, prediction: Prediction, batch: Batch) -> None:
        """Add the errors of one batch, in eV and eV/Å."""
        self.frames += batch.n_graphs
        if batch.energy is not None:
            error = (prediction.energy.detach() - batch.energy) / atoms_per_graph(batch)
            is_labelled = ~torch.isnan(batch.energy)
            sizes = torch.where(is_labelled, error, 0.0).abs()
            self.energy += torch.stack([is_labelled.sum(), sizes.sum(), sizes.square().sum()])
            self.energy_max = torch.maximum(self.energy_max, sizes.max())
        if batch.forces is not None and prediction.forces is not None:
            self._add_forces(prediction.forces.detach(), batch.forces, batch.types)

    def _add_forces(self, predicted: Tensor, label: Tensor, types: Tensor) -> None:
        is_labelled = ~torch.isnan(label)
        sizes = torch.where(is_labelled, predicted - label, 0.0).abs()
        rows = torch.stack([is_labelled.sum(1), sizes.sum(1), sizes.square().sum(1)], dim=1)
        self.forces.index_add_(0, types, rows)
        self.forces_max.scatter_reduce_(0, types, sizes.amax(1), "amax")

    def to(self, device: torch.device | str) -> None:
        """Move the sums to another device."""
        self.energy, self.forces, self.energy_max, self.forces_max = (
            sums.to(device) for sums in (self.energy, self.forces, self.energy_max, self.forces_max)
        )

    def merge_devices(self) -> ErrorSums:
        """Return the sums over all processes of a distributed run; itself where there is one process."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        merged = ErrorSums(self.species, self.energy.device)
        merged.load_state_dict(self.state_dict())
        frames = torch.tensor(self.frames, device=self.energy.device)
        for total in (merged.energy, merged.forces, frames):
            torch.distributed.all_reduce(total)
        for largest in (merged.energy_max, merged.forces_max):
            torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
        merged.frames = int(frames)
        return merged

    def results(self) -> dict[str, float]:
        """Return mean absolute, root mean square and largest errors in meV/atom and meV/Å; NaN where nothing is labelled."""
        forces = self.forces.sum(0).tolist()
        return {
            **_errors("energy", "mev_per_atom", self.energy.tolist(), float(self.energy_max)),
            **_errors("forces", "mev_per_angstrom", forces, float(self.forces_max.max())),
        }

    def results_by_species(self) -> dict[str, dict[str, float]]:
        """Return the force errors of the atoms of every element, in meV/Å."""
        rows, largest = self.forces.tolist(), self.forces_max.tolist()
        return {
            symbol: _errors("forces", "mev_per_angstrom", rows[k], largest[k])
            for k, symbol in enumerate(self.species)
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the sums, for a checkpoint."""
        return {
            "frames": self.frames,
            "energy": self.energy.clone(),
            "forces": self.forces.clone(),
            "energy_max": self.energy_max.clone(),
            "forces_max": self.forces_max.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up saved sums."""
        device = self.energy.device
        self.frames = int(state["frames"])
        self.energy, self.forces, self.energy_max, self.forces_max = (
            state[name].clone().to(device)
            for name in ("energy", "forces", "energy_max", "forces_max")
        )


def _errors(name: str, unit: str, sums: Sequence[float], largest: float) -> dict[str, float]:
    count = sums[COUNT]
    mae = sums[ABSOLUTE] / count * MEV if count else float("nan")
    rmse = (sums[SQUARE] / count) ** 0.5 * MEV if count else float("nan")
    most = largest * MEV if count else float("nan")
    return {f"{name}_mae_{unit}": mae, f"{name}_rmse_{unit}": rmse, f"{name}_max_{unit}": most}
