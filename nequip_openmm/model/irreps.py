"""Which irreducible representations every layer carries, and which tensor-product paths connect them.

Source: Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5, "Convolution"; ordering as in nequip 0.19.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from e3nn.o3 import Irrep, Irreps

from nequip_openmm.model.config import ModelConfig

__all__ = ["CouplingRows", "LayerPlan", "Path", "plan_layers"]

SCALAR = Irrep("0e")


class Path(NamedTuple):
    """One way through the tensor product: features a ⊗ Y^(l_filter) → ir_out."""

    block_in: int
    l_filter: int
    ir_out: Irrep


@dataclass(frozen=True)
class LayerPlan:
    """Bookkeeping of one interaction layer.

    Attributes
    ----------
    irreps_in
        What enters the layer.
    scalars, gated
        What leaves it: activated scalars, then tensors of l > 0 multiplied with activated gates.
    l_max
        Highest order of the spherical harmonics.
    """

    irreps_in: Irreps
    scalars: Irreps
    gated: Irreps
    l_max: int

    @classmethod
    def create(cls, irreps_in: Irreps, target: Irreps, l_max: int) -> LayerPlan:
        """Keep those irreps of ``target`` that features ⊗ Y can reach."""
        reachable = {
            out for _, ir in irreps_in for harmonic in harmonics(l_max) for out in ir * harmonic
        }
        kept = [(mul, ir) for mul, ir in target if ir in reachable]
        return cls(
            irreps_in=irreps_in,
            scalars=Irreps([(mul, ir) for mul, ir in kept if ir.l == 0]),
            gated=Irreps([(mul, ir) for mul, ir in kept if ir.l > 0]),
            l_max=l_max,
        )

    @property
    def irreps_out(self) -> Irreps:
        """What leaves the layer."""
        return self.scalars + self.gated

    @cached_property
    def before_gate(self) -> Irreps:
        """Scalars, one 0e gate per gated feature, and gated features: sorted, equal irreps merged.

        Inside the merged 0e block the scalars come first, then the gates in the order of the features they act on.
        """
        gates = [(mul, SCALAR) for mul, _ in self.gated]
        return sort_irreps(self.scalars + Irreps(gates) + self.gated).simplify()

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """All paths to irreps that are wanted, in the order in which the radial network numbers their weights."""
        wanted = {ir for _, ir in self.before_gate}
        return tuple(
            Path(a, harmonic.l, out)
            for a, (_, ir) in enumerate(self.irreps_in)
            for harmonic in harmonics(self.l_max)
            for out in ir * harmonic
            if out in wanted
        )

    @cached_property
    def after_product(self) -> Irreps:
        """Outputs of all paths: sorted, equal irreps merged."""
        outputs = [(self.irreps_in[path.block_in].mul, path.ir_out) for path in self.paths]
        return sort_irreps(Irreps(outputs)).simplify()


@dataclass(frozen=True)
class CouplingRows:
    """Where the coupling matrix of every (l1, l2, l3) in use lies in the stack of its l1.

    Attributes
    ----------
    first
        First row of every triple, in the order of the stacks.
    count
        Number of rows of the stack of every l1 from 0 to ``l_max``.
    """

    first: dict[tuple[int, int, int], int]
    count: list[int]
    l_max: int

    @classmethod
    def create(cls, plans: Iterable[LayerPlan], l_max: int) -> CouplingRows:
        """Collect what the paths of all layers use."""
        triples = {
            (plan.irreps_in[path.block_in].ir.l, path.l_filter, path.ir_out.l)
            for plan in plans
            for path in plan.paths
        }
        first, count = {}, [0] * (l_max + 1)
        for l1, l2, l3 in sorted(triples):
            first[l1, l2, l3] = count[l1]
            count[l1] += 2 * l3 + 1
        return cls(first, count, l_max)


def plan_layers(config: ModelConfig, *, keep_dead: bool = False) -> tuple[LayerPlan, ...]:
    """Return the plan of every layer of a model.

    Features from which no path leads to the energy are left out: in the last layers of a model with both parities that
    is about half of them. The function the model computes does not change. ``keep_dead`` leaves them in, as the official
    package does.
    """
    irreps = Irreps([(config.embedding_width, SCALAR)])
    hidden = Irreps(
        [
            (mul, (order, p))
            for order, mul in enumerate(config.features_by_l)
            for p in ((1, -1) if config.parity else ((-1) ** order,))
        ]
    )
    energies = Irreps([(config.features_by_l[0], SCALAR)])
    plans = []
    for target in [hidden] * (config.num_layers - 1) + [energies]:
        plans.append(LayerPlan.create(irreps, target, config.l_max))
        irreps = plans[-1].irreps_out
    return tuple(plans) if keep_dead else _without_dead_features(plans)


def _without_dead_features(plans: list[LayerPlan]) -> tuple[LayerPlan, ...]:
    """Walk back from the energy and keep what the next layer uses."""
    alive = list(plans)
    for k in range(len(plans) - 1, 0, -1):
        later, earlier = alive[k], alive[k - 1]
        used = {later.irreps_in[path.block_in].ir for path in later.paths}
        alive[k] = replace(later, irreps_in=_only(later.irreps_in, used))
        alive[k - 1] = replace(
            earlier, scalars=_only(earlier.scalars, used), gated=_only(earlier.gated, used)
        )
    return tuple(alive)


def _only(irreps: Irreps, wanted: set[Irrep]) -> Irreps:
    return Irreps([(mul, ir) for mul, ir in irreps if ir in wanted])


def harmonics(l_max: int) -> list[Irrep]:
    """Return the irreps of the spherical harmonics up to ``l_max``."""
    return [Irrep(order, (-1) ** order) for order in range(l_max + 1)]


def sort_irreps(irreps: Irreps) -> Irreps:
    """Sort by (l, parity), odd before even, keeping the order of equals."""
    return Irreps(sorted(irreps, key=lambda block: (block.ir.l, block.ir.p)))
