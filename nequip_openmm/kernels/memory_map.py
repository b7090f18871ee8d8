"""Where everything lies that the generated code reads and writes, as expressions in C."""

from __future__ import annotations

from math import prod

from nequip_openmm.kernels.layout import (
    Block,
    LayerLayout,
    network_layout,
    running_offsets,
    size_of,
)
from nequip_openmm.kernels.tables import DEGREE
from nequip_openmm.kernels.weights import readout_sizes, weight_shapes
from nequip_openmm.model.config import ModelConfig

__all__ = ["MemoryMap"]


class MemoryMap:
    """Sizes and places of features, weights and tables of one architecture.

    Parameters
    ----------
    config
        The architecture; neither weights nor numbers of atoms matter.
    lanes
        Numbers in a vector register.
    """

    def __init__(self, config: ModelConfig, lanes: int) -> None:
        self.config = config
        self.lanes = lanes
        self.layers = network_layout(config, lanes)
        self.shapes = weight_shapes(config, self.layers)
        offsets = running_offsets([prod(shape) for shape in self.shapes.values()])
        self._weights = dict(zip(self.shapes, offsets))
        self._sent = list(running_offsets([size_of(x.inputs) for x in self.layers[1:]]))
        self._sums = list(running_offsets([size_of(x.sums) for x in self.layers]))
        counts = [
            (k, p, c) for k, x in enumerate(self.layers) for p, c in enumerate(x.weight_counts)
        ]
        columns = running_offsets([count for *_, count in counts])
        self._columns = {(k, p): column for (k, p, _), column in zip(counts, columns)}
        self.n_columns = sum(count for *_, count in counts)

    # --- how much memory an evaluation needs, in numbers per atom

    @property
    def sent_size(self) -> int:
        """What all layers but the first send."""
        return sum(size_of(x.inputs) for x in self.layers[1:])

    @property
    def sums_size(self) -> int:
        """What all layers have before the gate."""
        return sum(size_of(x.sums) for x in self.layers)

    @property
    def slope_size(self) -> int:
        """The derivative with respect to what a layer sends, for the largest layer."""
        return max([size_of(x.inputs) for x in self.layers[1:]], default=0)

    @property
    def messages_size(self) -> int:
        """The messages that exist at a time, or the derivative with respect to one block of what is sent."""
        messages = [
            sum(message_size(layer, p) for p in numbers)
            for layer in self.layers
            for _, _, numbers in layer.groups
        ]
        return max([*messages, *(block.size for x in self.layers[1:] for block in x.inputs)])

    @property
    def tile_size(self) -> int:
        """The features of an atom of a tile, or what the readout needs."""
        hidden = sum(n for n, _ in readout_sizes(self.config, self.layers[-1]))
        return max([*(size_of(x.outputs) for x in self.layers), 2 * hidden])

    # --- where things begin, as C

    def sender(self, k: int) -> str:
        """Return the rows of what is sent; that of the first layer depends on the species alone."""
        return "pairs->neighbour" if k > 0 else "pairs->type"

    def sent(self, k: int, block: Block, atom: str | None = None) -> str:
        """Return what layer ``k`` sends, of an atom or of all."""
        if k == 0:
            return self.weight("first")
        first = f"call->sent + call->atoms * {self._sent[k - 1] + block.offset}"
        return first if atom is None else f"{first} + ({atom}) * {block.size}"

    def sent_slope(self, k: int, slot: str) -> str:
        """Return a slot's derivative with respect to what layer ``k`` sends.

        Layers use two memories in turn: one is read while the other is written.
        """
        name = "sent_slope_odd" if k % 2 else "sent_slope_even"
        return f"call->{name} + {slot} * call->atoms * {size_of(self.layers[k].inputs)}"

    def sum(self, k: int, block: Block, atom: str) -> str:
        """Return an atom's features before the gate of layer ``k``; on the way back, the derivative with respect to them."""
        return (
            f"call->sums + call->atoms * {self._sums[k] + block.offset} + ({atom}) * {block.size}"
        )

    def weight(self, name: str) -> str:
        """Return weights by the name that `weight_shapes` gives them."""
        return f"(call->weights + {self._weights[name]})"

    def weight_of_type(self, name: str) -> str:
        """Return the part of weights that belongs to the species of atom n."""
        return f"{self.weight(name)} + (int64_t)call->types[n] * {prod(self.shapes[name][1:])}"

    def table(self, k: int, path: int) -> str:
        """Return the radial weights of a path."""
        return f"call->tables + call->intervals * {self._columns[k, path] * (DEGREE + 1)}"


def message_size(layer: LayerLayout, number: int) -> int:
    """Return the numbers per atom of the messages of one path."""
    path = layer.plan.paths[number]
    return path.ir_out.dim * layer.inputs[path.block_in].padded
