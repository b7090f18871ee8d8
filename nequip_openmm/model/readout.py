"""From the last features to the energy of every atom."""

import torch
from torch import Tensor, nn

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.radial import ScalarMLP

__all__ = ["ScaleShift", "readout_network"]


def readout_network(config: ModelConfig) -> ScalarMLP:
    """Return the network from the last scalars (N, features) to one number per atom."""
    n_features = config.features_by_l[0]
    hidden = [config.readout_mlp_width or n_features] * config.readout_mlp_depth
    return ScalarMLP([n_features, *hidden, 1], config.readout_mlp_nonlinearity is not None)


class ScaleShift(nn.Module):
    """E_i = scale(species) ε_i + shift(species), in eV and float64."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        scales = config.by_species(config.per_type_energy_scales, 1.0)
        shifts = config.by_species(config.per_type_energy_shifts, 0.0)
        self.scales = _parameter(scales, config.per_type_energy_scales_trainable)
        self.shifts = _parameter(shifts, config.per_type_energy_shifts_trainable)

    def forward(self, epsilon: Tensor, types: Tensor) -> Tensor:
        """Map the network's output (N,) to energies (N,) in eV."""
        return torch.addcmul(self.shifts[types], self.scales[types], epsilon.double())


def _parameter(values: list[float], is_trainable: bool) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64), requires_grad=is_trainable)
