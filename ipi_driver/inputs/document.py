"""The whole ``input.xml``."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from ipi_driver.inputs.element import element, quantity, to_text
from ipi_driver.inputs.motion import motion
from ipi_driver.inputs.outputs import output
from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.structure import START, Start
from ipi_driver.inputs.transport import FORCEFIELD, Address, forcefield
from nequip_openmm.errors import ConfigError

__all__ = ["input_xml"]

FLOAT_FORMAT = "%.16e"
"""All digits, so that a restarted run goes on from exactly the state that was saved."""


def input_xml(
    spec: PimdSpec, start: Start, address: Address | None, pes: Path | None = None
) -> str:
    """Return the text of ``input.xml`` for a run folder that holds ``start.xyz``, ``template.xyz`` and the model.

    Parameters
    ----------
    address
        Where i-PI shall listen; None with ``ffdirect``.
    pes
        The PES file, for ``ffdirect``.

    Raises
    ------
    ConfigError
        If the settings do not fit each other or the structure.
    """
    if spec.mode == "npt" and not start.is_periodic:
        raise ConfigError(
            "mode = 'npt': the structure does not repeat along three vectors, so it has no pressure; use mode pimd"
        )
    root = element(
        "simulation",
        verbosity="medium",
        floatformat=FLOAT_FORMAT,
        threading=False,  # replicas one after the other: reproducible, and every batch is full
    )
    root.append(output(spec, start.symbols, is_periodic=start.is_periodic))
    root.append(element("total_steps", spec.steps))
    root.append(element("prng", element("seed", spec.seed)))
    root.append(forcefield(spec, len(start.frame), address, pes))
    root.extend(_systems(spec, start))
    return to_text(root) + "\n"


def _systems(spec: PimdSpec, start: Start) -> list[Element]:
    """Return the system, or the template of the replicas and what exchanges them."""
    if spec.mode != "remd":
        return [_system(spec, start, f"{spec.temperature:.12g}")]
    template = element("template", _system(spec, start, "TEMPERATURE", prefix="REPLICA"))
    instances = [
        element("instance", f"[ r{i}, {t:.12g} ]") for i, t in enumerate(spec.temperatures)
    ]
    labels = element("labels", "[ REPLICA, TEMPERATURE ]")
    exchange = element("remd", element("stride", spec.exchange_interval))
    return [
        element("system_template", template, labels, *instances),
        element("smotion", exchange, mode="remd"),
    ]


def _system(spec: PimdSpec, start: Start, temperature: str, **attributes: str) -> Element:
    ensemble = element("ensemble", element("temperature", temperature, units="kelvin"))
    if spec.mode == "npt":
        ensemble.append(quantity("pressure", spec.pressure * 0.1, "megapascal"))
    return element(
        "system",
        _initialize(spec, temperature),
        element("forces", element("force", forcefield=FORCEFIELD)),
        motion(spec),
        ensemble,
        **attributes,
    )


def _initialize(spec: PimdSpec, temperature: str) -> Element:
    result = element("initialize", nbeads=spec.n_beads)
    if spec.start is not None:  # beads and velocities, as they were
        result.append(element("file", str(spec.start), mode="chk"))
        return result
    result.append(element("file", START, mode="xyz", units="angstrom"))
    if spec.is_dynamics:
        result.append(element("velocities", temperature, mode="thermal", units="kelvin"))
    return result
