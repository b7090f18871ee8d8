"""What lies in the folder of an i-PI run: which files hold what, of how many beads, at which temperature.

i-PI says nothing of this in its output files; it is in the XML that the run was started from. i-PI's own input classes read it
here, but nothing is *fetched* that would open sockets or load a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax import SAXParseException

import numpy as np

from nequip_openmm.errors import DataError

__all__ = ["Replica", "read_layout"]

INPUTS = ("input.xml", "RESTART")  # in this order; RESTART holds the whole input as well
SORTED = "SRT_"  # how i-pi-remdsort names what it has sorted by temperature


@dataclass(frozen=True)
class Replica:
    """One simulated system of a run; there are several in replica exchange only.

    Attributes
    ----------
    name
        Folder, and the system's prefix if there are several.
    properties
        Files of columns.
    positions, centroid
        XYZ files of every bead that was written, in order of beads; file of the centroid, if there is one.
    n_beads
        Beads of a ring polymer.
    temperature
        In K, of the ensemble.
    timestep
        In fs.
    mode
        Such as ``nvt``.
    has_own_masses
        Whether the input gives masses of its own, rather than those of the elements.
    is_piglet
        Whether a thermostat of coloured noise adds quantum fluctuations, as PIGLET does: momenta and springs then do not have
        the distributions that the primitive estimator and the temperature assume.
    """

    name: str
    properties: tuple[Path, ...]
    positions: tuple[Path, ...]
    centroid: Path | None
    n_beads: int
    temperature: float
    timestep: float
    mode: str
    has_own_masses: bool
    is_piglet: bool = False


def read_layout(folder: Path) -> list[Replica]:
    """Return the systems that were simulated in a folder.

    Raises
    ------
    DataError
        If it holds no input of i-PI, or one whose outputs have no averages to report.
    """
    source = _input_of(folder)
    with _complaints_of_ipi(source):
        simulation = _parsed(source)
        systems = [system for key, value in simulation.extra for system in _systems(key, value)]
        is_exchange = simulation.smotion.mode.fetch() != "dummy"
        outputs = simulation.output.fetch()
        replicas = [
            _replica(folder, source, system, outputs, is_one_of_many=len(systems) > 1, is_exchange=is_exchange)
            for system in systems
        ]  # fmt: skip
    if not replicas:
        raise DataError(f"{source}: describes no system")
    return replicas


@contextmanager
def _complaints_of_ipi(source: Path) -> Iterator[None]:
    """Turn what i-PI raises about an input into one line; what it prints besides goes nowhere."""
    try:
        with redirect_stdout(StringIO()):
            yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror}") from error
    except (SAXParseException, ValueError, TypeError, NameError, KeyError, IndexError) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{source}: is no input that i-PI can read: {text}") from error


def _input_of(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; give the folder in which i-PI ran")
    found = [folder / name for name in INPUTS if (folder / name).is_file()]
    others = sorted(folder.glob("*.xml"))
    if found:
        return found[0]
    if len(others) == 1:
        return others[0]
    raise DataError(
        f"{folder}: holds no input.xml and no RESTART of i-PI; give the folder in which i-PI ran"
    )


def _parsed(source: Path) -> Any:
    """Return i-PI's view of an input file."""
    from ipi.inputs.simulation import InputSimulation
    from ipi.utils.io.inputs.io_xml import xml_parse_file

    with source.open(encoding="utf-8") as file:
        simulation = InputSimulation()
        simulation.parse(xml_parse_file(file).fields[0][1])
    return simulation


def _systems(key: str, value: Any) -> list[Any]:
    """Return the systems behind one tag; templates are filled in as i-PI does."""
    if key == "system":
        return [value]
    if key != "system_template":
        return []
    from ipi.inputs.system import InputSystem
    from ipi.utils.io.inputs.io_xml import xml_parse_string

    systems = []
    for tag, instance in value.extra:
        if tag != "instance":
            continue
        text = value.template.fetch()
        # longest labels first, so that TEMP does not change TEMP2
        for label, word in sorted(zip(value.labels.fetch(), instance.fetch()), reverse=True):
            text = text.replace(label, word)
        system = InputSystem()
        system.parse(xml_parse_string(text).fields[0][1])
        systems.append(system)
    return systems


def _replica(
    folder: Path,
    source: Path,
    system: Any,
    outputs: Any,
    *,
    is_one_of_many: bool,
    is_exchange: bool,
) -> Replica:
    from ipi.engine.outputs import PropertyOutput
    from ipi.utils.units import unit_to_user

    if system.motion.mode.fetch() != "dynamics":
        raise DataError(
            f"{source}: is a run of '{system.motion.mode.fetch()}', not of dynamics, and has no averages to report"
        )
    prefix = system.prefix.fetch()
    stem = (f"{prefix}_" if prefix else "") + (f"{outputs.prefix}." if outputs.prefix else "")
    stem = _sorted(folder, stem) if is_exchange else stem
    files = [output for output in outputs if isinstance(output, PropertyOutput)]
    properties = tuple(folder / f"{stem}{output.filename}" for output in files)
    motion = system.motion.dynamics
    return Replica(
        name=f"{_shown(folder)}:{prefix}" if is_one_of_many else _shown(folder),
        properties=tuple(path for path in properties if path.is_file()),
        positions=_trajectory(folder, stem, outputs, "positions"),
        centroid=next(iter(_trajectory(folder, stem, outputs, "x_centroid")), None),
        n_beads=system.initialize.nbeads.fetch() or system.beads.nbeads.fetch(),
        temperature=float(unit_to_user("temperature", "kelvin", system.ensemble.temperature.fetch())),
        timestep=float(unit_to_user("time", "femtosecond", motion.timestep.fetch())),
        mode=motion.mode.fetch(),
        has_own_masses=any(tag == "masses" for tag, _ in system.initialize.extra),
        is_piglet=_is_piglet(motion.thermostat),
    )  # fmt: skip


def _is_piglet(thermostat: Any) -> bool:
    """Return whether a thermostat has a stationary covariance that is not that of one temperature (M. Ceriotti and
    D. E. Manolopoulos, Phys. Rev. Lett. 109, 100604 (2012), doi:10.1103/PhysRevLett.109.100604).
    """
    covariance = np.asarray(thermostat.C.fetch())
    if covariance.ndim < 2:  # none given: canonical
        return False
    return not np.allclose(covariance, covariance.flat[0] * np.eye(covariance.shape[-1]))


def _shown(folder: Path) -> str:
    return str(folder) if folder.name else folder.resolve().name  # of "."


def _trajectory(folder: Path, stem: str, outputs: Any, what: str) -> tuple[Path, ...]:
    """Return the XYZ files that hold a quantity, by bead."""
    from ipi.engine.outputs import TrajectoryOutput
    from ipi.engine.properties import getkey

    for output in outputs:
        is_wanted = isinstance(output, TrajectoryOutput) and getkey(output.what) == what
        if is_wanted and output.format == "xyz":
            bead = "_*" if what == "positions" else ""
            # i-PI pads the number of the bead with zeros, so that names sort by bead
            return tuple(sorted(folder.glob(f"{stem}{output.filename}{bead}.xyz")))
    return ()


def _sorted(folder: Path, stem: str) -> str:
    """Return the prefix of outputs sorted by temperature.

    In replica exchange i-PI's files follow replicas, whose temperatures change; averages over them mean nothing.
    """
    raw, in_order = _newest(folder, stem), _newest(folder, f"{SORTED}{stem}")
    if in_order is None or (raw is not None and raw > in_order):
        state = "was not sorted" if in_order is None else "has gone on since it was sorted"
        raise DataError(
            f"{folder}: replicas exchanged their temperatures, so that {stem}* mixes them, and {state}; "
            "run `i-pi-remdsort RESTART` in that folder, then repeat this command"
        )
    return f"{SORTED}{stem}"


def _newest(folder: Path, stem: str) -> float | None:
    """Return when a file whose name begins so was last written."""
    return max((path.stat().st_mtime for path in folder.glob(f"{stem}*")), default=None)
