"""C code for one coupled product of irreps: a function and its derivatives for every (l1, l2, l3).

The product of a feature x of order l1, a harmonic Y of order l2 and a weight w, measured by a covector g of order l3, is the form

    T(x, Y, w, g) = Σ_ijk C_ijk x_i Y_j w g_k

for every channel. Its derivative with respect to one argument is linear in each of the others, so derivatives of any order are
sums of T with arguments exchanged. Two contractions are shared: M_ik = Σ_j C_ijk Y_j by all channels of a pair, and
P_ij = Σ_k C_ijk g_k by all pairs of a centre. The functions of one triple are

    matrix     M from Y                                                      once for a pair
    covector   P from g                                                      once for a centre
    forward    ∂T/∂g_k = Σ_i M_ik w x_i                                      added to out
    backward   h_i = Σ_j P_ij Y_j;   ∂T/∂x_i = w h_i,   ∂T/∂w = Σ_i x_i h_i,   ∂T/∂Y_j = Σ_i w x_i P_ij
    tangent    the derivative of forward along (ẋ, Ẏ, ẇ)
    curvature  the derivative of backward along (ẋ, Ẏ, ẇ), at fixed g

Every function loops over channels, which are innermost in memory, in whole registers and then one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from nequip_openmm.kernels.couplings import couplings

__all__ = ["FUNCTIONS", "Triple", "products_source", "triples"]


class Triple(NamedTuple):
    """Orders of feature, harmonic and message."""

    l1: int
    l2: int
    l3: int

    @property
    def name(self) -> str:
        """Suffix of the triple's functions."""
        return f"{self.l1}{self.l2}{self.l3}"


def triples(l_max: int) -> list[Triple]:
    """Return all triples of orders up to ``l_max`` that couple."""
    return [
        Triple(l1, l2, l3)
        for l1 in range(l_max + 1)
        for l2 in range(l_max + 1)
        for l3 in range(abs(l1 - l2), min(l1 + l2, l_max) + 1)
    ]


def products_source(l_max: int) -> str:
    """Return C with the functions of all triples, and tables of them in the order of `triples`."""
    found = triples(l_max)
    parts = [write(Coupling(triple)) for triple in found for write in WRITERS.values()]
    parts += [_table(name, found) for name in FUNCTIONS]
    return "\n".join(parts)


class Coupling:
    """The coefficients C_ijk of one triple that are not zero, and the indices between which they lie."""

    def __init__(self, triple: Triple) -> None:
        self.name = triple.name
        self.n1, self.n2, self.n3 = (2 * order + 1 for order in triple)
        self.terms = couplings(*triple)
        self.ik = sorted({(i, k) for i, _, k, _ in self.terms})
        self.ij = sorted({(i, j) for i, j, _, _ in self.terms})

    def m(self, i: int, k: int) -> str:
        """Return M_ik."""
        return f"m[{i * self.n3 + k}]"

    def p(self, i: int, j: int) -> str:
        """Return the place of P_ij, whose channels follow each other."""
        return f"AT({{T}}, p, {i * self.n2 + j} * n)"

    def load_covector(self, i: int) -> list[str]:
        """Return statements that load P_ij for all j."""
        return [f"const {{T}} p{i}_{j} = {self.p(i, j)};" for a, j in self.ij if a == i]

    def contracted(self, i: int, y: str) -> str:
        """Return Σ_j P_ij y_j."""
        return _sum(f"p{i}_{j} * {y}[{j}]" for a, j in self.ij if a == i)

    def add_to_harmonics(self, z: str) -> list[str]:
        """Return statements that add Σ_i z_i P_ij, where derivatives with respect to harmonics are wanted."""
        sums = [f"gy{j} += {z}{i} * p{i}_{j};" for i, j in self.ij]
        return [f"if (gy) {{{{ {' '.join(sums)} }}}}"]


# --- what every function does for one register, or one number, of channels; {T} is the type


def _matrix(c: Coupling) -> str:
    lines = []
    for i, k in c.ik:
        total = _sum(f"{value!r} * y[{j}]" for a, j, b, value in c.terms if (a, b) == (i, k))
        lines.append(f"    {c.m(i, k)} = {total};")
    return _function(
        f"matrix_{c.name}(const real *restrict y, real *restrict m)", "\n".join(lines) + "\n"
    )


def _covector(c: Coupling) -> str:
    body = _loads("g", c.n3, "gs")
    for i, j in c.ij:
        total = _sum(f"(real){value!r} * g{k}" for a, b, k, value in c.terms if (a, b) == (i, j))
        body.append(f"{c.p(i, j)} = {total};")
    return _function(
        f"covector_{c.name}(int n, const real *restrict g, int gs, real *restrict p)",
        _over_channels(body),
    )


def _forward(c: Coupling) -> str:
    body = ["const {T} wu = AT({T}, w, 0);"]
    body += [f"const {{T}} z{i} = AT({{T}}, x, {i} * xs) * wu;" for i in range(c.n1)]
    for k in range(c.n3):
        total = _sum(f"{c.m(i, b)} * z{i}" for i, b in c.ik if b == k)
        body.append(f"AT({{T}}, out, {k} * os) += {total};")
    return _function(
        f"forward_{c.name}(int n, const real *restrict m, const real *restrict x, int xs, "
        "const real *restrict w, real *restrict out, int os)",
        _over_channels(body),
    )


def _tangent(c: Coupling) -> str:
    body = ["const {T} wu = AT({T}, w, 0), dwu = AT({T}, dw, 0);"]
    for i in range(c.n1):
        body += [
            f"const {{T}} x{i} = AT({{T}}, x, {i} * xs), z{i} = x{i} * wu;",
            f"const {{T}} dz{i} = AT({{T}}, dx, {i} * xs) * wu + x{i} * dwu;",
        ]
    for k in range(c.n3):
        total = _sum(f"{c.m(i, b)} * dz{i} + d{c.m(i, b)} * z{i}" for i, b in c.ik if b == k)
        body.append(f"AT({{T}}, out, {k} * os) += {total};")
    return _function(
        f"tangent_{c.name}(int n, const real *restrict m, const real *restrict dm, "
        "const real *restrict x, const real *restrict dx, int xs, const real *restrict w, "
        "const real *restrict dw, real *restrict out, int os)",
        _over_channels(body),
    )


def _backward(c: Coupling) -> str:
    body = ["const {T} wu = AT({T}, w, 0);", "{T} gwu = {{0}};"]
    for i in range(c.n1):
        body += [
            *c.load_covector(i),
            f"const {{T}} h{i} = {c.contracted(i, 'y')};",
            f"const {{T}} x{i} = AT({{T}}, x, {i} * xs), z{i} = x{i} * wu;",
            f"gwu += x{i} * h{i};",
            f"AT({{T}}, gx, {i} * xs) += wu * h{i};",
        ]
    body += ["AT({T}, gw, 0) += gwu;", *c.add_to_harmonics("z")]
    return _function(
        f"backward_{c.name}(int n, const real *restrict p, const real *restrict y, "
        "const real *restrict x, int xs, const real *restrict w, real *restrict gx, "
        "real *restrict gw, real *restrict gy)",
        _over_channels(body, c.n2),
    )


def _curvature(c: Coupling) -> str:
    body = ["const {T} wu = AT({T}, w, 0), dwu = AT({T}, dw, 0);", "{T} gwu = {{0}};"]
    for i in range(c.n1):
        body += [
            *c.load_covector(i),
            f"const {{T}} h{i} = {c.contracted(i, 'y')};",
            f"const {{T}} dh{i} = {c.contracted(i, 'dy')};",
            f"const {{T}} x{i} = AT({{T}}, x, {i} * xs), dx{i} = AT({{T}}, dx, {i} * xs);",
            f"const {{T}} dz{i} = dx{i} * wu + x{i} * dwu;",
            f"gwu += dx{i} * h{i} + x{i} * dh{i};",
            f"AT({{T}}, gx, {i} * xs) += dwu * h{i} + wu * dh{i};",
        ]
    body += ["AT({T}, gw, 0) += gwu;", *c.add_to_harmonics("dz")]
    return _function(
        f"curvature_{c.name}(int n, const real *restrict p, const real *restrict y, "
        "const real *restrict dy, const real *restrict x, const real *restrict dx, int xs, "
        "const real *restrict w, const real *restrict dw, real *restrict gx, real *restrict gw, "
        "real *restrict gy)",
        _over_channels(body, c.n2),
    )


WRITERS: dict[str, Callable[[Coupling], str]] = {
    "matrix": _matrix,
    "covector": _covector,
    "forward": _forward,
    "tangent": _tangent,
    "backward": _backward,
    "curvature": _curvature,
}
FUNCTIONS = tuple(WRITERS)


# --- how C is put together


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms) or "(real)0"


def _loads(name: str, count: int, stride: str) -> list[str]:
    return [f"const {{T}} {name}{k} = AT({{T}}, {name}, {k} * {stride});" for k in range(count)]


def _function(signature: str, body: str) -> str:
    return f"static void {signature} {{\n{body}}}\n"


def _over_channels(body: list[str], n_harmonics: int = 0) -> str:
    """Return loops over n channels; what ``body`` sums in gy0, gy1, ... is added to one register each of the array ``gy``."""
    lines = ["int u = 0;"]
    for type_, condition, step in (("vec", "u + LANES <= n", "LANES"), ("real", "u < n", "1")):
        lines.append("{")
        lines += [f"    {type_} gy{j} = {{0}};" for j in range(n_harmonics)]
        lines.append("#pragma clang loop vectorize(disable) unroll(disable)")
        lines.append(f"    for (; {condition}; u += {step}) {{")
        lines += [f"        {line.format(T=type_)}" for line in body]
        lines.append("    }")
        if n_harmonics:
            sums = (f"*({type_} *)(gy + {j} * LANES) += gy{j};" for j in range(n_harmonics))
            lines.append(f"    if (gy) {{ {' '.join(sums)} }}")
        lines.append("}")
    return "".join(f"    {line}\n" for line in lines)


def _table(name: str, found: list[Triple]) -> str:
    entries = ", ".join(f"{name}_{triple.name}" for triple in found)
    return f"static const {name}_function {name}_of[] = {{{entries}}};"
