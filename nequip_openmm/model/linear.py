"""Linear maps that act on the channels of every irrep and leave its components alone.

Features are lists of blocks, one per irrep, each of shape (N, 2l+1, channels): channels last, so that a linear map is a
matrix product.
"""

import math

import torch
from e3nn.o3 import Irrep, Irreps
from torch import Tensor, nn

__all__ = ["EquivariantLinear", "SelfConnection"]


class EquivariantLinear(nn.Module):
    """Mix the channels of equal irreps: y^k_v = Σ_u x^k_u W^k_uv / √n_u.

    Both lists of irreps name every irrep at most once. Outputs without an input are not allowed.
    """

    def __init__(self, irreps_in: Irreps, irreps_out: Irreps) -> None:
        super().__init__()
        self.sources = [_index(irreps_in, ir) for _, ir in irreps_out]
        self.blocks = nn.ModuleList(
            ChannelMix(irreps_in[source].mul, mul)
            for source, (mul, _) in zip(self.sources, irreps_out)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map blocks of ``irreps_in`` to blocks of ``irreps_out``."""
        out: list[Tensor] = []
        for k, block in enumerate(self.blocks):
            out.append(block(features[self.sources[k]]))
        return out


class ChannelMix(nn.Module):
    """x W / √n_in with W of shape (n_in, n_out), standard normal at the start."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_out, dtype=torch.float64))
        self.scale = 1.0 / math.sqrt(n_in)

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.weight * self.scale)


class SelfConnection(nn.Module):
    """Tensor product of features with the element's vector: y^k_v = Σ_uc x^k_u a_c W^k_ucv / √(n_u n_c).

    Outputs without an input of the same irrep get nothing.
    """

    sources: list[int]  # TorchScript cannot infer the type of an empty list
    targets: list[int]

    def __init__(self, irreps_in: Irreps, n_attributes: int, irreps_out: Irreps) -> None:
        super().__init__()
        pairs = [
            (source, target)
            for source, (_, ir_in) in enumerate(irreps_in)
            for target, (_, ir_out) in enumerate(irreps_out)
            if ir_in == ir_out
        ]
        self.sources = [source for source, _ in pairs]
        self.targets = [target for _, target in pairs]
        self.blocks = nn.ModuleList(
            TypedChannelMix(irreps_in[source].mul, n_attributes, irreps_out[target].mul)
            for source, target in pairs
        )

    def forward(
        self, y: list[Tensor], features: list[Tensor], types: Tensor, embedding: Tensor
    ) -> list[Tensor]:
        """Add the self-connection of ``features`` to ``y``; ``embedding`` (n_types, n_attributes) holds the vectors."""
        out = list(y)
        for k, block in enumerate(self.blocks):
            target = self.targets[k]
            out[target] = out[target] + block(features[self.sources[k]], types, embedding)
        return out


class TypedChannelMix(nn.Module):
    """x_u a_c W_ucv / √(n_u n_c) with W of shape (n_in, n_attributes, n_out), standard normal at the start."""

    def __init__(self, n_in: int, n_attributes: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_attributes, n_out, dtype=torch.float64))
        self.scale = 1.0 / math.sqrt(n_in * n_attributes)

    def forward(self, x: Tensor, types: Tensor, embedding: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if embedding.shape[0] < weight.shape[1]:
            # Fewer elements than attributes: contract W with every element's vector first, then select by one-hot.
            weight = torch.einsum("tc,ucv->utv", embedding, weight)
            attributes = nn.functional.one_hot(types, embedding.shape[0]).to(x.dtype)
        else:
            attributes = embedding[types]
        pairs = x.unsqueeze(3) * attributes.unsqueeze(1).unsqueeze(1)  # (N, 2l+1, u, c)
        return pairs.flatten(2) @ weight.flatten(0, 1)


def _index(irreps: Irreps, wanted: Irrep) -> int:
    return [ir for _, ir in irreps].index(wanted)
