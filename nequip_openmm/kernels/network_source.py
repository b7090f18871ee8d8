"""C for a whole model: energies, forces and virial in one call, for one architecture and one precision.

The network runs layer by layer over tiles of atoms; of the messages only those of one tile and one path exist at a time. The
derivatives go back by hand: what the gate needs from the way forward is what it replaces. Phases, between which all threads
wait for each other: every layer forward; the last one at once back again; the others back; the sums of the threads' forces.
"""

from __future__ import annotations

from importlib import resources

from nequip_openmm.kernels.backward_source import (
    gate_slope,
    path_orders,
    send_slope,
    sum_messages_slope,
)
from nequip_openmm.kernels.c_text import c_function, for_tiles
from nequip_openmm.kernels.convolution_source import (
    backward_kernel,
    backward_name,
    forward_kernel,
    forward_name,
    sums_of_rows,
)
from nequip_openmm.kernels.forward_source import gate, readout, send, sum_messages
from nequip_openmm.kernels.harmonics_source import harmonics_source
from nequip_openmm.kernels.layout import size_of
from nequip_openmm.kernels.memory_map import MemoryMap

__all__ = ["network_source", "phase_count"]


def network_source(memory: MemoryMap, bits: int) -> str:
    """Return one translation unit for numbers of 32 or 64 ``bits``."""
    config = memory.config
    header = resources.files("nequip_openmm.kernels") / "c"
    layers = range(len(memory.layers))
    return "\n".join(
        [
            f"#define REAL {bits}",
            (header / "vector.h").read_text(),
            f'_Static_assert(LANES == {memory.lanes}, "Python and the compiler disagree about vectors");',
            f"#define HARMONICS {(config.l_max + 1) ** 2}",
            f"#define TYPES {len(config.species)}",
            f"#define ZBL {int(config.zbl)}",
            harmonics_source(config.l_max),
            (header / "network.h").read_text(),
            sums_of_rows(memory.lanes),
            *_kernels(memory),
            *(write(memory, k) for write in (sum_messages, gate) for k in layers),
            *(write(memory, k) for write in (send, send_slope) for k in layers[1:]),
            *(write(memory, k) for write in (gate_slope, sum_messages_slope) for k in layers),
            readout(memory),
            _phase(memory),
        ]
    )


def phase_count(memory: MemoryMap) -> int:
    """Return the number of phases of an evaluation."""
    return 2 * len(memory.layers)


def _kernels(memory: MemoryMap) -> list[str]:
    """Return the kernels in use, each once."""
    kernels = {}
    for k, layer in enumerate(memory.layers):
        for path in layer.plan.paths:
            l1 = layer.inputs[path.block_in].ir.l
            name = forward_name(l1, path.l_filter, path.ir_out.l)
            kernels[name] = forward_kernel(l1, path.l_filter, path.ir_out.l)
        for block, order, numbers in layer.groups:
            key = (layer.inputs[block].ir.l, order, path_orders(layer, numbers))
            kernels[backward_name(*key, k > 0)] = backward_kernel(*key, k > 0)
    return list(kernels.values())


def _phase(memory: MemoryMap) -> str:
    """Return the function that does one slot's share of one phase."""
    cases = []
    for number in range(phase_count(memory)):
        lines = _phase_lines(memory, number)
        cases += [f"case {number}: {{", *("    " + line for line in lines), "    break;", "}"]
    return c_function(
        "phase",
        "const Call *call, int64_t number, int64_t slot",
        [
            f"real *messages = call->scratch + slot * TILE * {memory.messages_size + memory.tile_size};",
            f"real *x = messages + TILE * {memory.messages_size};",
            "const int64_t first = lower(call, slot), beyond = lower(call, slot + 1);",
            "switch (number) {",
            *cases,
            "}",
        ],
    )


def _phase_lines(memory: MemoryMap, number: int) -> list[str]:
    last = len(memory.layers) - 1
    if number == 2 * last + 1:
        return ["sum_slots(call, slot);"]
    before, tile = [], []
    if number == 0:
        tile.append("find_pairs(call, begin, end);")
    if number <= last:
        tile.append(f"sum_messages_{number}(call, begin, end, messages);")
        tile.append(f"gate_{number}(call, begin, end, x);")
    if number < last:
        tile.append(f"send_{number + 1}(call, begin, end, x);")
    if number >= last:
        k = 2 * last - number
        if k > 0:
            slope = memory.sent_slope(k, "slot")
            before.append(f"fill({slope}, call->atoms * {size_of(memory.layers[k].inputs)}, 0);")
        turn = f"send_slope_{k + 1}(call, begin, end, messages, x);"
        tile.append("readout(call, begin, end, x);" if k == last else turn)
        tile.append(f"gate_slope_{k}(call, begin, end, x);")
        tile.append(f"sum_messages_slope_{k}(call, slot, begin, end, messages);")
        if k == 0:
            tile.append("add_forces(call, slot, begin, end);")
    return [*before, *for_tiles(tile)]
