"""How many floating-point operations an evaluation takes, and how many this machine can do.

Counted from the architecture, padding left out, a multiplication and an addition as two operations. For every pair within the
cutoff, path (l1, l2 -> l3) and channel, with K the number of (m1, m3) and J that of (m1, m2) that couple:

- forward: the radial weight from its table, a polynomial of degree d, 2 d; its product with the message, min(2 l1 + 1, 2 l3 + 1);
  messages, 2 K;
- backward: weight and slope, 4 d - 2; products with the centre's matrix for dE/dx and dE/dY, 4 J; what remains for every m1, 3 in
  the first layer, else 5; the slope, 2.

For every pair and path, the contraction of Clebsch-Gordan coefficients with harmonics, 2 for each; for every atom, path and
channel that with dE/d(messages), 2 for each. For every atom the linear maps, 2 n_in n_out (2 l + 1), forward and again backward.
Left out, since small: distances, harmonics and their derivatives, gates, sums of forces. A hand-written derivative needs no more than
twice the operations of the value; e3nn's take many times as many, so that rates of the two are not comparable, times are.
"""

from __future__ import annotations

import ctypes
import platform
import time
from concurrent.futures import ThreadPoolExecutor

from nequip_openmm.kernels.compiler import load_library
from nequip_openmm.kernels.couplings import couplings
from nequip_openmm.kernels.tables import DEGREE
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.irreps import LayerPlan, plan_layers

__all__ = ["operations", "peak"]


def operations(config: ModelConfig, n_atoms: int, n_pairs: int) -> float:
    """Return the operations of one evaluation with forces in float32."""
    plans = plan_layers(config)
    total = 0.0
    for k, plan in enumerate(plans):
        per_pair, per_atom = _convolution(plan, DEGREE, is_first=k == 0)
        total += n_pairs * per_pair + n_atoms * (per_atom + 2 * _linear_maps(plan, k == 0))
    widths = [config.features_by_l[0]] + [config.readout_mlp_width or config.features_by_l[0]] * (
        config.readout_mlp_depth
    )
    readout = sum(2 * a * b for a, b in zip(widths, [*widths[1:], 1]))
    return total + n_atoms * 2 * readout


def _convolution(plan: LayerPlan, degree: int, is_first: bool) -> tuple[float, float]:
    """Return operations for every pair and for every atom."""
    per_pair = per_atom = 0.0
    for path in plan.paths:
        channels, ir = plan.irreps_in[path.block_in]
        terms = couplings(ir.l, path.l_filter, path.ir_out.l)
        messages = len({(t.m1, t.m3) for t in terms})
        products = len({(t.m1, t.m2) for t in terms})
        forward = 2 * degree + min(ir.dim, path.ir_out.dim) + 2 * messages
        for_every_m1 = 3 if is_first else 5
        backward = 4 * degree - 2 + 4 * products + for_every_m1 * ir.dim + 2
        per_pair += channels * (forward + backward) + 2 * len(terms)
        per_atom += channels * 2 * len(terms)
    return per_pair, per_atom


def _linear_maps(plan: LayerPlan, is_first: bool) -> float:
    """Return operations for every atom, one way."""
    before = {ir: mul for mul, ir in plan.before_gate}
    total = sum(
        2 * plan.irreps_in[path.block_in].mul * before[path.ir_out] * path.ir_out.dim
        for path in plan.paths
    )
    if is_first:  # what it sends, and its self-connection, depend on the species alone
        return total
    total += sum(2 * mul * mul * ir.dim for mul, ir in plan.irreps_in)
    return total + sum(2 * mul * before.get(ir, 0) * ir.dim for mul, ir in plan.irreps_in)


CHAINS = 12  # independent sums, enough to hide the latency of an addition
PEAK = """
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float vec __attribute__((vector_size(BYTES)));
int lanes(void) { return BYTES / 4; }
float multiply_add(long long n, float factor) {
    vec sums[CHAINS], a = (vec){0} + factor;
    for (int k = 0; k < CHAINS; k++) sums[k] = (vec){0} + (float)k;
    for (long long i = 0; i < n; i++) {
#pragma unroll
        for (int k = 0; k < CHAINS; k++) sums[k] = sums[k] * a + a;
#pragma unroll
        for (int k = 0; k < CHAINS; k++) __asm__ volatile("" : "+VECTOR"(sums[k]));
    }
    vec total = (vec){0};
    for (int k = 0; k < CHAINS; k++) total += sums[k];
    return total[0];
}
"""


def peak(threads: int, seconds: float = 0.3) -> float:
    """Return the GFLOP/s of float32 that the threads reach together when they do nothing but multiply and add in registers."""
    source = PEAK.replace("CHAINS", str(CHAINS)).replace("VECTOR", _register())
    library = load_library("peak", source, announces=False)
    library.multiply_add.restype = ctypes.c_float
    lanes = int(library.lanes())
    count = 2_000_000

    def run(n: int) -> float:
        begin = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            jobs = [
                pool.submit(library.multiply_add, ctypes.c_longlong(n), ctypes.c_float(0.5))
                for _ in range(threads)
            ]
            for job in jobs:
                job.result()
        return time.perf_counter() - begin

    count = max(count, int(count * seconds / 5 / run(count)))
    best = min(run(count) for _ in range(5))
    return 2.0 * CHAINS * lanes * count * threads / best / 1e9


def _register() -> str:
    """Return the constraint of inline assembly for a vector register."""
    return "x" if platform.machine().lower() in ("x86_64", "amd64") else "w"
