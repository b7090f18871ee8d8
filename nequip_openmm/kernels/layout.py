"""How the engine lays a model's features and weights out in memory.

Features of one irrep are (atoms, 2l+1, channels) with the channels padded with zeros to whole vector registers, so that
no loop has a remainder. Weights follow each other in one array; every consumer knows its offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from e3nn.o3 import Irrep

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.irreps import SCALAR, LayerPlan, Path, plan_layers

__all__ = ["Block", "LayerLayout", "Segment", "network_layout"]


@dataclass(frozen=True)
class Segment:
    """Neighbouring channels of one block: ``size`` of them from ``first`` on, padded to ``padded`` from ``start`` on."""

    first: int
    size: int
    start: int
    padded: int


@dataclass(frozen=True)
class Block:
    """Features of one irrep.

    Attributes
    ----------
    ir
        The irrep.
    segments
        Groups of channels that something else tells apart, such as scalars and gates.
    offset
        Numbers of an atom's features that lie before, in the list of blocks that this one belongs to.
    """

    ir: Irrep
    segments: tuple[Segment, ...]
    offset: int

    @property
    def channels(self) -> int:
        """Number of channels, without padding."""
        return sum(s.size for s in self.segments)

    @property
    def padded(self) -> int:
        """Number of channels in memory."""
        return sum(s.padded for s in self.segments)

    @property
    def size(self) -> int:
        """Numbers per atom."""
        return self.ir.dim * self.padded


def _blocks(irreps: list[tuple[Irrep, list[int]]], lanes: int) -> tuple[Block, ...]:
    blocks, offset = [], 0
    for ir, sizes in irreps:
        segments, first, start = [], 0, 0
        for size in sizes:
            padded = -(-size // lanes) * lanes
            segments.append(Segment(first, size, start, padded))
            first, start = first + size, start + padded
        blocks.append(Block(ir, tuple(segments), offset))
        offset += blocks[-1].size
    return tuple(blocks)


@dataclass(frozen=True)
class LayerLayout:
    """One interaction layer in memory.

    Attributes
    ----------
    plan
        Its irreps and paths.
    inputs
        Blocks that enter, of `LayerPlan.irreps_in`.
    sums
        Blocks before the gate, of `LayerPlan.before_gate`; the even scalars are split into scalars and gates.
    outputs
        Blocks behind the gate, of `LayerPlan.irreps_out`.
    """

    plan: LayerPlan
    inputs: tuple[Block, ...]
    sums: tuple[Block, ...]
    outputs: tuple[Block, ...]

    @classmethod
    def create(cls, plan: LayerPlan, lanes: int) -> LayerLayout:
        """Lay a layer out for vectors of ``lanes`` numbers."""
        n_scalars = sum(mul for mul, ir in plan.scalars if ir == SCALAR)
        even = [n_scalars, *(mul for mul, _ in plan.gated)]
        return cls(
            plan,
            _blocks([(ir, [mul]) for mul, ir in plan.irreps_in], lanes),
            _blocks([(ir, even if ir == SCALAR else [mul]) for mul, ir in plan.before_gate], lanes),
            _blocks([(ir, [mul]) for mul, ir in plan.irreps_out], lanes),
        )

    @cached_property
    def groups(self) -> list[tuple[int, int, list[int]]]:
        """Paths from the same block through harmonics of the same order: (block, order, numbers of the paths)."""
        groups: dict[tuple[int, int], list[int]] = {}
        for k, path in enumerate(self.plan.paths):
            groups.setdefault((path.block_in, path.l_filter), []).append(k)
        return [(block, order, numbers) for (block, order), numbers in groups.items()]

    def sum_of(self, path: Path) -> Block:
        """Return the block before the gate that a path contributes to."""
        return self._by_irrep[path.ir_out]

    def first_row(self, number: int) -> int:
        """Return the first row of a path's messages in the weights of the linear map behind the convolution."""
        path = self.plan.paths[number]
        before = self.plan.paths[:number]
        return sum(self.inputs[p.block_in].channels for p in before if p.ir_out == path.ir_out)

    @cached_property
    def self_connections(self) -> list[tuple[Block, Block]]:
        """Pairs of blocks, in and before the gate, that the self-connection joins."""
        return [(a, b) for a in self.inputs for b in self.sums if a.ir == b.ir]

    @cached_property
    def gated(self) -> list[tuple[Block, Segment, Block]]:
        """For every gated block: before the gate, its gates among the even scalars, behind the gate."""
        gates = self.even.segments[1:]
        behind = [b for b in self.outputs if b.ir.l > 0]
        return [(self._by_irrep[b.ir], gate, b) for gate, b in zip(gates, behind)]

    @cached_property
    def even(self) -> Block:
        """The even scalars and the gates."""
        return self._by_irrep[SCALAR]

    @cached_property
    def odd(self) -> Block | None:
        """The odd scalars, where there are any."""
        return self._by_irrep.get(Irrep("0o"))

    @cached_property
    def _by_irrep(self) -> dict[Irrep, Block]:
        return {b.ir: b for b in self.sums}

    def output(self, ir: Irrep) -> Block:
        """Return the block of an irrep behind the gate."""
        return next(b for b in self.outputs if b.ir == ir)

    @property
    def weight_counts(self) -> list[int]:
        """Padded number of radial weights of every path."""
        return [self.inputs[p.block_in].padded for p in self.plan.paths]


def size_of(blocks: tuple[Block, ...]) -> int:
    """Return the numbers per atom of a list of blocks."""
    return sum(b.size for b in blocks)


def network_layout(config: ModelConfig, lanes: int) -> list[LayerLayout]:
    """Return the layout of every layer."""
    return [LayerLayout.create(plan, lanes) for plan in plan_layers(config)]


def running_offsets(sizes: list[int]) -> Iterator[int]:
    """Yield the sum of what lies before every entry."""
    total = 0
    for size in sizes:
        yield total
        total += size
