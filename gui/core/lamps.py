"""What i-PI and each of its drivers are doing, from the events of a run: one lamp each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

__all__ = ["IPI_LOG", "Lamp", "LampState", "Lamps", "lamps_of"]

IPI_LOG = "ipi.log"
_NUMBER = re.compile(r"driver (\d+)")


class LampState(Enum):
    """What a process does; the value is the word beside its lamp."""

    OFF = "not started"
    STARTING = "starting"
    WAITING = "waiting"
    CONNECTED = "connected"
    WORKING = "working"
    DEAD = "died"
    GIVEN_UP = "given up"
    ENDED = "ended"


ALIVE = frozenset({LampState.STARTING, LampState.WAITING, LampState.CONNECTED, LampState.WORKING})


@dataclass(frozen=True)
class Lamp:
    """One process.

    Attributes
    ----------
    name
        As a person calls it.
    state
        What it does.
    detail
        More about it, one line; may be empty.
    log
        Its file in the run folder.
    pid
        Its process number, where known.
    """

    name: str
    log: str
    state: LampState = LampState.OFF
    detail: str = ""
    pid: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.state in ALIVE

    @property
    def can_be_restarted(self) -> bool:
        """Whether starting it again could help."""
        return self.state in (LampState.DEAD, LampState.GIVEN_UP)


@dataclass(frozen=True)
class Lamps:
    """All processes of a run.

    Attributes
    ----------
    server
        i-PI.
    drivers
        By number, from 1; none where i-PI evaluates the model itself.
    is_told
        Whether the run says itself what its drivers do, so that nothing has to be concluded.
    """

    server: Lamp = Lamp("i-PI", IPI_LOG)
    drivers: tuple[Lamp, ...] = ()
    is_told: bool = False

    @classmethod
    def of(cls, n_drivers: int) -> Lamps:
        """Return lamps that are off."""
        return cls(drivers=tuple(_driver(number + 1) for number in range(n_drivers)))

    @property
    def n_alive(self) -> int:
        """Drivers that are there."""
        return sum(lamp.is_alive for lamp in self.drivers)

    @property
    def n_working(self) -> int:
        """Drivers that compute."""
        return sum(lamp.state is LampState.WORKING for lamp in self.drivers)

    @property
    def is_waiting(self) -> bool:
        """Whether i-PI is up and no driver works for it yet, or any more."""
        return self.server.is_alive and bool(self.drivers) and not self.n_working

    def after(self, event: Mapping[str, Any]) -> Lamps:
        """Return the lamps after an event; one that says nothing of them changes nothing."""
        handler = _HANDLERS.get(event.get("ev", ""))
        return self if handler is None else handler(self, event)

    def with_server(self, state: LampState, detail: str = "", pid: int | None = None) -> Lamps:
        """Return the same with another lamp of i-PI."""
        changed = replace(self.server, state=state, detail=detail, pid=pid or self.server.pid)
        return replace(self, server=changed)

    def with_driver(
        self, number: int, state: LampState, detail: str = "", pid: int | None = None
    ) -> Lamps:
        """Return the same with another lamp of a driver, counted from 1; more drivers appear as they are named."""
        drivers = [*self.drivers, *(_driver(k + 1) for k in range(len(self.drivers), number))]
        old = drivers[number - 1]
        drivers[number - 1] = replace(old, state=state, detail=detail, pid=pid or old.pid)
        return replace(self, drivers=tuple(drivers))

    def all_ended(self) -> Lamps:
        """Return the same after the run: nothing is alive."""
        lamps = self
        if lamps.server.is_alive:
            lamps = lamps.with_server(LampState.ENDED)
        for number, lamp in enumerate(lamps.drivers, 1):
            if lamp.is_alive:
                lamps = lamps.with_driver(number, LampState.ENDED)
        return lamps


def lamps_of(events: Iterable[Mapping[str, Any]], n_drivers: int = 0) -> Lamps:
    """Return the lamps after a run's events so far."""
    lamps = Lamps.of(n_drivers)
    for event in events:
        lamps = lamps.after(event)
    return lamps


# --- events -----------------------------------------------------------------------------------------------------------------


def _driver(number: int) -> Lamp:
    return Lamp(f"Driver {number}", f"driver-{number}.log")


def _on_hello(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    """A run that begins, or goes on, has new processes."""
    spec = event.get("spec") or {}
    n_drivers = 0 if spec.get("ffdirect") else int(spec.get("processes", len(lamps.drivers) or 1))
    return Lamps.of(n_drivers)


def _on_status(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    state = event.get("state")
    if state == "starting":
        lamps = lamps.with_server(LampState.STARTING, "", event.get("server"))
        for number, pid in enumerate(event.get("drivers") or (), 1):
            lamps = lamps.with_driver(number, LampState.STARTING, "loading the model", pid)
    elif state == "running":
        lamps = _all_work(lamps)
    elif state == "stopping" and lamps.server.is_alive:
        lamps = lamps.with_server(lamps.server.state, "saving and ending")
    return lamps


def _all_work(lamps: Lamps) -> Lamps:
    """A row of properties is there: i-PI runs, and drivers that were starting have answered."""
    if lamps.server.state is not LampState.WORKING:
        lamps = lamps.with_server(LampState.WORKING)
    for number, lamp in enumerate(lamps.drivers, 1):
        if lamp.state in (LampState.STARTING, LampState.WAITING) and not lamps.is_told:
            lamps = lamps.with_driver(number, LampState.WORKING)
    return lamps


def _on_warning(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    state = _BY_WARNING.get(event.get("code", ""))
    found = _NUMBER.search(str(event.get("msg", "")))
    if state is None or found is None or lamps.is_told:
        return lamps
    detail = "loading the model" if state is LampState.STARTING else str(event["msg"])
    return lamps.with_driver(int(found.group(1)), state, detail)


def _on_driver(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    state = _BY_WORD.get(str(event.get("state")))
    if state is None:
        return lamps
    number, text = int(event.get("number") or 1), str(event.get("msg") or "")
    return replace(lamps.with_driver(number, state, text, event.get("pid")), is_told=True)


def _on_server(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    state = _BY_WORD.get(str(event.get("state")))
    if state is None:
        return lamps
    return lamps.with_server(state, str(event.get("msg") or ""), event.get("pid"))


def _on_error(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    code, title = event.get("code"), str(event.get("title", ""))
    if code in ("ipi", "ipi-died"):
        return lamps.with_server(LampState.DEAD, title)
    if str(code).startswith("driver"):
        for number, lamp in enumerate(lamps.drivers, 1):
            if lamp.state is not LampState.WORKING:
                lamps = lamps.with_driver(number, LampState.GIVEN_UP, title)
    return lamps


def _on_done(lamps: Lamps, event: Mapping[str, Any]) -> Lamps:
    return lamps.all_ended()


_BY_WARNING = {
    "driver-died": LampState.DEAD,
    "driver-restarted": LampState.STARTING,
    "driver-given-up": LampState.GIVEN_UP,
}
_BY_WORD = {
    "starting": LampState.STARTING,
    "restarting": LampState.DEAD,  # a new one starts in a moment; msg says when
    "waiting": LampState.WAITING,
    "connected": LampState.CONNECTED,
    "running": LampState.WORKING,
    "computing": LampState.WORKING,
    "died": LampState.DEAD,
    "given-up": LampState.GIVEN_UP,
    "ended": LampState.ENDED,
}
_HANDLERS: Mapping[str, Callable[[Lamps, Mapping[str, Any]], Lamps]] = {
    "hello": _on_hello,
    "status": _on_status,
    "sample": lambda lamps, event: _all_work(lamps),
    "warning": _on_warning,
    "driver": _on_driver,
    "server": _on_server,
    "error": _on_error,
    "done": _on_done,
}
