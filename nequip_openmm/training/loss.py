"""What training makes small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.training.config import TrainingSettings

__all__ = ["Loss", "atoms_per_graph", "stress_of"]


class Loss:
    """Weighted sum of mean penalties on errors of energy, forces and stress.

    L = w_E ⟨p(ΔE/N)⟩ + w_F ⟨p(ΔF)⟩ + w_S ⟨p(Δσ)⟩ with p(x) = x², or Huber's p(x) = x² for |x| < δ and δ (2 |x| - δ) beyond.
    Means run over structures, force components and stress components that have a label; a label that is NaN is missing.
    Energies are divided by the number of atoms unless total energies are asked for. Quantities of weight 0 take no part.

    Sums and their division are two steps, so that the sums of several devices or batches can be added in between.

    Source: Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5, eq. 12; Huber, Ann. Math. Stat. 35,
    73 (1964), doi:10.1214/aoms/1177703732, here times two so that both penalties agree for small errors.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings
        self.needs_forces = settings.forces_weight > 0.0
        self.needs_stress = settings.stress_weight > 0.0
        all_weights = (settings.energy_weight, settings.forces_weight, settings.stress_weight)
        self.weights = torch.tensor([w for w in all_weights if w > 0.0], dtype=torch.float64)

    def sums(self, prediction: Prediction, batch: Batch) -> Tensor:
        """Return (T, 2): sum of penalties and number of labelled components, for every quantity that has a weight."""
        rows = []
        if self.settings.energy_weight > 0.0:
            n = atoms_per_graph(batch) if self.settings.per_atom_energy else 1.0
            label = None if batch.energy is None else batch.energy / n
            rows.append(self._row(prediction.energy / n, label))
        if self.needs_forces:
            rows.append(self._row(prediction.forces, batch.forces))
        if self.needs_stress:
            virial = prediction.virial
            stress = None if virial is None else stress_of(virial, batch.cell)
            rows.append(self._row(stress, batch.stress))
        return torch.stack(rows)

    def mean(self, sums: Tensor, counts: Tensor | None = None) -> Tensor:
        """Return the loss () of sums (T, 2); ``counts`` (T,) replace those in it, where other devices hold a part."""
        counts = sums[:, 1] if counts is None else counts
        return (self.weights.to(sums.device) * sums[:, 0] / counts.clamp(min=1.0)).sum()

    def _row(self, predicted: Tensor | None, label: Tensor | None) -> Tensor:
        if predicted is None or label is None:
            return torch.zeros(2, dtype=torch.float64)
        is_labelled = ~torch.isnan(label)
        error = torch.where(is_labelled, predicted - label, 0.0)
        if self.settings.loss == "mse":
            penalty = error.square()
        else:
            zero = torch.zeros_like(error)
            delta = self.settings.huber_delta
            penalty = 2.0 * huber_loss(error, zero, reduction="none", delta=delta)
        return torch.stack([penalty.sum(), is_labelled.sum()])


def atoms_per_graph(batch: Batch) -> Tensor:
    """Return (B,) the number of atoms of every structure, float64."""
    ones = torch.ones_like(batch.positions[:, 0])
    return torch.zeros_like(batch.cell[:, 0, 0]).index_add(0, batch.graph, ones)


def stress_of(virial: Tensor, cell: Tensor) -> Tensor:
    """Return the stress -W / V (B, 3, 3) in eV/Å³, tension positive; 0 for a structure without a volume."""
    volume = torch.linalg.det(cell).abs().view(-1, 1, 1)
    return torch.where(volume > 0.0, -virial / volume.clamp(min=1e-30), 0.0)
