"""One interaction layer: convolution, self-connection, gate."""

from e3nn.o3 import Irreps
from torch import Tensor, nn

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.convolution import Convolution
from nequip_openmm.model.gate import Gate
from nequip_openmm.model.irreps import CouplingRows, LayerPlan
from nequip_openmm.model.linear import EquivariantLinear, SelfConnection

__all__ = ["InteractionLayer"]


class InteractionLayer(nn.Module):
    """x ← gate(linear_out(convolution(linear_in(x) / √n)) + self_connection(x)).

    The first layer has no self-connection, so that an atom without neighbours keeps no features and its energy is the
    shift of its species. The normalisation by the average number of neighbours n acts on the atom that sends.

    Source: Batzner et al., doi:10.1038/s41467-022-29939-5, figure 1; nequip 0.19.
    """

    def __init__(
        self, config: ModelConfig, plan: LayerPlan, rows: CouplingRows, is_first: bool
    ) -> None:
        super().__init__()
        self.linear_in = EquivariantLinear(plan.irreps_in, plan.irreps_in)
        hidden = [config.radial_mlp_width] * config.radial_mlp_depth
        self.convolution = Convolution(plan, rows, [config.num_bessels, *hidden])
        self.linear_out = EquivariantLinear(plan.after_product, plan.before_gate)
        self.self_connection = SelfConnection(
            Irreps([]) if is_first else plan.irreps_in, config.embedding_width, plan.before_gate
        )
        self.gate = Gate(plan)

    def forward(
        self,
        features: list[Tensor],
        types: Tensor,
        embedding: Tensor,
        norm: Tensor,
        radial_basis: Tensor,
        couplings: list[Tensor],
        edge_index: Tensor,
    ) -> list[Tensor]:
        """Update features: blocks of `LayerPlan.irreps_in` in, of `LayerPlan.irreps_out` out.

        Parameters
        ----------
        features
            Blocks (N, 2l+1, channels).
        types, embedding
            (N,) type of every atom and (n_types, width) vector of every type.
        norm
            (N, 1, 1) factor 1/√n of every atom that sends.
        radial_basis, couplings, edge_index
            See `Convolution`.
        """
        sent = [x * norm for x in self.linear_in(features)]
        received = self.linear_out(self.convolution(sent, radial_basis, couplings, edge_index))
        return self.gate(self.self_connection(received, features, types, embedding))
