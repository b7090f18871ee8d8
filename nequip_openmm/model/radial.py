"""Networks that act on scalars: radial weights and the energy readout."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ScalarMLP"]


class ScalarMLP(nn.Module):
    """Fully connected network without biases, so that zero stays zero.

    x ← x W_k g_k / √n_k, with a SiLU between layers. The gain g_k is √2 behind an activation and 1 otherwise; weights
    start with unit variance, so every layer about keeps the variance of its input.

    Parameters
    ----------
    widths
        Number of inputs, of features of every hidden layer, and of outputs.
    is_nonlinear
        Whether there are activations; without them the network is a product of matrices.
    """

    def __init__(self, widths: list[int], is_nonlinear: bool = True) -> None:
        super().__init__()
        gain = math.sqrt(2.0) if is_nonlinear else 1.0
        self.layers = nn.ModuleList(
            ScaledLinear(n_in, n_out, (gain if k > 0 else 1.0) / math.sqrt(n_in))
            for k, (n_in, n_out) in enumerate(pairwise(widths))
        )
        self.is_nonlinear = is_nonlinear

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., widths[0]) to (..., widths[-1])."""
        for k, layer in enumerate(self.layers):
            if k > 0 and self.is_nonlinear:
                x = nn.functional.silu(x)
            x = layer(x)
        return x


class ScaledLinear(nn.Module):
    """x W · scale with W of shape (n_in, n_out) drawn from U(-√3, √3), whose variance is one."""

    def __init__(self, n_in: int, n_out: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out, dtype=torch.float64))
        nn.init.uniform_(self.weight, -math.sqrt(3.0), math.sqrt(3.0))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.weight * self.scale)
