"""C for a whole model: energies, forces and virial in one call, for one architecture and one precision.

The network runs layer by layer over tiles of atoms; of the messages only those of one tile and one path exist at a time. The
derivatives go back by hand: what the gate needs from the way forward is what it replaces. Phases, between which all threads
wait for each other: every layer forward; the last one at once back again; the others back; the sums of the threads' forces.
"""

from __future__ import annotations

from importlib import resources
from textwrap import indent

from nequip_openmm.kernels.convolution_source import (
    backward_kernel,
    backward_name,
    forward_kernel,
    forward_name,
    sums_of_rows,
)
from nequip_openmm.kernels.harmonics_source import harmonics_source
from nequip_openmm.kernels.layout import (
    Block,
    LayerLayout,
    network_layout,
    running_offsets,
    size_of,
)
from nequip_openmm.kernels.weights import readout_sizes, weight_shapes
from nequip_openmm.model.config import ModelConfig

__all__ = ["NetworkSource"]


class NetworkSource:
    """Writes the C of one architecture.

    Parameters
    ----------
    config
        The architecture; neither weights nor numbers of atoms enter the code.
    bits
        32 or 64.
    lanes
        Numbers in a vector register.
    degree
        Of the polynomials in the tables of radial weights.
    """

    def __init__(self, config: ModelConfig, bits: int, lanes: int, degree: int) -> None:
        self.config = config
        self.bits = bits
        self.lanes = lanes
        self.degree = degree
        self.layers = network_layout(config, lanes)
        self.shapes = weight_shapes(config, self.layers)
        sizes = [_product(shape) for shape in self.shapes.values()]
        self.offsets = dict(zip(self.shapes, running_offsets(sizes)))
        self.sent_offsets = list(running_offsets([size_of(x.inputs) for x in self.layers[1:]]))
        self.sums_offsets = list(running_offsets([size_of(x.sums) for x in self.layers]))
        columns = [c for layer in self.layers for c in layer.weight_counts]
        per_path = list(running_offsets(columns))
        ends = list(running_offsets([len(layer.plan.paths) for layer in self.layers]))
        self.table_columns = [
            per_path[end : end + len(layer.plan.paths)] for end, layer in zip(ends, self.layers)
        ]
        self.n_columns = sum(columns)

    # --- sizes of the memory to work in

    @property
    def sent_size(self) -> int:
        """Numbers per atom of what all layers but the first send."""
        return sum(size_of(x.inputs) for x in self.layers[1:])

    @property
    def sums_size(self) -> int:
        """Numbers per atom of what all layers have before the gate."""
        return sum(size_of(x.sums) for x in self.layers)

    @property
    def slope_size(self) -> int:
        """Numbers per atom of the derivative with respect to what a layer sends, the largest of all layers."""
        return max([size_of(x.inputs) for x in self.layers[1:]], default=0)

    @property
    def messages_size(self) -> int:
        """Numbers per atom of the messages that exist at a time, or of the slopes of a block that was sent."""
        messages = [
            sum(_message_size(layer, k) for k in numbers)
            for layer in self.layers
            for _, _, numbers in layer.groups
        ]
        return max(messages + [block.size for layer in self.layers[1:] for block in layer.inputs])

    @property
    def tile_size(self) -> int:
        """Numbers per atom of the features of a tile."""
        blocks = [size_of(x.outputs) for x in self.layers]
        hidden = sum(n for n, _ in readout_sizes(self.config, self.layers[-1]))
        return max([*blocks, 2 * hidden])

    @property
    def phases(self) -> int:
        """Number of phases."""
        return 2 * len(self.layers)

    # --- code

    def text(self) -> str:
        """Return one translation unit."""
        header = resources.files("nequip_openmm.kernels") / "c"
        zbl = int(self.config.zbl)
        return "\n".join(
            [
                f"#define REAL {self.bits}",
                (header / "vector.h").read_text(),
                f"_Static_assert(LANES == {self.lanes}, "
                '"the compiler and Python disagree about the width of vectors");',
                f"#define HARMONICS {(self.config.l_max + 1) ** 2}",
                f"#define TYPES {len(self.config.species)}",
                f"#define ZBL {zbl}",
                harmonics_source(self.config.l_max),
                (header / "network.h").read_text(),
                sums_of_rows(self.lanes),
                *self._kernels(),
                *(self._sum_messages(k) for k in range(len(self.layers))),
                *(self._gate(k) for k in range(len(self.layers))),
                *(self._send(k) for k in range(1, len(self.layers))),
                self._readout(),
                *(self._sum_messages_slope(k) for k in range(len(self.layers))),
                *(self._send_slope(k) for k in range(1, len(self.layers))),
                *(self._gate_slope(k) for k in range(len(self.layers))),
                self._phase(),
            ]
        )

    def _kernels(self) -> list[str]:
        """Return the kernels in use, each once."""
        kernels = {}
        for k, layer in enumerate(self.layers):
            for path in layer.plan.paths:
                l1 = layer.plan.irreps_in[path.block_in].ir.l
                name = forward_name(l1, path.l_filter, path.ir_out.l)
                kernels[name] = forward_kernel(l1, path.l_filter, path.ir_out.l, self.degree)
            for block, order, numbers in layer.groups:
                key = (layer.inputs[block].ir.l, order, _orders(layer, numbers))
                kernels[backward_name(*key, k > 0)] = backward_kernel(*key, self.degree, k > 0)
        return list(kernels.values())

    def _sum_messages(self, k: int) -> str:
        """Return the function that adds the convolution of a tile, through the linear map behind it, to the sums."""
        layer = self.layers[k]
        lines = []
        for p, path in enumerate(layer.plan.paths):
            source, target = layer.inputs[path.block_in], layer.sum_of(path)
            name = forward_name(source.ir.l, path.l_filter, path.ir_out.l)
            rows = f"(int)(end - begin) * {target.ir.dim}"
            lines += [
                f"{name}(pairs, begin, end, {source.padded}, {self._sender(k)}, {self._sent(k, source)}, "
                f"{self._table(k, p)}, messages);",
                f"multiply_add({rows}, {source.channels}, {target.padded}, messages, {source.padded}, "
                f"{self._weight(f'out_{k}_{p}')}, {self._sum(k, target, 'begin')}, {target.padded});",
            ]
        return _function(
            f"sum_messages_{k}",
            "const Call *call, int64_t begin, int64_t end, real *messages",
            [
                "const Pairs *pairs = &call->pairs;",
                *(self._clear_sums(0) if k == 0 else []),
                *lines,
            ],
        )

    def _clear_sums(self, k: int) -> list[str]:
        return [
            f"fill({self._sum(k, block, 'begin')}, (end - begin) * {block.size}, 0);"
            for block in self.layers[k].sums
        ]

    def _gate(self, k: int) -> str:
        """Return the function that puts the features behind the gate into ``x``, (tile, ...) block by block."""
        layer = self.layers[k]
        even, scalars = layer.even, layer.output(layer.even.ir)
        lines = [
            f"activate({scalars.padded}, {self._sum(k, even, 'n')}, {_tile('x', scalars, 'n - begin')});"
        ]
        for block, gate, behind in layer.gated:
            lines.append(
                f"open_gate({block.ir.dim}, {block.padded}, {self._sum(k, even, 'n')} + {gate.start}, "
                f"{self._sum(k, block, 'n')}, {_tile('x', behind, 'n - begin')});"
            )
        if layer.odd is not None:
            behind = layer.output(layer.odd.ir)
            lines.append(
                f"activate_odd({behind.padded}, {self._sum(k, layer.odd, 'n')}, {_tile('x', behind, 'n - begin')});"
            )
        return _function(
            f"gate_{k}",
            "const Call *call, int64_t begin, int64_t end, real *x",
            _for_atoms(lines),
        )

    def _gate_slope(self, k: int) -> str:
        """Return the function that replaces the sums by the derivatives with respect to them, from those of ``x``."""
        layer = self.layers[k]
        even, scalars = layer.even, layer.output(layer.even.ir)
        lines = [
            f"activate_slope({scalars.padded}, {self._sum(k, even, 'n')}, {_tile('x', scalars, 'n - begin')});"
        ]
        for block, gate, behind in layer.gated:
            lines.append(
                f"open_gate_slope({block.ir.dim}, {block.padded}, {self._sum(k, even, 'n')} + {gate.start}, "
                f"{self._sum(k, block, 'n')}, {_tile('x', behind, 'n - begin')});"
            )
        if layer.odd is not None:
            behind = layer.output(layer.odd.ir)
            lines.append(
                f"activate_odd_slope({behind.padded}, {self._sum(k, layer.odd, 'n')}, {_tile('x', behind, 'n - begin')});"
            )
        return _function(
            f"gate_slope_{k}",
            "const Call *call, int64_t begin, int64_t end, const real *x",
            _for_atoms(lines),
        )

    def _send(self, k: int) -> str:
        """Return the function that computes from a tile's features what they send, and begins the sums with the self-connection."""
        layer = self.layers[k]
        lines = []
        for a, block in enumerate(layer.inputs):
            lines.append(
                f"multiply((int)(end - begin) * {block.ir.dim}, {block.channels}, {block.padded}, {_tile('x', block)}, "
                f"{block.padded}, {self._weight(f'in_{k}_{a}')}, {self._sent(k, block, 'begin')}, {block.padded});"
            )
        atoms = [f"const real norm = {self._weight(f'norm_{k}')}[call->types[n]];"]
        for block in layer.inputs:
            atoms.append(
                f"for (int64_t u = 0; u < {block.size}; u++) ({self._sent(k, block, 'n')})[u] *= norm;"
            )
        for c, (source, target) in enumerate(layer.self_connections):
            shape = self.shapes[f"self_{k}_{c}"]
            atoms.append(
                f"multiply({source.ir.dim}, {source.channels}, {target.padded}, {_tile('x', source, 'n - begin')}, "
                f"{source.padded}, {self._weight(f'self_{k}_{c}')} + (int64_t)call->types[n] * {shape[1] * shape[2]}, "
                f"{self._sum(k, target, 'n')}, {target.padded});"
            )
        joined = {target.ir for _, target in layer.self_connections}
        for block in layer.sums:
            if block.ir not in joined:
                atoms.append(f"fill({self._sum(k, block, 'n')}, {block.size}, 0);")
        return _function(
            f"send_{k}",
            "const Call *call, int64_t begin, int64_t end, const real *x",
            [*lines, *_for_atoms(atoms)],
        )

    def _send_slope(self, k: int) -> str:
        """Return the function that computes the derivatives with respect to the features of a tile from those of what they send."""
        layer = self.layers[k]
        size = size_of(layer.inputs)
        lines = []
        for a, block in enumerate(layer.inputs):
            atoms = [
                f"const real norm = {self._weight(f'norm_{k}')}[call->types[n]];",
                f"const real *g = call->sent_slope_{_parity(k)} + call->atoms * {block.offset} + n * {block.size};",
                f"real *sum = messages + (n - begin) * {block.size};",
                f"for (int64_t u = 0; u < {block.size}; u += LANES) {{",
                "    vec total = splat(0);",
                f"    for (int64_t s = 0; s < call->slots; s++) total += load(g + s * call->atoms * {size} + u);",
                "    store(sum + u, norm * total);",
                "}",
            ]
            lines += _for_atoms(atoms)
            lines.append(
                f"multiply((int)(end - begin) * {block.ir.dim}, {block.channels}, {block.padded}, messages, "
                f"{block.padded}, {self._weight(f'in_{k}_{a}_t')}, {_tile('x', block)}, {block.padded});"
            )
        atoms = []
        for c, (source, target) in enumerate(layer.self_connections):
            shape = self.shapes[f"self_{k}_{c}_t"]
            atoms.append(
                f"multiply_add({source.ir.dim}, {target.padded}, {source.padded}, {self._sum(k, target, 'n')}, "
                f"{target.padded}, {self._weight(f'self_{k}_{c}_t')} + (int64_t)call->types[n] * {shape[1] * shape[2]}, "
                f"{_tile('x', source, 'n - begin')}, {source.padded});"
            )
        return _function(
            f"send_slope_{k}",
            "const Call *call, int64_t begin, int64_t end, real *messages, real *x",
            [*lines, *_for_atoms(atoms)],
        )

    def _sum_messages_slope(self, k: int) -> str:
        """Return the function that takes the derivatives of a tile's sums back to pairs and to what the neighbours sent."""
        layer = self.layers[k]
        size = size_of(layer.inputs)
        lines = ["const Pairs *pairs = &call->pairs;"]
        if k > 0:
            lines.append(
                f"real *sent_slope = call->sent_slope_{_parity(k)} + slot * call->atoms * {size};"
            )
        for a, order, numbers in layer.groups:
            source = layer.inputs[a]
            arguments, offset = [], 0
            for p in numbers:
                target = layer.sum_of(layer.plan.paths[p])
                g = f"messages + {offset} * (end - begin)"
                lines.append(
                    f"multiply((int)(end - begin) * {target.ir.dim}, {target.padded}, {source.padded}, "
                    f"{self._sum(k, target, 'begin')}, {target.padded}, {self._weight(f'out_{k}_{p}_t')}, {g}, "
                    f"{source.padded});"
                )
                arguments += [self._table(k, p), g]
                offset += _message_size(layer, p)
            name = backward_name(source.ir.l, order, _orders(layer, numbers), k > 0)
            gx = f"sent_slope + call->atoms * {source.offset}, " if k > 0 else ""
            lines.append(
                f"{name}(pairs, begin, end, {source.padded}, {self._sender(k)}, {self._sent(k, source)}, "
                f"{gx}{', '.join(arguments)});"
            )
        return _function(
            f"sum_messages_slope_{k}",
            "const Call *call, int64_t slot, int64_t begin, int64_t end, real *messages",
            lines,
        )

    def _readout(self) -> str:
        """Return the function that adds the energies of a tile and replaces its features ``x`` by dE/dx.

        Hidden layer d has its values before the activation in ``z<d>`` and behind it in ``x<d + 1>``; x0 is x.
        """
        *hidden, (n_last, _) = readout_sizes(self.config, self.layers[-1])
        is_nonlinear = self.config.readout_mlp_nonlinearity is not None
        last = self._weight(f"readout_{len(hidden)}")
        lines, offset = ["real *x0 = x;"], self.layers[-1].outputs[0].padded
        for d, (n_in, n_out) in enumerate(hidden):
            lines += [
                f"real *z{d} = x + {offset} * (end - begin), *x{d + 1} = z{d} + {n_out} * (end - begin);",
                f"multiply((int)(end - begin), {n_in}, {n_out}, x{d}, {n_in}, {self._weight(f'readout_{d}')}, z{d}, "
                f"{n_out});",
                f"for (int64_t k = 0; k < {n_out} * (end - begin); k += LANES)",
                f"    store(x{d + 1} + k, {'silu' if is_nonlinear else ''}(load(z{d} + k)));",
            ]
            offset += 2 * n_out
        lines += _for_atoms(
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
                f"multiply((int)(end - begin), {n_out}, {n_in}, x{d + 1}, {n_out}, {self._weight(f'readout_{d}_t')}, "
                f"x{d}, {n_in});"
            )
        return _function("readout", "const Call *call, int64_t begin, int64_t end, real *x", lines)

    def _phase(self) -> str:
        """Return the function that does one slot's share of one phase."""
        last = len(self.layers) - 1
        cases = []
        for p in range(self.phases):
            k = p if p <= last else 2 * last - p
            tile = []
            if p == 0:
                tile.append("find_pairs(call, begin, end);")
            if p <= last:
                tile += [
                    f"sum_messages_{k}(call, begin, end, messages);",
                    f"gate_{k}(call, begin, end, x);",
                ]
            if p < last:
                tile.append(f"send_{k + 1}(call, begin, end, x);")
            if p == last:
                tile.append("readout(call, begin, end, x);")
            if last < p < self.phases - 1:
                tile.append(f"send_slope_{k + 1}(call, begin, end, messages, x);")
            if last <= p < self.phases - 1:
                tile += [
                    f"gate_slope_{k}(call, begin, end, x);",
                    f"sum_messages_slope_{k}(call, slot, begin, end, messages);",
                ]
            if p == self.phases - 2:
                tile.append("add_forces(call, slot, begin, end);")
            before = []
            if last <= p < self.phases - 1 and k > 0:
                size = size_of(self.layers[k].inputs)
                before.append(
                    f"fill(call->sent_slope_{_parity(k)} + slot * call->atoms * {size}, call->atoms * {size}, 0);"
                )
            body = (
                ["sum_slots(call, slot);"] if p == self.phases - 1 else [*before, *_for_tiles(tile)]
            )
            cases += [f"case {p}: {{", *("    " + line for line in body), "    break;", "}"]
        return _function(
            "phase",
            "const Call *call, int64_t number, int64_t slot",
            [
                f"real *messages = call->scratch + slot * TILE * {self.messages_size + self.tile_size};",
                f"real *x = messages + TILE * {self.messages_size};",
                "const int64_t first = lower(call, slot), beyond = lower(call, slot + 1);",
                "switch (number) {",
                *cases,
                "}",
            ],
        )

    # --- where things are

    def _sender(self, k: int) -> str:
        """What the first layer sends depends on the species alone."""
        return "pairs->neighbour" if k > 0 else "pairs->type"

    def _sent(self, k: int, block: Block, atom: str | None = None) -> str:
        if k == 0:
            return self._weight("first")
        first = f"call->sent + call->atoms * {self.sent_offsets[k - 1] + block.offset}"
        return first if atom is None else f"{first} + ({atom}) * {block.size}"

    def _sum(self, k: int, block: Block, atom: str) -> str:
        return f"call->sums + call->atoms * {self.sums_offsets[k] + block.offset} + ({atom}) * {block.size}"

    def _weight(self, name: str) -> str:
        return f"(call->weights + {self.offsets[name]})"

    def _table(self, k: int, path: int) -> str:
        columns = self.table_columns[k][path] * (self.degree + 1)
        return f"call->tables + call->intervals * {columns}"


def _parity(k: int) -> str:
    """Layers use two memories in turn: one is read while the other is written."""
    return "odd" if k % 2 else "even"


def _orders(layer: LayerLayout, numbers: list[int]) -> tuple[int, ...]:
    return tuple(layer.plan.paths[p].ir_out.l for p in numbers)


def _message_size(layer: LayerLayout, path: int) -> int:
    found = layer.plan.paths[path]
    return found.ir_out.dim * layer.inputs[found.block_in].padded


def _tile(name: str, block: Block, atom: str = "0") -> str:
    return f"{name} + (end - begin) * {block.offset} + ({atom}) * {block.size}"


def _for_atoms(lines: list[str]) -> list[str]:
    if not lines:
        return []
    return ["for (int64_t n = begin; n < end; n++) {", *("    " + s for s in lines), "}"]


def _for_tiles(lines: list[str]) -> list[str]:
    return [
        "for (int64_t begin = first; begin < beyond; begin += TILE) {",
        "    const int64_t end = begin + TILE < beyond ? begin + TILE : beyond;",
        *("    " + s for s in lines),
        "}",
    ]


def _function(name: str, arguments: str, lines: list[str]) -> str:
    return f"static void {name}({arguments}) {{\n{indent(chr(10).join(lines), '    ')}\n}}\n"


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total
