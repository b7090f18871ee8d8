"""The equivariant nonlinearity."""

import torch
from torch import Tensor, nn

from nequip_openmm.model.irreps import LayerPlan

__all__ = ["C_SILU", "C_TANH", "Gate"]

# Factors that give silu(z) and tanh(z) unit second moment for standard normal z, as e3nn's `normalize2mom` estimates
# them from 10^6 fixed samples; the digits are part of the model's definition.
C_SILU = 1.6791767923989418
C_TANH = 1.5937334472592695


class Gate(nn.Module):
    """Activate scalars and multiply every other feature with an activated scalar of its own.

    Even scalars and gates go through c silu, odd scalars through c tanh, which keeps their parity. Input blocks are
    those of `LayerPlan.before_gate`, output blocks those of `LayerPlan.irreps_out`.

    Source: Weiler et al., NeurIPS 2018, arXiv:1807.02547, section 4.3.
    """

    gated: list[int]  # TorchScript cannot infer the type of an empty list

    def __init__(self, plan: LayerPlan) -> None:
        super().__init__()
        self.c_silu = C_SILU
        self.c_tanh = C_TANH
        positions = {str(ir): k for k, (_, ir) in enumerate(plan.before_gate)}
        self.even = positions["0e"]
        self.odd = positions.get("0o", -1)
        self.gated = [positions[str(ir)] for _, ir in plan.gated]
        n_scalars = sum(mul for mul, ir in plan.scalars if ir.p == 1)
        self.sizes = [n_scalars] + [mul for mul, _ in plan.gated]

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map blocks (N, 2l+1, channels) to blocks."""
        even = self.c_silu * nn.functional.silu(features[self.even])
        scalars_and_gates = torch.split(even, self.sizes, dim=2)
        out = [scalars_and_gates[0]]
        if self.odd >= 0:
            out.append(self.c_tanh * torch.tanh(features[self.odd]))
        for k, block in enumerate(self.gated):
            out.append(features[block] * scalars_and_gates[k + 1])
        return out
