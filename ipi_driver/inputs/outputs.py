"""What i-PI writes: properties with their units, trajectories, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ipi_driver.inputs.element import element
from ipi_driver.inputs.spec import PimdSpec

__all__ = ["CENTROID", "CHECKPOINT", "POSITIONS", "PREFIX", "PROPERTIES", "output", "properties"]

PREFIX = "simulation"
PROPERTIES = "out"
POSITIONS = "pos"
CENTROID = "xc"
CHECKPOINT = "chk"

_QUANTUM = {
    "kinetic_cv": "electronvolt",
    "kinetic_td": "electronvolt",
    "r_gyration": "angstrom",
}


def output(spec: PimdSpec, symbols: Sequence[str], *, is_periodic: bool) -> Element:
    """Return the ``<output>`` element.

    Parameters
    ----------
    symbols
        Elements of the structure, each once.
    is_periodic
        Whether volume and pressure mean something.
    """
    result = element("output", prefix=PREFIX)
    names = properties(spec, symbols, is_periodic=is_periodic)
    result.append(_properties(names, spec.thermo_interval))
    result.extend(_trajectories(spec))
    result.append(
        element(
            "checkpoint",
            filename=CHECKPOINT,
            stride=spec.checkpoint_interval,
            overwrite=False,
        )
    )
    return result


def properties(spec: PimdSpec, symbols: Sequence[str], *, is_periodic: bool) -> list[str]:
    """Return the columns, units included.

    Of path integrals the estimators of the physical system are written (``*_cv``, ``*_td``): those named ``*_md`` are of the
    extended ring polymer, that is, too large by the number of beads.
    """
    names = ["step"]
    if spec.is_dynamics:
        names += ["time{picosecond}", "conserved{electronvolt}", "temperature{kelvin}"]
    names += ["potential{electronvolt}"]
    if spec.is_dynamics:
        names += _kinetic(spec, symbols)
    if is_periodic and spec.is_dynamics:
        pressure = "pressure_cv" if spec.n_beads > 1 else "pressure_md"
        names += ["volume{angstrom3}", "density{g/cm3}", f"{pressure}{{megapascal}}"]
    return names


def _kinetic(spec: PimdSpec, symbols: Sequence[str]) -> list[str]:
    if spec.n_beads == 1:
        return ["kinetic_md{electronvolt}"]
    units = dict(_QUANTUM)
    if spec.mode == "piglet":  # gives the springs a distribution of its own
        del units["kinetic_td"]
    total = [f"{name}{{{unit}}}" for name, unit in units.items()]
    each = [f"{name}({symbol}){{{unit}}}" for symbol in symbols for name, unit in units.items()]
    return total + each


def _properties(names: Sequence[str], interval: int) -> Element:
    return element(
        "properties", f"[ {', '.join(names)} ]", filename=PROPERTIES, stride=interval, flush=1
    )


def _trajectories(spec: PimdSpec) -> list[Element]:
    wanted = {
        POSITIONS: ("positions{angstrom}", spec.trajectory != "centroid" or spec.n_beads == 1),
        CENTROID: ("x_centroid{angstrom}", spec.trajectory != "beads" and spec.n_beads > 1),
    }
    return [
        element(
            "trajectory",
            what,
            filename=name,
            stride=spec.trajectory_interval,
            format="xyz",
            cell_units="angstrom",
        )
        for name, (what, is_wanted) in wanted.items()
        if is_wanted
    ]
