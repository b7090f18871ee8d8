"""Every conversion factor, once (CODATA 2018, exact where the SI of 2019 makes it so).

Inside the package: energies in eV, lengths in Å, forces in eV/Å, masses in amu, temperatures in K. OpenMM speaks kJ/mol,
nm and ps; i-PI speaks hartree and bohr; data sets speak anything. Adapters convert at their own border with the constants
below and nothing else in the package holds a factor.

Source: E. Tiesinga et al., Rev. Mod. Phys. 93, 025010 (2021), doi:10.1103/RevModPhys.93.025010.
"""

from __future__ import annotations

import math

from nequip_openmm.errors import ConfigError, nearest

ELEMENTARY_CHARGE_C = 1.602176634e-19  # exact
AVOGADRO_PER_MOL = 6.02214076e23  # exact
BOLTZMANN_J_PER_K = 1.380649e-23  # exact
ATOMIC_MASS_KG = 1.66053906660e-27
PLANCK_J_S = 6.62607015e-34  # exact
LIGHT_SPEED_M_PER_S = 299_792_458.0  # exact

EV_TO_KJ_PER_MOL = ELEMENTARY_CHARGE_C * AVOGADRO_PER_MOL / 1000.0  # 96.48533212331
KJ_PER_MOL_TO_EV = 1.0 / EV_TO_KJ_PER_MOL
KCAL_PER_MOL_TO_EV = 4.184 / EV_TO_KJ_PER_MOL  # thermochemical calorie
HARTREE_TO_EV = 27.211386245988
RYDBERG_TO_EV = HARTREE_TO_EV / 2.0
BOLTZMANN_EV_PER_K = BOLTZMANN_J_PER_K / ELEMENTARY_CHARGE_C

WAVENUMBER_TO_EV = 100.0 * PLANCK_J_S * LIGHT_SPEED_M_PER_S / ELEMENTARY_CHARGE_C  # cm^-1
# A vibration of force constant k (eV/Å²) and mass m (amu) has the wavenumber sqrt(k/m) times this.
ROOT_EV_PER_ANGSTROM2_AMU_TO_WAVENUMBER = math.sqrt(ELEMENTARY_CHARGE_C * 1e20 / ATOMIC_MASS_KG) / (
    200.0 * math.pi * LIGHT_SPEED_M_PER_S
)
# ħ²/amu in eV Å²
REDUCED_PLANCK_SQUARED_PER_AMU = (
    (PLANCK_J_S / (2.0 * math.pi)) ** 2 * 1e20 / (ATOMIC_MASS_KG * ELEMENTARY_CHARGE_C)
)

BOHR_TO_ANGSTROM = 0.529177210903
NM_TO_ANGSTROM = 10.0
ANGSTROM_TO_NM = 0.1

FS_TO_PS = 1e-3
AMU_PER_ANGSTROM3_TO_G_PER_CM3 = ATOMIC_MASS_KG * 1e27  # kg to g 1e3, Å^-3 to cm^-3 1e24

EV_PER_ANGSTROM3_TO_GPA = ELEMENTARY_CHARGE_C * 1e21  # 160.2176634
EV_PER_ANGSTROM3_TO_BAR = EV_PER_ANGSTROM3_TO_GPA * 1e4
MPA_TO_BAR = 10.0

_ENERGY_IN_EV = {
    "ev": 1.0,
    "mev": 1e-3,
    "hartree": HARTREE_TO_EV,
    "ha": HARTREE_TO_EV,
    "rydberg": RYDBERG_TO_EV,
    "ry": RYDBERG_TO_EV,
    "kcal/mol": KCAL_PER_MOL_TO_EV,
    "kj/mol": KJ_PER_MOL_TO_EV,
}
_LENGTH_IN_ANGSTROM = {
    "angstrom": 1.0,
    "å": 1.0,
    "a": 1.0,
    "bohr": BOHR_TO_ANGSTROM,
    "nm": NM_TO_ANGSTROM,
}


def energy_factor(unit: str) -> float:
    """Return the number of eV in one ``unit`` of energy; raises `ConfigError` for a unit it does not know."""
    return _factor(unit, _ENERGY_IN_EV, "energy")


def length_factor(unit: str) -> float:
    """Return the number of Å in one ``unit`` of length; raises `ConfigError` for a unit it does not know."""
    return _factor(unit, _LENGTH_IN_ANGSTROM, "length")


def _factor(unit: str, table: dict[str, float], what: str) -> float:
    try:
        return table[unit.strip().lower()]
    except KeyError:
        known = ", ".join(table)
        raise ConfigError(
            f"unknown {what} unit {unit!r}{nearest(unit.lower(), table)}; known are {known}"
        ) from None
