"""Perturbative-triples terms of the RHF-CCSD(T) analytic gradient.

All quantities that contain the connected triples are collected in one sweep
over i <= j <= k.  A block w[a, b, c] of one (i, j, k) stays in the cache, and
the other orders of i, j, k follow from the invariance of the triples under
simultaneous exchange of (i, a), (j, b) and (k, c).

The working equations are those of the spin-free formulation used by PySCF
(Q. Sun et al., J. Chem. Phys. 147, 044104 (2017), and the slow reference
implementation ``pyscf.cc.ccsd_t_rdm_slow``).  Only canonical orbitals are
supported, where the occupied-virtual Fock block vanishes.  Atomic units;
integrals in chemists' notation; n and m count occupied and virtual orbitals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations

import numpy as np
from numpy.typing import NDArray
from pyscf import cc
from pyscf.cc import ccsd_lambda, ccsd_rdm, ccsd_t_lambda
from pyscf.grad import ccsd as ccsd_grad
from pyscf.lib import take_2d

Array = NDArray[np.float64]
FOCK_TOLERANCE = 1e-6
ORDERS = tuple(permutations(range(3)))


@dataclass
class TriplesTerms:
    """Contributions of the triples to densities and to the Λ equations."""

    occupied: Array  #: goo[i, j]
    virtual: Array  #: gvv[a, b]
    mixed: Array  #: dvo[c, k]
    ovov: Array  #: dovov[i, a, j, b]
    ooov: Array  #: dooov[j, m, i, a]
    ovvv: Array  #: dovvv[i, a, b, f], to be transposed to [i, a, f, b]
    lambda1: Array  #: source of l1[i, a], before division
    lambda2: Array  #: source of l2[i, j, a, b], before division


@dataclass(frozen=True)
class Inputs:
    """Amplitudes and integrals in the layouts the sweep needs."""

    t1: Array
    t2: Array
    gaps: Array  #: e_i - e_a
    ovov: Array
    ovoo: Array
    ovvv: Array  #: (ia|fb) as [i, a, b, f]
    ovvv_kefb: Array  #: (kf|be) as [k, e, f, b]


def orbital_gaps(coupled: cc.ccsd.CCSD, eris: object) -> Array:
    """Return e_i - e_a of the canonical orbitals, shape (n, m)."""
    occupied, virtual = np.split(eris.mo_energy, [coupled.nocc])
    return occupied[:, None] - virtual


def gather(coupled: cc.ccsd.CCSD, eris: object) -> Inputs:
    """Collect the amplitudes and integrals of a converged CCSD calculation."""
    nocc = coupled.nocc
    if abs(eris.fock[:nocc, nocc:]).max() > FOCK_TOLERANCE:
        raise ValueError("the triples terms need canonical orbitals")
    ovvv = np.asarray(eris.get_ovvv())
    return Inputs(
        coupled.t1,
        coupled.t2,
        orbital_gaps(coupled, eris),
        np.asarray(eris.ovov),
        np.asarray(eris.ovoo),
        np.ascontiguousarray(ovvv.transpose(0, 1, 3, 2)),
        np.ascontiguousarray(ovvv.transpose(0, 3, 1, 2)),
    )


def connected(data: Inputs, triple: tuple[int, int, int]) -> Array:
    """Return w[a, b, c] of one (i, j, k): the connected triples amplitudes."""
    m = data.t1.shape[1]
    total = np.zeros((m, m, m))
    for order in ORDERS:
        i, j, k = (triple[axis] for axis in order)
        part = data.ovvv[i].reshape(m * m, m) @ data.t2[k, j].T
        part = part.reshape(m, m * m)
        part -= data.ovoo[i, :, j] @ data.t2[:, k].reshape(-1, m * m)
        total += part.reshape(m, m, m).transpose(np.argsort(order))
    return total


def disconnected(data: Inputs, triple: tuple[int, int, int]) -> Array:
    """Return v[a, b, c] of one (i, j, k): integrals times singles."""
    i, j, k = triple
    t1, ovov = data.t1, data.ovov
    return (
        ovov[i, :, j][:, :, None] * t1[k]
        + ovov[i, :, k][:, None, :] * t1[j][:, None]
        + ovov[j, :, k][None] * t1[i][:, None, None]
    )


def denominator(gaps: Array, triple: tuple[int, int, int]) -> Array:
    """Return e_i + e_j + e_k - e_a - e_b - e_c of one (i, j, k)."""
    i, j, k = triple
    return gaps[i][:, None, None] + gaps[j][:, None] + gaps[k]


def spin_summed(block: Array) -> Array:
    """Return the spin-summed combination of the six virtual orders."""
    cyclic = block.transpose(1, 2, 0) + block.transpose(2, 0, 1)
    return 2 * half_summed(block) + cyclic - 2 * block.transpose(1, 0, 2)


def half_summed(block: Array) -> Array:
    """Return the combination that enters the source of l2.

    Unlike :func:`spin_summed` it does not commute with the exchange of
    (i, a), (j, b) and (k, c), so each order of i, j, k needs its own.
    """
    return 2 * block - block.transpose(2, 1, 0) - block.transpose(0, 2, 1)


def empty_terms(n: int, m: int) -> TriplesTerms:
    """Return zeroed accumulators for n occupied and m virtual orbitals."""
    return TriplesTerms(
        np.zeros((n, n)),
        np.zeros((m, m)),
        np.zeros((m, n)),
        np.zeros((n, m, n, m)),
        np.zeros((n, n, n, m)),
        np.zeros((n, m, m, m)),
        np.zeros((n, m)),
        np.zeros((n, n, m, m)),
    )


def add_densities(
    terms: TriplesTerms, data: Inputs, triple: tuple, wv: Array, rw: Array, rx: Array
) -> None:
    """Add one ordered (i, j, k) to the density terms, except goo.

    ``wv`` is w + v, ``rw`` and ``rx`` are the spin-summed w and 2w + v.
    """
    i, j, k = triple
    m = len(wv)
    flat = rw.reshape(m * m, m)
    terms.virtual += wv.reshape(m, -1) @ rw.reshape(m, -1).T
    terms.mixed[:, k] += 0.5 * (data.t2[i, j].ravel() @ flat)
    terms.ovov[i, :, j] += 0.5 * (flat @ data.t1[k]).reshape(m, m)
    terms.ooov[j, :, i] -= data.t2[:, k].reshape(-1, m * m) @ rx.reshape(m, -1).T
    terms.ovvv[i] += (rx.reshape(m * m, m) @ data.t2[k, j]).reshape(m, m, m)


def add_sources(terms: TriplesTerms, data: Inputs, triple: tuple, rw: Array, mx: Array) -> None:
    """Add one ordered (i, j, k) to the sources of the Λ equations.

    ``mx`` is :func:`half_summed` of 2w + v.
    """
    i, j, k = triple
    m = len(rw)
    terms.lambda1[i] += 0.5 * rw.reshape(m, -1) @ data.ovov[j, :, k].ravel()
    terms.lambda2[i, j] += mx.reshape(m, -1) @ data.ovvv_kefb[k].reshape(-1, m)
    oo = mx.reshape(m * m, m) @ data.ovoo[k, :, j]
    terms.lambda2[i] -= oo.T.reshape(-1, m, m)


def collect_triples(coupled: cc.ccsd.CCSD, eris: object) -> TriplesTerms:
    """Sweep once over the triples and return all their contributions."""
    data = gather(coupled, eris)
    n, m = data.t1.shape
    terms = empty_terms(n, m)
    all_wv = np.empty((n, n, n, m**3))
    all_rw = np.empty((n, n, n, m**3))
    for triple in combinations_with_replacement(range(n), 3):
        scale = 1 / denominator(data.gaps, triple)
        w = connected(data, triple) * scale
        v = disconnected(data, triple) * scale
        x = 2 * w + v
        blocks = (w + v, spin_summed(w), spin_summed(x), x)
        distinct = {tuple(triple[axis] for axis in order): order for order in ORDERS}
        for ordered, order in distinct.items():
            wv, rw, rx, px = (np.ascontiguousarray(b.transpose(order)) for b in blocks)
            add_densities(terms, data, ordered, wv, rw, rx)
            add_sources(terms, data, ordered, rw, half_summed(px))
            all_wv[ordered], all_rw[ordered] = wv.ravel(), rw.ravel()
    terms.occupied += all_wv.reshape(n, -1) @ all_rw.reshape(n, -1).T
    return terms


def solve_lambda(
    coupled: cc.ccsd.CCSD, eris: object, terms: TriplesTerms, tol: float = 1e-8
) -> tuple[bool, Array, Array]:
    """Solve the Λ equations of CCSD(T); return convergence, l1 and l2."""
    gaps = orbital_gaps(coupled, eris)
    pair_gaps = gaps[:, None, :, None] + gaps[None, :, None, :]

    def intermediates(*arguments: object) -> object:
        result = ccsd_lambda.make_intermediates(*arguments)
        result.l1_t = terms.lambda1 / gaps
        source = terms.lambda2 + terms.lambda2.transpose(1, 0, 3, 2)
        result.l2_t = source / pair_gaps
        return result

    return ccsd_lambda.kernel(
        coupled,
        eris,
        coupled.t1,
        coupled.t2,
        max_cycle=200,
        tol=tol,
        verbose=0,
        fintermediates=intermediates,
        fupdate=ccsd_t_lambda.update_lambda,
    )


def density_one(
    coupled: cc.ccsd.CCSD, l1: Array, l2: Array, terms: TriplesTerms
) -> tuple[Array, Array, Array, Array]:
    """Return the one-particle intermediates oo, ov, vo, vv with triples."""
    oo, ov, vo, vv = ccsd_rdm._gamma1_intermediates(coupled, coupled.t1, coupled.t2, l1, l2)
    return oo - 0.5 * terms.occupied, ov, vo + terms.mixed, vv + 0.5 * terms.virtual


def packed_vvvv(vvvv: Array) -> Array:
    """Symmetrise and pack both virtual pairs, as PySCF's gradient expects."""
    m = len(vvvv)
    rows, columns = np.tril_indices(m)
    pairs = rows * m + columns
    full = vvvv + vvvv.transpose(1, 0, 2, 3)
    full = full + full.transpose(0, 1, 3, 2)
    return 0.25 * take_2d(full.reshape(m * m, m * m), pairs, pairs)


def density_two(
    coupled: cc.ccsd.CCSD, l1: Array, l2: Array, terms: TriplesTerms
) -> tuple[Array, ...]:
    """Return the two-particle intermediates with triples, vvvv packed."""
    ovov, vvvv, oooo, oovv, ovvo, _, ovvv, ooov = ccsd_rdm._gamma2_intermediates(
        coupled, coupled.t1, coupled.t2, l1, l2
    )
    ovvv = ovvv + terms.ovvv.transpose(0, 1, 3, 2)
    return (
        ovov + terms.ovov,
        packed_vvvv(vvvv),
        oooo,
        oovv,
        ovvo,
        ovvv.transpose(2, 3, 0, 1),
        ovvv,
        ooov + terms.ooov,
    )


def analytic_gradient(
    coupled: cc.ccsd.CCSD, eris: object, l1: Array, l2: Array, terms: TriplesTerms
) -> Array:
    """Return the CCSD(T) gradient (hartree/bohr), shape (atoms, 3)."""
    gradients = ccsd_grad.Gradients(coupled)
    electronic = ccsd_grad.grad_elec(
        gradients,
        coupled.t1,
        coupled.t2,
        l1,
        l2,
        eris,
        d1=density_one(coupled, l1, l2, terms),
        d2=density_two(coupled, l1, l2, terms),
        verbose=0,
    )
    return electronic + gradients.grad_nuc()
