"""C for the convolution with tabulated weights: its value, and its derivatives with respect to features and pair vectors.

The energy of one path is E = Σ_e Σ_u w_u(r) Σ x_u[m1] C[m1, m2, m3] Y[m2] g_u[m3], where g is the derivative with respect to
the sum of messages of the centre. The value contracts C with Y first: M[m1, m3] is one small matrix per pair, shared by all
channels u. The derivatives contract C with g first: G[m1, m2] is shared by all neighbours of the centre. Neither keeps
anything of the size (pairs, channels) in memory. Sums over neighbours stay in registers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from textwrap import indent

from nequip_openmm.kernels.couplings import couplings
from nequip_openmm.kernels.tables import DEGREE

__all__ = ["backward_kernel", "backward_name", "forward_kernel", "forward_name", "polynomial"]


def forward_name(l1: int, l2: int, l3: int) -> str:
    """Return the name of the function that `forward_kernel` writes."""
    return f"forward_{l1}{l2}{l3}"


def backward_name(l1: int, l2: int, outputs: Sequence[int], with_features: bool) -> str:
    """Return the name of the function that `backward_kernel` writes."""
    return f"backward_{l1}{l2}_{''.join(map(str, outputs))}" + ("" if with_features else "_pairs")


def polynomial(slope: bool) -> str:
    """Return statements that evaluate ``w`` (and ``dw`` = dw/dt) from coefficients at ``p``, ``channels`` apart."""
    lines = [f"vec w = load(p + {DEGREE} * channels);"]
    if slope:
        lines.append("vec dw = w;")
    for k in range(DEGREE - 1, -1, -1):
        lines.append(f"w = w * t + load(p + {k} * channels);")
        if slope and k > 0:
            lines.append("dw = dw * t + w;")
    return "\n".join(lines)


def forward_kernel(l1: int, l2: int, l3: int) -> str:
    """Return the function that sums one path's messages over the neighbours of the centres ``begin`` to ``end``.

    Its arguments: `Pairs`, the range of centres, the number of channels (a multiple of the vector width), the row of x of every
    pair's neighbour, x (rows, 2 l1 + 1, channels), the path's table and the sums (end - begin, 2 l3 + 1, channels).
    """
    n1, n3 = 2 * l1 + 1, 2 * l3 + 1
    entries: dict[tuple[int, int], list[str]] = defaultdict(list)
    for m1, m2, m3, value in couplings(l1, l2, l3):
        entries[m1, m3].append(f"{_number(value)} * load(y + {l2 * l2 + m2} * LANES)")
    matrix = "\n".join(f"m[{k}] = {_sum(terms)};" for k, terms in enumerate(entries.values()))
    by_output: dict[int, list[str]] = defaultdict(list)
    weigh_inputs = n1 <= n3
    for k, (m1, m3) in enumerate(entries):
        by_output[m3].append(f"entry[{k} * LANES] * x{m1}")
    inputs = "\n".join(
        f"const vec x{m1} = {'w * ' if weigh_inputs else ''}load(xs + {m1} * channels + v * LANES);"
        for m1 in sorted({m1 for m1, _ in entries})
    )
    outputs = "\n".join(
        f"sum[{m3}][v] += {_sum(terms) if weigh_inputs else f'w * ({_sum(terms)})'};"
        for m3, terms in by_output.items()
    )
    name = forward_name(l1, l2, l3)
    return f"""
INLINE void {name}_chunk(const int nv, const Pairs *pairs, int n, int channels, const int32_t *restrict sender,
                         const real *restrict x, const real *restrict table, real *restrict out) {{
    vec sum[{n3}][2];
    for (int k = 0; k < {n3}; k++) for (int v = 0; v < nv; v++) sum[k][v] = splat(0);
    const int64_t start = pairs->start[n];
    const int count = pairs->count[n];
    for (int b = 0; b < count; b += LANES) {{
        const real *y = pairs->y + (start + b) * HARMONICS;
        vec m[{len(entries)}];
{indent(matrix, " " * 8)}
        const int lanes = count - b < LANES ? count - b : LANES;
        for (int e = 0; e < lanes; e++) {{
            const int64_t s = start + b + e;
            const real *restrict entry = (const real *)m + e;
            const real *restrict xs = x + (int64_t)sender[s] * ({n1} * channels);
            const real *row = table + (int64_t)pairs->interval[s] * ({DEGREE + 1} * channels);
            const real t = pairs->t[s];
#pragma unroll
            for (int v = 0; v < nv; v++) {{
                const real *restrict p = row + v * LANES;
{indent(polynomial(slope=False), " " * 16)}
{indent(inputs, " " * 16)}
{indent(outputs, " " * 16)}
            }}
        }}
    }}
    for (int k = 0; k < {n3}; k++) for (int v = 0; v < nv; v++) store(out + k * channels + v * LANES, sum[k][v]);
}}

static __attribute__((noinline)) void {name}(const Pairs *pairs, int begin, int end, int channels,
        const int32_t *restrict sender, const real *restrict x, const real *restrict table, real *restrict out) {{
    for (int n = begin; n < end; n++, out += {n3} * channels) {{
        int c = 0;
        for (; c + 2 * LANES <= channels; c += 2 * LANES)
            {name}_chunk(2, pairs, n, channels, sender, x + c, table + c, out + c);
        for (; c < channels; c += LANES)
            {name}_chunk(1, pairs, n, channels, sender, x + c, table + c, out + c);
    }}
}}
"""


def backward_kernel(l1: int, l2: int, outputs: Sequence[int], with_features: bool) -> str:
    """Return the function that differentiates all paths from one block of features through one order of harmonics.

    Its arguments: `Pairs`, whose ``gy`` collects dE/dY and dE/dt; the range of centres; the number of channels; the row of x
    of every pair's neighbour; x; dE/dx, to which it adds (only ``with_features``); then, for every path, its table and dE/d(sum
    of messages) of the centres, (end - begin, 2 l3 + 1, channels).
    """
    n1, n2 = 2 * l1 + 1, 2 * l2 + 1
    paths = range(len(outputs))
    centre = "\n".join(_centre_matrix(l1, l2, l3, j) for j, l3 in enumerate(outputs))
    products = "\n".join(_path_products(l1, l2, l3, j) for j, l3 in enumerate(outputs))
    load_x = "\n".join(
        f"const vec x{m} = load(xs + {m} * channels + v * LANES);" for m in range(n1)
    )
    begin_gx = " ".join(f"vec gx{m} = splat(0);" for m in range(n1))
    add_gx = "\n".join(
        f"{{ real *q = gxs + {m} * channels + v * LANES; store(q, load(q) + gx{m}); }}"
        for m in range(n1)
    )
    begin_t = " ".join(f"vec t{m} = splat(0);" for m in range(n2))
    keep_t = " ".join(f"collected[{m}][e] = t{m};" for m in range(n2))
    y_scalars = " ".join(f"const real y{m} = y[{l2 * l2 + m} * LANES + e];" for m in range(n2))
    path_arguments = ", ".join(
        f"const real *restrict table{j}, const real *restrict g{j}" for j in paths
    )
    passed = ", ".join(f"table{j} + c, g{j} + c" for j in paths)
    step = " ".join(f"g{j} += {2 * l3 + 1} * channels;" for j, l3 in enumerate(outputs))
    name = backward_name(l1, l2, outputs, with_features)
    gx_argument = ", real *restrict gx" if with_features else ""
    gx_row = (
        f"real *restrict gxs = gx + (int64_t)sender[s] * ({n1} * channels);"
        if with_features
        else ""
    )
    return f"""
INLINE void {name}_chunk(const int nv, const Pairs *pairs, int n, int channels, const int32_t *restrict sender,
                         const real *restrict x{gx_argument}, {path_arguments}) {{
{indent(centre, " " * 4)}
    const int64_t start = pairs->start[n];
    const int count = pairs->count[n];
    for (int b = 0; b < count; b += LANES) {{
        const real *y = pairs->y + (start + b) * HARMONICS;
        real *gy = pairs->gy + (start + b) * (HARMONICS + 1);
        vec collected[{n2 + 1}][LANES];
        const int lanes = count - b < LANES ? count - b : LANES;
        for (int e = 0; e < lanes; e++) {{
            const int64_t s = start + b + e;
            const real *restrict xs = x + (int64_t)sender[s] * ({n1} * channels);
            {gx_row}
            const int64_t interval = (int64_t)pairs->interval[s] * ({DEGREE + 1} * channels);
            const real t = pairs->t[s];
            {y_scalars}
            {begin_t} vec slope = splat(0);
#pragma unroll
            for (int v = 0; v < nv; v++) {{
{indent(load_x, " " * 16)}
                {begin_gx if with_features else ""}
{indent(_drop_gx(products, with_features), " " * 16)}
{indent(add_gx if with_features else "", " " * 16)}
            }}
            {keep_t} collected[{n2}][e] = slope;
        }}
        for (int k = 0; k <= {n2}; k++) for (int e = lanes; e < LANES; e++) collected[k][e] = splat(0);
        for (int k = 0; k < {n2}; k++) {{
            real *q = gy + ({l2 * l2} + k) * LANES;
            store(q, load(q) + sums_of_rows(collected[k]));
        }}
        real *q = gy + HARMONICS * LANES;
        store(q, load(q) + sums_of_rows(collected[{n2}]));
    }}
}}

static __attribute__((noinline)) void {name}(const Pairs *pairs, int begin, int end, int channels,
        const int32_t *restrict sender, const real *restrict x{gx_argument}, {path_arguments}) {{
    for (int n = begin; n < end; n++) {{
        int c = 0;
        for (; c + 2 * LANES <= channels; c += 2 * LANES)
            {name}_chunk(2, pairs, n, channels, sender, x + c{", gx + c" if with_features else ""}, {passed});
        for (; c < channels; c += LANES)
            {name}_chunk(1, pairs, n, channels, sender, x + c{", gx + c" if with_features else ""}, {passed});
        {step}
    }}
}}
"""


def sums_of_rows(lanes: int) -> str:
    """Return the C function that adds up every one of LANES vectors and puts the sums into one, halving rows and lanes in turn."""
    lines = ["INLINE vec sums_of_rows(const vec *rows) {", f"    vec a[{lanes}];"]
    lines.append(f"    for (int k = 0; k < {lanes}; k++) a[k] = rows[k];")
    half = lanes // 2
    while half >= 1:
        low, high = _halves(lanes, half)
        lines.append(
            f"    for (int k = 0; k < {half}; k++) a[k] = __builtin_shufflevector(a[k], a[k + {half}], {low})"
            f" + __builtin_shufflevector(a[k], a[k + {half}], {high});"
        )
        half //= 2
    return "\n".join([*lines, "    return a[0];", "}"])


def _halves(lanes: int, half: int) -> tuple[str, str]:
    """Return the shuffles that take the lower, and the upper, half of every group of 2 ``half`` lanes of two vectors in turn."""
    masks = []
    for offset in (0, half):
        picked = [
            source * lanes + group + offset + k
            for group in range(0, lanes, 2 * half)
            for source in (0, 1)
            for k in range(half)
        ]
        masks.append(", ".join(map(str, picked)))
    return masks[0], masks[1]


def _centre_entries(l1: int, l2: int, l3: int) -> dict[tuple[int, int], list[tuple[int, float]]]:
    entries: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for m1, m2, m3, value in couplings(l1, l2, l3):
        entries[m1, m2].append((m3, value))
    return entries


def _centre_matrix(l1: int, l2: int, l3: int, path: int) -> str:
    """Return the statements that compute G[m1, m2] of one path from the centre's dE/d(sum of messages)."""
    entries = _centre_entries(l1, l2, l3)
    lines = [f"vec G{path}[{len(entries)}][2];", "for (int v = 0; v < nv; v++) {"]
    for k, terms in enumerate(entries.values()):
        total = _sum(
            f"{_number(value)} * load(g{path} + {m3} * channels + v * LANES)" for m3, value in terms
        )
        lines.append(f"    G{path}[{k}][v] = {total};")
    return "\n".join([*lines, "}"])


def _path_products(l1: int, l2: int, l3: int, path: int) -> str:
    """Return the statements that use one path's weights and its G for one pair and one vector of channels."""
    by_input: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k, (m1, m2) in enumerate(_centre_entries(l1, l2, l3)):
        by_input[m1].append((k, m2))
    lines = [
        "{",
        f"const real *restrict p = table{path} + interval + v * LANES;",
        polynomial(slope=True),
        "vec q = splat(0);",
    ]
    for m1, pairs in by_input.items():
        h = _sum(f"G{path}[{k}][v] * y{m2}" for k, m2 in pairs)
        lines += [
            "{",
            f"const vec h = {h};",
            f"const vec wx = w * x{m1};",
            f"q += x{m1} * h;",
            f"gx{m1} += w * h;",
            *(f"t{m2} += wx * G{path}[{k}][v];" for k, m2 in pairs),
            "}",
        ]
    return "\n".join([*lines, "slope += q * dw;", "}"])


def _drop_gx(statements: str, keep: bool) -> str:
    lines = statements.splitlines()
    return statements if keep else "\n".join(s for s in lines if not s.startswith("gx"))


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms)


def _number(value: float) -> str:
    return f"(real){value!r}"
