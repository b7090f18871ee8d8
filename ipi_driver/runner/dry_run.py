"""What a run would be, without any trace on disk: for a window that shows it before it starts."""

from __future__ import annotations

import io
import shlex
from collections import Counter
from typing import Any

import ase.io
import numpy as np

from ipi_driver.inputs import Address, PimdSpec, Start, input_xml, read_start
from ipi_driver.inputs.beads import energy_deficit, suggested_beads
from ipi_driver.inputs.saved import check_saved
from ipi_driver.inputs.structure import START, TEMPLATE
from ipi_driver.inputs.transport import batch_size, latency
from ipi_driver.inputs.vibrations import highest_wavenumber
from ipi_driver.runner import files
from ipi_driver.runner.checks import MANY_ATOMS, check_start, smallest_height, warnings_about
from ipi_driver.runner.drivers import driver_options
from nequip_openmm.potential import Potential

__all__ = ["dry_run"]


def dry_run(spec: PimdSpec) -> dict[str, Any]:
    """Check a run and return what it would be, ready to be written as JSON.

    Returns
    -------
    ``n_atoms``, ``elements`` (count by symbol), ``is_periodic``, ``cell_height_A`` (None for a molecule), ``model``
    (``cutoff_A``, ``species``), ``beads`` (``n``, ``wavenumber_cm1`` of the fastest vibration, None above 500 atoms,
    ``suggested``, ``deficit``), ``batch`` (``size``, ``latency_s``), ``duration_ps``, ``warnings`` (``code``, ``msg``), ``files``
    (text by name) and ``commands`` that start it by hand.

    Raises
    ------
    UserError
        For input that cannot be simulated.
    """
    start = read_start(spec.structure, spec.frame)
    if spec.start is not None:
        check_saved(spec.start, list(start.frame.to_ase().symbols))
    address = None if spec.ffdirect else Address("nequip-preview", spec.port or _port(spec))
    text = input_xml(spec, start, address, files.PES_FILE)
    potential = check_start(spec, start)
    wavenumber = _wavenumber(start, potential)
    return {
        "n_atoms": len(start.frame),
        "elements": dict(Counter(start.frame.to_ase().symbols)),
        "is_periodic": start.is_periodic,
        "cell_height_A": smallest_height(start.cell) if start.is_periodic else None,
        "model": {"cutoff_A": potential.cutoff, "species": list(potential.species)},
        "beads": _beads(spec, wavenumber),
        "batch": {"size": batch_size(spec), "latency_s": latency(spec, len(start.frame))},
        "duration_ps": spec.time_ps(spec.steps) if spec.is_dynamics else None,
        "warnings": [
            {"code": code, "msg": message}
            for code, message in warnings_about(spec, start, potential, wavenumber)
        ],
        "files": {files.INPUT: text, START: start.to_ipi(), TEMPLATE: _template(start)},
        "commands": _commands(spec, address),
    }


def _port(spec: PimdSpec) -> int | None:
    """Return a port to show where the run will take a free one."""
    return 31415 if spec.socket == "inet" else None


def _wavenumber(start: Start, potential: Potential) -> float | None:
    if len(start.frame) > MANY_ATOMS:
        return None
    found = highest_wavenumber(potential, start.frame)
    return found if np.isfinite(found) else None


def _beads(spec: PimdSpec, wavenumber: float | None) -> dict[str, Any]:
    if wavenumber is None:
        return {"n": spec.n_beads, "wavenumber_cm1": None, "suggested": None, "deficit": None}
    temperature = min(spec.temperatures, default=spec.temperature)
    return {
        "n": spec.n_beads,
        "wavenumber_cm1": wavenumber,
        "suggested": suggested_beads(wavenumber, temperature),
        "deficit": energy_deficit(wavenumber, temperature, spec.n_beads),
    }


def _template(start: Start) -> str:
    text = io.StringIO()
    ase.io.write(text, start.template(), format="extxyz")
    return text.getvalue()


def _commands(spec: PimdSpec, address: Address | None) -> list[str]:
    server = f"i-pi {files.INPUT}"
    if address is None:
        return [server]
    return [server, f"nequip-ipi-driver {shlex.join(driver_options(spec, address))}"]
