"""What a running i-PI simulation says: the same events as one in OpenMM, from i-PI's output files."""

from __future__ import annotations

import logging
import re
from typing import Any

from rich.console import Console

from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.runner.tail import FrameTail
from nequip_openmm.runs import EventStream
from nequip_openmm.runs.progress import Pace, ProgressBar, Throttle
from nequip_openmm.units import MPA_TO_BAR

__all__ = ["Row", "Teller", "logger"]

logger = logging.getLogger(
    "nequip_openmm.pimd"
)  # a child of the logger that a run folder's log listens to
Row = dict[str, float]
_OF_ELEMENT = re.compile(r"(kinetic_cv|kinetic_td|r_gyration)\((\w+)\)")
_IN_EVENTS = {"kinetic_cv": "ekin", "kinetic_td": "ekin_td", "r_gyration": "r_gyration"}
_AT_ONCE = 5  # samples; the files are looked at ten times a second


class Teller:
    """Writes to the event stream, and to the console what a person should see.

    Files get every sample and frame; the stream some of those that came together, the last always.

    Parameters
    ----------
    spec
        Number and length of the steps.
    events
        The stream.
    console
        Where to show progress and warnings, or None.
    """

    def __init__(self, spec: PimdSpec, events: EventStream, console: Console | None) -> None:
        self._spec = spec
        self._events = events
        self._console = console
        self._pace = Pace(spec.steps, spec.timestep)
        self._progress_is_due = Throttle(0.5)

    def samples(self, rows: list[Row], replica: int) -> None:
        """Tell rows of properties that were found together: a few, the last of them always."""
        stride = -(-len(rows) // _AT_ONCE)
        for row in reversed(rows[::-stride]):
            self._sample(row, replica)

    def _sample(self, row: Row, replica: int) -> None:
        """Tell a row; energies in eV, of the physical system and not of the ring polymer."""
        kinetic = row.get("kinetic_cv", row.get("kinetic_md"))
        potential = row.get("potential")
        pressure = row.get("pressure_cv", row.get("pressure_md"))
        values = {
            "t_ps": row.get("time"),
            "epot": potential,
            "ekin": kinetic,
            "etot": None if kinetic is None or potential is None else kinetic + potential,
            "temp": self._temperature(row),
            "temp_target": self._target(replica),
            "volume": row.get("volume"),
            "density": row.get("density"),
            "pressure": None if pressure is None else pressure * MPA_TO_BAR,
            "ekin_td": row.get("kinetic_td"),
            "conserved": row.get("conserved"),
            "r_gyration": row.get("r_gyration"),
        }
        extra: dict[str, Any] = {"replica": replica} if self._spec.mode == "remd" else {}
        if elements := _by_element(row):
            extra["elements"] = elements
        self._events.emit("sample", step=int(row["step"]), **values, **extra)

    def frame(self, tail: FrameTail) -> None:
        """Tell that a frame has been written, and where it ends."""
        self._events.emit(
            "frame", step=tail.step, path=tail.path.name, bytes=tail.bytes, frames=tail.frames
        )

    def progress(self, step: int, last: Row | None, bar: ProgressBar) -> None:
        """Tell how far the run is and how fast."""
        if not self._progress_is_due() and step < self._spec.steps:
            return
        speed = self._pace.observe(step)
        bar.update(step, speed, self._temperature(last or {}))
        self._events.progress(step, self._spec.steps, speed.eta_s, ns_per_day=speed.ns_per_day)

    def driver(self, number: int, state: str, pid: int | None, message: str = "") -> None:
        """Tell what has become of a driver.

        States: starting (loads the model), waiting (for i-PI), connected, computing (has answered a request), died, ended,
        restarting (an order), given-up.
        """
        logger.info("driver %d: %s %s", number, state, message)
        self._events.emit("driver", number=number, state=state, pid=pid, msg=message)

    def server(self, state: str, pid: int, message: str = "") -> None:
        """Tell what has become of i-PI: starting, running (has done a step), ended."""
        self._events.emit("server", state=state, pid=pid, msg=message)

    def warn(self, code: str, message: str, **fields: Any) -> None:
        """Tell what a person should know and the run can bear."""
        logger.warning(message)
        self._events.warning(code, message, **fields)
        if self._console is not None:
            self._console.print(f"warning: {message}", style="yellow", markup=False)

    def _temperature(self, row: Row) -> float | None:
        """Return the temperature of the momenta, to which PIGLET gives a distribution of its own."""
        return row.get("temperature") if self._spec.mode != "piglet" else None

    def _target(self, replica: int) -> float | None:
        if not self._spec.has_thermostat or self._spec.mode == "piglet":
            return None
        return (self._spec.temperatures or (self._spec.temperature,))[replica]


def _by_element(row: Row) -> dict[str, dict[str, float]]:
    """Return the columns of single elements, such as ``{"H": {"ekin": 0.91, "ekin_td": 0.92, "r_gyration": 0.14}}``."""
    found: dict[str, dict[str, float]] = {}
    for column, value in row.items():
        if (match := _OF_ELEMENT.fullmatch(column)) is not None:
            found.setdefault(match[2], {})[_IN_EVENTS[match[1]]] = value
    return found
