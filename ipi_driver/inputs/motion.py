"""How the system moves: i-PI's ``<motion>`` for each mode.

Path integrals at constant temperature are thermostatted by PILE-G (M. Ceriotti et al., J. Chem. Phys. 133, 124104 (2010),
doi:10.1063/1.3489925) with the BAOAB splitting, whose primitive kinetic energy is right at four times the time step that
OBABO needs. TRPMD (M. Rossi et al., J. Chem. Phys. 140, 234116 (2014), doi:10.1063/1.4883861) leaves the centroid free.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from xml.etree.ElementTree import Element

from ipi_driver.inputs.element import element, quantity
from ipi_driver.inputs.spec import PimdSpec
from nequip_openmm.errors import ConfigError
from nequip_openmm.units import BOHR_TO_ANGSTROM, BOLTZMANN_EV_PER_K, HARTREE_TO_EV

__all__ = ["motion"]

FREE_CENTROID_FS = 1e9
"""Time constant of a thermostat that does nothing within any run."""
_EV_PER_ANGSTROM = HARTREE_TO_EV / BOHR_TO_ANGSTROM  # in one hartree/bohr
_KELVIN = {"kelvin": 1.0, "atomic_unit": HARTREE_TO_EV / BOLTZMANN_EV_PER_K}
_SAME = 0.01  # temperatures closer than this fraction
_ENSEMBLES = {"rpmd": "nve", "npt": "npt"}


def motion(spec: PimdSpec) -> Element:
    """Return the ``<motion>`` element."""
    if spec.mode == "minimise":
        return _minimiser(spec)
    ensemble = _ENSEMBLES.get(spec.mode, "nvt")
    dynamics = element("dynamics", mode=ensemble, splitting="baoab")
    dynamics.append(quantity("timestep", spec.timestep, "femtosecond"))
    if spec.has_thermostat:
        dynamics.append(_thermostat(spec))
    if spec.mode == "npt":
        dynamics.append(_barostat(spec))
    fix_com = element("fixcom", spec.fix_com)
    return element("motion", dynamics, fix_com, mode="dynamics")


def _thermostat(spec: PimdSpec) -> Element:
    if spec.mode == "piglet":
        return _gle(spec)
    if spec.n_beads == 1:
        return _langevin(spec.thermostat_tau)
    tau = FREE_CENTROID_FS if spec.mode == "trpmd" else spec.thermostat_tau
    return element(
        "thermostat",
        quantity("tau", tau, "femtosecond"),
        element("pile_lambda", spec.pile_lambda),
        mode="pile_g",
    )


def _langevin(tau_fs: float) -> Element:
    return element("thermostat", quantity("tau", tau_fs, "femtosecond"), mode="langevin")


def _barostat(spec: PimdSpec) -> Element:
    kind = "isotropic" if spec.barostat == "isotropic" else "flexible"
    return element(
        "barostat",
        quantity("tau", spec.barostat_tau, "femtosecond"),
        _langevin(spec.thermostat_tau),
        mode=kind,
    )


def _minimiser(spec: PimdSpec) -> Element:
    force = spec.force_tolerance / _EV_PER_ANGSTROM
    tolerances = element(
        "tolerances",
        quantity("energy", 1e-6, "electronvolt"),
        element("force", f"{force:.12g}", units="atomic_unit"),
        quantity("position", 1e-3, "angstrom"),
    )
    optimizer = element("optimizer", tolerances, mode="lbfgs")
    return element("motion", optimizer, element("fixcom", spec.fix_com), mode="minimize")


# --- GLE ----------------------------------------------------------------------------------------------------------------


def _gle(spec: PimdSpec) -> Element:
    """Return the thermostat with the matrices of a file, checked for the number of beads."""
    assert spec.gle is not None  # noqa: S101 - PimdSpec refuses piglet without
    matrices = _matrices(spec.gle)
    for matrix in matrices:
        _check_shape(matrix, spec)
    _check_temperature(matrices[-1], spec)
    return element("thermostat", *matrices, mode="nm_gle")


def _matrices(path: Path) -> list[Element]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"gle {path}: cannot be read: {error}") from error
    try:
        root = ET.fromstring(f"<file>{text}</file>")
    except ET.ParseError as error:
        raise ConfigError(
            f"gle {path}: is not XML as gle4md.org gives it for i-PI: {error}"
        ) from error
    found = [root.find(f".//{name}") for name in "AC"]
    if any(matrix is None for matrix in found):
        raise ConfigError(f"gle {path}: lacks a matrix <A> or <C>; take the input for i-PI, PIGLET")
    return [matrix for matrix in found if matrix is not None]


def _check_shape(matrix: Element, spec: PimdSpec) -> None:
    shape = matrix.get("shape", "").strip("() ").split(",")
    if len(shape) != 3 or shape[0].strip() != str(spec.n_beads):
        raise ConfigError(
            f"gle {spec.gle}: <{matrix.tag}> has shape {matrix.get('shape')}, but the run has {spec.n_beads} beads, "
            "which needs as many matrices; choose that number of beads at gle4md.org"
        )
    matrix.attrib.setdefault("units", "atomic_unit")  # what i-PI takes a number without units to be


def _check_temperature(covariance: Element, spec: PimdSpec) -> None:
    """Refuse matrices for another temperature; the centroid's covariance is P k_B T."""
    unit = _KELVIN.get(covariance.attrib["units"])
    if unit is None:
        return
    try:
        first = float((covariance.text or "").strip(" \t\r\n[").split(",")[0])
    except ValueError as error:
        raise ConfigError(f"gle {spec.gle}: <C> does not begin with a number") from error
    temperature = first * unit / spec.n_beads
    if abs(temperature - spec.temperature) > _SAME * spec.temperature:
        raise ConfigError(
            f"gle {spec.gle}: the matrices are for {temperature:.4g} K, the run has {spec.temperature:g} K; "
            "choose that temperature at gle4md.org"
        )
