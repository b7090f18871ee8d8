"""C for the way back, from dE/d(features) to derivatives with respect to what neighbours sent and to pairs."""

from __future__ import annotations

from nequip_openmm.kernels.c_text import c_function, for_atoms, in_tile
from nequip_openmm.kernels.convolution_source import backward_name
from nequip_openmm.kernels.forward_source import ROWS, gate
from nequip_openmm.kernels.layout import LayerLayout, size_of
from nequip_openmm.kernels.memory_map import MemoryMap, message_size

__all__ = ["gate_slope", "path_orders", "send_slope", "sum_messages_slope"]


def gate_slope(memory: MemoryMap, k: int) -> str:
    """Return the function that replaces the sums by the derivatives with respect to them, from those of ``x``."""
    return gate(memory, k, "_slope")


def send_slope(memory: MemoryMap, k: int) -> str:
    """Return the function that computes the derivatives with respect to the features of a tile from those of what they send."""
    layer = memory.layers[k]
    size = size_of(layer.inputs)
    lines = []
    for a, block in enumerate(layer.inputs):
        lines += for_atoms(
            [
                f"const real norm = {memory.weight(f'norm_{k}')}[call->types[n]];",
                f"const real *g = {memory.sent_slope(k, '0')} + call->atoms * {block.offset} + n * {block.size};",
                f"real *sum = messages + (n - begin) * {block.size};",
                f"for (int64_t u = 0; u < {block.size}; u += LANES) {{",
                "    vec total = splat(0);",
                f"    for (int64_t s = 0; s < call->slots; s++) total += load(g + s * call->atoms * {size} + u);",
                "    store(sum + u, norm * total);",
                "}",
            ]
        )
        lines.append(
            f"multiply({ROWS} * {block.ir.dim}, {block.channels}, {block.padded}, messages, {block.padded}, "
            f"{memory.weight(f'in_{k}_{a}_t')}, {in_tile('x', block)}, {block.padded});"
        )
    lines += for_atoms(
        [
            f"multiply_add({source.ir.dim}, {target.padded}, {source.padded}, {memory.sum(k, target, 'n')}, "
            f"{target.padded}, {memory.weight_of_type(f'self_{k}_{c}_t')}, {in_tile('x', source, 'n - begin')}, "
            f"{source.padded});"
            for c, (source, target) in enumerate(layer.self_connections)
        ]
    )
    return c_function(
        f"send_slope_{k}",
        "const Call *call, int64_t begin, int64_t end, real *messages, real *x",
        lines,
    )


def sum_messages_slope(memory: MemoryMap, k: int) -> str:
    """Return the function that takes the derivatives of a tile's sums back to pairs and to what the neighbours sent."""
    layer = memory.layers[k]
    lines = ["const Pairs *pairs = &call->pairs;"]
    if k > 0:
        lines.append(f"real *sent_slope = {memory.sent_slope(k, 'slot')};")
    for a, order, numbers in layer.groups:
        source = layer.inputs[a]
        arguments, offset = [], 0
        for p in numbers:
            target = layer.sum_of(layer.plan.paths[p])
            g = f"messages + {offset} * (end - begin)"
            lines.append(
                f"multiply({ROWS} * {target.ir.dim}, {target.padded}, {source.padded}, {memory.sum(k, target, 'begin')}, "
                f"{target.padded}, {memory.weight(f'out_{k}_{p}_t')}, {g}, {source.padded});"
            )
            arguments += [memory.table(k, p), g]
            offset += message_size(layer, p)
        name = backward_name(source.ir.l, order, path_orders(layer, numbers), k > 0)
        gx = f"sent_slope + call->atoms * {source.offset}, " if k > 0 else ""
        lines.append(
            f"{name}(pairs, begin, end, {source.padded}, {memory.sender(k)}, {memory.sent(k, source)}, "
            f"{gx}{', '.join(arguments)});"
        )
    return c_function(
        f"sum_messages_slope_{k}",
        "const Call *call, int64_t slot, int64_t begin, int64_t end, real *messages",
        lines,
    )


def path_orders(layer: LayerLayout, numbers: list[int]) -> tuple[int, ...]:
    """Return the rotation orders that paths lead to."""
    return tuple(layer.plan.paths[p].ir_out.l for p in numbers)
