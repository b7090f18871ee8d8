"""C for the way from what neighbours send to energies, layer by layer and tile by tile."""

from __future__ import annotations

from nequip_openmm.kernels.c_text import c_function, for_atoms, in_tile
from nequip_openmm.kernels.convolution_source import forward_name
from nequip_openmm.kernels.memory_map import MemoryMap
from nequip_openmm.kernels.weights import readout_sizes

__all__ = ["gate", "readout", "send", "sum_messages"]

ROWS = "(int)(end - begin)"


def sum_messages(memory: MemoryMap, k: int) -> str:
    """Return the function that adds the convolution of a tile, through the linear map behind it, to the sums."""
    layer = memory.layers[k]
    lines = ["const Pairs *pairs = &call->pairs;"]
    if k == 0:
        lines += [
            f"fill({memory.sum(0, block, 'begin')}, (end - begin) * {block.size}, 0);"
            for block in layer.sums
        ]
    for p, path in enumerate(layer.plan.paths):
        source, target = layer.inputs[path.block_in], layer.sum_of(path)
        name = forward_name(source.ir.l, path.l_filter, path.ir_out.l)
        lines += [
            f"{name}(pairs, begin, end, {source.padded}, {memory.sender(k)}, {memory.sent(k, source)}, "
            f"{memory.table(k, p)}, messages);",
            f"multiply_add({ROWS} * {target.ir.dim}, {source.channels}, {target.padded}, messages, {source.padded}, "
            f"{memory.weight(f'out_{k}_{p}')}, {memory.sum(k, target, 'begin')}, {target.padded});",
        ]
    return c_function(
        f"sum_messages_{k}", "const Call *call, int64_t begin, int64_t end, real *messages", lines
    )


def gate(memory: MemoryMap, k: int, suffix: str = "") -> str:
    """Return the function that puts the features behind the gate into ``x``.

    With the ``suffix`` _slope, the function that replaces the sums by the derivatives with respect to them, from those with
    respect to ``x``.
    """
    layer = memory.layers[k]
    even, scalars = layer.even, layer.output(layer.even.ir)
    lines = [
        f"activate{suffix}({scalars.padded}, {memory.sum(k, even, 'n')}, {in_tile('x', scalars, 'n - begin')});"
    ]
    for block, segment, behind in layer.gated:
        lines.append(
            f"open_gate{suffix}({block.ir.dim}, {block.padded}, {memory.sum(k, even, 'n')} + {segment.start}, "
            f"{memory.sum(k, block, 'n')}, {in_tile('x', behind, 'n - begin')});"
        )
    if layer.odd is not None:
        behind = layer.output(layer.odd.ir)
        lines.append(
            f"activate_odd{suffix}({behind.padded}, {memory.sum(k, layer.odd, 'n')}, "
            f"{in_tile('x', behind, 'n - begin')});"
        )
    return c_function(
        f"gate{suffix}_{k}",
        "const Call *call, int64_t begin, int64_t end, real *x",
        for_atoms(lines),
    )


def send(memory: MemoryMap, k: int) -> str:
    """Return the function that computes from a tile's features what they send, and begins the sums with the self-connection."""
    layer = memory.layers[k]
    lines = [
        f"multiply({ROWS} * {block.ir.dim}, {block.channels}, {block.padded}, {in_tile('x', block)}, {block.padded}, "
        f"{memory.weight(f'in_{k}_{a}')}, {memory.sent(k, block, 'begin')}, {block.padded});"
        for a, block in enumerate(layer.inputs)
    ]
    atoms = [f"const real norm = {memory.weight(f'norm_{k}')}[call->types[n]];"]
    atoms += [
        f"for (int64_t u = 0; u < {block.size}; u++) ({memory.sent(k, block, 'n')})[u] *= norm;"
        for block in layer.inputs
    ]
    atoms += [
        f"multiply({source.ir.dim}, {source.channels}, {target.padded}, {in_tile('x', source, 'n - begin')}, "
        f"{source.padded}, {memory.weight_of_type(f'self_{k}_{c}')}, {memory.sum(k, target, 'n')}, {target.padded});"
        for c, (source, target) in enumerate(layer.self_connections)
    ]
    joined = {target.ir for _, target in layer.self_connections}
    atoms += [
        f"fill({memory.sum(k, block, 'n')}, {block.size}, 0);"
        for block in layer.sums
        if block.ir not in joined
    ]
    return c_function(
        f"send_{k}",
        "const Call *call, int64_t begin, int64_t end, const real *x",
        [*lines, *for_atoms(atoms)],
    )


def readout(memory: MemoryMap) -> str:
    """Return the function that adds the energies of a tile and replaces its features ``x`` by dE/dx.

    Hidden layer d has its values before the activation in ``z<d>`` and behind it in ``x<d + 1>``; x0 is x.
    """
    *hidden, (n_last, _) = readout_sizes(memory.config, memory.layers[-1])
    is_nonlinear = memory.config.readout_mlp_nonlinearity is not None
    last = memory.weight(f"readout_{len(hidden)}")
    lines, offset = ["real *x0 = x;"], memory.layers[-1].outputs[0].padded
    for d, (n_in, n_out) in enumerate(hidden):
        lines += [
            f"real *z{d} = x + {offset} * (end - begin), *x{d + 1} = z{d} + {n_out} * (end - begin);",
            f"multiply({ROWS}, {n_in}, {n_out}, x{d}, {n_in}, {memory.weight(f'readout_{d}')}, z{d}, {n_out});",
            f"for (int64_t k = 0; k < {n_out} * (end - begin); k += LANES)",
            f"    store(x{d + 1} + k, {'silu' if is_nonlinear else ''}(load(z{d} + k)));",
        ]
        offset += 2 * n_out
    lines += for_atoms(
        [
            "const int32_t type = call->types[n];",
            f"real *h = x{len(hidden)} + (n - begin) * {n_last};",
            f"const double epsilon = dot({n_last}, h, {last});",
            "call->energies[n] += call->shifts_of_energy[type] + call->scales[type] * epsilon;",
            f"for (int64_t k = 0; k < {n_last}; k += LANES)",
            f"    store(h + k, (real)call->scales[type] * load({last} + k));",
        ]
    )
    for d, (n_in, n_out) in reversed(list(enumerate(hidden))):
        if is_nonlinear:
            lines += [
                f"for (int64_t k = 0; k < {n_out} * (end - begin); k += LANES)",
                f"    store(x{d + 1} + k, silu_slope(load(z{d} + k)) * load(x{d + 1} + k));",
            ]
        lines.append(
            f"multiply({ROWS}, {n_out}, {n_in}, x{d + 1}, {n_out}, {memory.weight(f'readout_{d}_t')}, x{d}, {n_in});"
        )
    return c_function("readout", "const Call *call, int64_t begin, int64_t end, real *x", lines)
