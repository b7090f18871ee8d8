"""Forces and virial: the one place in which an energy is differentiated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nequip_openmm.data.batch import Batch

__all__ = ["Prediction", "energy_and_derivatives"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a potential says about a batch, float64.

    Attributes
    ----------
    energy
        (B,) eV.
    atomic_energies
        (N,) eV.
    forces
        (N, 3) eV/Å, or None.
    virial
        (B, 3, 3) eV, -dE/dε for a symmetric strain ε, or None. Stress is -virial / volume, tension positive.
    """

    energy: Tensor
    atomic_energies: Tensor
    forces: Tensor | None = None
    virial: Tensor | None = None


def energy_and_derivatives(
    model: nn.Module,
    batch: Batch,
    *,
    forces: bool = True,
    virial: bool = False,
    create_graph: bool = False,
) -> Prediction:
    """Evaluate a model and differentiate its energy.

    F_i = -∂E/∂r_i. For the virial every position r and lattice vector a becomes r (1 + ε), a (1 + ε) with
    ε = (η + ηᵀ)/2, and W = -∂E/∂η at η = 0.

    Parameters
    ----------
    model
        Anything with the call signature of `NequIP`, eager or scripted.
    batch
        Structures with neighbour lists.
    forces, virial
        What to compute besides energies.
    create_graph
        Whether the results can be differentiated again, for training on them.

    References
    ----------
    F. Knuth et al., Comput. Phys. Commun. 190, 33 (2015), doi:10.1016/j.cpc.2015.01.003.
    """
    positions = batch.positions.detach().requires_grad_(forces)
    strain = torch.zeros_like(batch.cell).requires_grad_(virial)
    strained, cell = (positions, batch.cell)
    if virial:
        strained, cell = _apply_strain(positions, batch.cell, batch.graph, strain)
    with torch.set_grad_enabled(forces or virial or create_graph):
        atomic_energies = model(
            strained, batch.types, batch.edge_index, batch.shifts, cell, batch.graph
        )
    energy = torch.zeros_like(batch.cell[:, 0, 0]).index_add(0, batch.graph, atomic_energies)
    wanted = [x for x, is_wanted in ((positions, forces), (strain, virial)) if is_wanted]
    gradients = iter(_gradients(energy, wanted, create_graph))
    keep = (lambda x: x) if create_graph else torch.Tensor.detach
    return Prediction(
        energy=keep(energy),
        atomic_energies=keep(atomic_energies),
        forces=-next(gradients) if forces else None,
        virial=-next(gradients) if virial else None,
    )


def _apply_strain(
    positions: Tensor, cell: Tensor, graph: Tensor, strain: Tensor
) -> tuple[Tensor, Tensor]:
    symmetric = 0.5 * (strain + strain.transpose(1, 2))
    moved = torch.bmm(positions.unsqueeze(1), symmetric[graph]).squeeze(1)
    return positions + moved, cell + torch.bmm(cell, symmetric)


def _gradients(energy: Tensor, inputs: list[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    if not inputs:
        return ()
    return torch.autograd.grad(
        [energy.sum()], inputs, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
