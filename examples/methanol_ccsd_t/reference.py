"""CCSD(T)/cc-pVDZ energies and analytic gradients of one geometry with PySCF.

Atomic units (hartree, bohr) inside this module; callers pass Å.  All electrons
are correlated.  The conversion factors are CODATA 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyscf import cc, gto, lib, scf
from pyscf.cc import ccsd_t, ccsd_t_lambda
from pyscf.grad import ccsd_t as ccsd_t_grad

import triples

#: CODATA 2018: https://physics.nist.gov/cuu/Constants/
HARTREE_IN_EV = 27.211386245988
BOHR_IN_ANGSTROM = 0.529177210903
BASIS = "cc-pvdz"


class NotConverged(RuntimeError):
    """Raised when one of the iterative steps of a frame did not converge."""


@dataclass(frozen=True)
class Labels:
    """Results for one geometry, in hartree and bohr."""

    energy: float
    gradient: np.ndarray
    triples: float
    t1_diagnostic: float


def require(converged: bool, step: str) -> None:
    """Raise :class:`NotConverged` unless ``converged``."""
    if not converged:
        raise NotConverged(f"{step} did not converge")


def build_molecule(symbols: list[str], positions: np.ndarray, spin: int = 0) -> gto.Mole:
    """Build a neutral PySCF molecule from positions in Å.

    The conversion to bohr is made here so that the same constant is used for
    lengths and forces.
    """
    lengths = np.asarray(positions) / BOHR_IN_ANGSTROM
    atoms = list(zip(symbols, lengths.tolist(), strict=True))
    return gto.M(atom=atoms, unit="Bohr", basis=BASIS, spin=spin, verbose=0)


def solve_ccsd(mol: gto.Mole) -> tuple[cc.ccsd.CCSD, object]:
    """Converge RHF and all-electron CCSD; return CCSD and its integrals."""
    mean_field = scf.RHF(mol)
    mean_field.conv_tol = 1e-12
    mean_field.conv_tol_grad = 1e-8
    mean_field.max_cycle = 200
    mean_field.kernel()
    require(mean_field.converged, "RHF")
    coupled = cc.CCSD(mean_field)
    coupled.conv_tol = 1e-11
    coupled.conv_tol_normt = 1e-8
    coupled.max_cycle = 200
    eris = coupled.ao2mo()
    coupled.kernel(eris=eris)
    require(coupled.converged, "CCSD")
    return coupled, eris


def energy_only(mol: gto.Mole) -> float:
    """Return the CCSD(T) total energy (hartree)."""
    coupled, eris = solve_ccsd(mol)
    return coupled.e_tot + ccsd_t.kernel(coupled, eris, verbose=0)


def t1_diagnostic(coupled: cc.ccsd.CCSD) -> float:
    """Return |t1| / sqrt(N) (Lee, Taylor, Int. J. Quantum Chem. S23, 199 (1989)).

    N counts the correlated electrons; t1 is in spatial orbitals, the convention
    for closed shells.
    """
    return float(np.linalg.norm(coupled.t1) / np.sqrt(2 * coupled.nocc))


def energy_and_gradient(mol: gto.Mole) -> Labels:
    """Return the CCSD(T) energy and its analytic gradient.

    The gradient needs the Λ amplitudes of CCSD(T), not those of CCSD: the
    triples enter their equations as a source (JCP 147, 044104 (2017)).
    """
    coupled, eris = solve_ccsd(mol)
    correction = ccsd_t.kernel(coupled, eris, verbose=0)
    terms = triples.collect_triples(coupled, eris)
    converged, l1, l2 = triples.solve_lambda(coupled, eris, terms)
    require(converged, "CCSD(T) lambda")
    gradient = triples.analytic_gradient(coupled, eris, l1, l2, terms)
    return Labels(coupled.e_tot + correction, gradient, correction, t1_diagnostic(coupled))


def stock_gradient(mol: gto.Mole) -> np.ndarray:
    """Return the gradient of PySCF's own CCSD(T) module, to check ours."""
    coupled, eris = solve_ccsd(mol)
    amplitudes = coupled.t1, coupled.t2
    converged, l1, l2 = ccsd_t_lambda.kernel(
        coupled, eris, *amplitudes, max_cycle=200, tol=1e-8, verbose=0
    )
    require(converged, "CCSD(T) lambda")
    return ccsd_t_grad.Gradients(coupled).kernel(*amplitudes, l1, l2, eris=eris)


def atom_energy(symbol: str, spin: int) -> float:
    """Return the UCCSD(T) energy of a free atom (hartree); UHF for one electron."""
    mol = build_molecule([symbol], np.zeros((1, 3)), spin)
    mean_field = scf.UHF(mol)
    mean_field.conv_tol = 1e-12
    mean_field.kernel()
    require(mean_field.converged, f"UHF of {symbol}")
    if mol.nelectron == 1:
        return mean_field.e_tot
    coupled = cc.UCCSD(mean_field)
    coupled.conv_tol = 1e-10
    coupled.kernel()
    require(coupled.converged, f"UCCSD of {symbol}")
    return coupled.e_tot + coupled.ccsd_t()


def single_threaded() -> None:
    """Keep PySCF to one thread, so that workers do not compete."""
    lib.num_threads(1)
