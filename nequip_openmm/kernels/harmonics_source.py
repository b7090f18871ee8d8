"""C for real spherical harmonics and for their derivatives, of whole vectors of directions at once."""

from __future__ import annotations

import math
from collections import defaultdict

from nequip_openmm.kernels.couplings import next_harmonic

__all__ = ["harmonics_source"]


ROOT_3 = f"(real){math.sqrt(3.0)!r}"


def harmonics_source(l_max: int) -> str:
    """Return the functions ``harmonics`` and ``harmonics_slope``.

    Y_(l+1) follows from Y_l and Y_1 as in `nequip_openmm.model.harmonics`; the derivatives go the same way back.
    """
    forward = ["store(y, splat(1));"]
    if l_max > 0:
        forward += [f"store(y + {1 + m} * LANES, {ROOT_3} * n{m});" for m in range(3)]
    for order in range(1, l_max):
        sums: dict[int, list[str]] = defaultdict(list)
        for m1, m2, m3, value in next_harmonic(order):
            sums[m3].append(f"(real){value!r} * {_y(order, m1)} * {_y(1, m2)}")
        forward += [
            f"store(y + {(order + 1) ** 2 + m} * LANES, {' + '.join(terms)});"
            for m, terms in sums.items()
        ]
    header = "static void harmonics(vec n0, vec n1, vec n2, real *restrict y) {"
    return "\n".join([header, *("    " + line for line in forward), "}", _slope(l_max)])


def _slope(l_max: int) -> str:
    lines = [f"vec g[{(l_max + 1) ** 2}];"]
    lines.append(f"for (int k = 0; k < {(l_max + 1) ** 2}; k++) g[k] = load(gy + k * LANES);")
    for order in range(l_max - 1, 0, -1):
        for m1, m2, m3, value in next_harmonic(order):
            upper = f"(real){value!r} * g[{(order + 1) ** 2 + m3}]"
            lines.append(f"g[{order**2 + m1}] += {upper} * {_y(1, m2)};")
            lines.append(f"g[{1 + m2}] += {upper} * {_y(order, m1)};")
    slope = f"{ROOT_3} * g[1 + m]" if l_max > 0 else "splat(0)"
    lines.append(f"for (int m = 0; m < 3; m++) gn[m] = {slope};")
    header = "static void harmonics_slope(const real *restrict y, const real *restrict gy, vec *restrict gn) {"
    return "\n".join([header, *("    " + line for line in lines), "}", ""])


def _y(order: int, m: int) -> str:
    return f"load(y + {order**2 + m} * LANES)"
