"""The driver processes of a run: started, watched, started again when they died."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.structure import TEMPLATE
from ipi_driver.inputs.transport import MODEL, Address
from ipi_driver.runner.child import Child
from ipi_driver.runner.telling import Teller
from nequip_openmm.errors import RunFailed
from nequip_openmm.runs import RunFolder

__all__ = ["Drivers", "driver_options"]

CLIENT = "ipi_driver.runner.client"
RETRY_S = 120.0  # for i-PI to open its socket
EVERYWHERE = "0.0.0.0"  # as the address that a server listens on
_DISMISSED = 0  # by EXIT, or because i-PI has hung up: most likely the run is over
_USER_ERROR, _FAILED = 2, 3  # exit codes after which another try would end the same way
_FAREWELL_S = 5.0  # i-PI needs no longer to end after it has dismissed its drivers
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0
_GRACE_S = 10.0  # for the evaluation in flight
_THREADS = "OMP_NUM_THREADS"


@dataclass
class _Slot:
    """One of the processes that there should be."""

    number: int
    child: Child | None = None
    restart_at: float = 0.0  # infinite: not before it is ordered
    deaths: int = 0


class Drivers:
    """All driver processes of one run.

    Parameters
    ----------
    spec, folder, address
        What they compute, where they write, and where i-PI listens.
    teller
        Is told of every change and every death.
    may_wait
        Whether somebody can order a restart: a driver that keeps dying is then given up, and else the run.
    """

    def __init__(
        self, spec: PimdSpec, folder: RunFolder, address: Address, teller: Teller, *, may_wait: bool
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._address = address
        self._teller = teller
        self._may_wait = may_wait
        self._slots = [_Slot(number + 1) for number in range(spec.processes)]
        self._deaths = 0

    @property
    def pids(self) -> list[int]:
        """Process numbers of those that run."""
        return [slot.child.pid for slot in self._slots if slot.child is not None]

    def start(self) -> None:
        """Start all."""
        for slot in self._slots:
            self._start(slot)

    def watch(self) -> None:
        """Look at every process; start those again that died, after a while.

        Raises
        ------
        RunFailed
            If one ended for a reason that would end the next one too, or too many died.
        """
        for slot in self._slots:
            if slot.child is None:
                if time.monotonic() >= slot.restart_at:
                    self._start(slot)
                    text = f"driver {slot.number} was started again"
                    self._teller.warn("driver-restarted", text, driver=slot.number)
                continue
            code = slot.child.exit_code()  # before its last reports are read
            self._pass_on(slot, slot.child)
            if code is not None:
                self._bury(slot, slot.child, code)

    def restart(self, number: int = 0) -> bool:
        """Start a driver again, dead or alive, or all of them (0); return whether there is such a driver."""
        slots = [slot for slot in self._slots if number in (0, slot.number)]
        for slot in slots:
            if slot.child is not None:  # it may hang, and i-PI survives its death
                self._pass_on(slot, slot.child)
                slot.child.end(0.0)
                slot.child.close()
                slot.child = None
            slot.deaths, slot.restart_at = 0, 0.0
            self._teller.driver(slot.number, "restarting", None, "a restart was ordered")
        self._deaths = 0
        return bool(slots)

    def note_progress(self) -> None:
        """Forget earlier deaths: the run has come further since."""
        self._deaths = 0
        for slot in self._slots:
            slot.deaths = 0

    def end(self, *, is_urgent: bool = False) -> None:
        """Wait for all to end, which i-PI has told them to; ask, then kill those that do not."""
        children = [slot.child for slot in self._slots if slot.child is not None]
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + (1.0 if is_urgent else _GRACE_S)
        for child in children:
            child.end(max(0.0, deadline - time.monotonic()))
            child.close()
        for slot in self._slots:
            if slot.child is not None:
                self._pass_on(slot, slot.child)
                self._teller.driver(slot.number, "ended", slot.child.pid)
            slot.child = None

    def failure(self) -> RunFailed | None:
        """Return why a driver gave up, if one did."""
        for slot in self._slots:
            if slot.child is not None and slot.child.exit_code() in (_USER_ERROR, _FAILED):
                return self._explained(slot, slot.child)
        return None

    # --- one process ------------------------------------------------------------------------------------------------

    def _start(self, slot: _Slot) -> None:
        self._error_file(slot).unlink(missing_ok=True)
        log = self._folder / f"driver-{slot.number}.log"
        options = [*driver_options(self._spec, self._address), "--retry", f"{RETRY_S:g}"]
        options += ["--error-file", self._error_file(slot).name]
        slot.child = Child(CLIENT, self._folder.path, options, log, self._threads())
        self._teller.driver(slot.number, "starting", slot.child.pid)

    def _pass_on(self, slot: _Slot, child: Child) -> None:
        """Tell what a driver has reported."""
        for report in child.reports():
            if report["kind"] == "state":
                self._teller.driver(slot.number, report["value"], child.pid, report["message"])
            elif report["kind"] == "code":
                text = f"driver {slot.number}: {report['message']}"
                self._teller.warn(report["value"], text, driver=slot.number)

    def _threads(self) -> dict[str, str]:
        """Share the processors among several drivers, unless the user has said how."""
        if len(self._slots) == 1 or _THREADS in os.environ:
            return {}
        return {_THREADS: str(max(1, (os.cpu_count() or 1) // len(self._slots)))}

    def _bury(self, slot: _Slot, child: Child, code: int) -> None:
        if code in (_USER_ERROR, _FAILED):
            raise self._explained(slot, child)
        child.close()
        slot.child = None
        slot.deaths += 1
        self._deaths += 1
        if self._deaths > self._spec.max_restarts:
            self._give_up(slot, child, code)
            return
        delay = min(_FIRST_DELAY_S * 2 ** (slot.deaths - 1), _LONGEST_DELAY_S)
        if code == _DISMISSED:
            slot.restart_at = time.monotonic() + max(delay, _FAREWELL_S)
            self._teller.driver(slot.number, "ended", child.pid)
            return
        slot.restart_at = time.monotonic() + delay
        text = f"driver {slot.number} (process {child.pid}) {_how(code)}; another one starts in {delay:g} s"
        self._teller.driver(slot.number, "died", child.pid, text)
        self._teller.warn("driver-died", text, driver=slot.number)

    def _give_up(self, slot: _Slot, child: Child, code: int) -> None:
        """Wait for the order to start a driver again, or end the run if nobody can give it."""
        text = f"drivers died {_times(self._deaths)}, the last one {_how(code)}; {_end_of(child)}"
        if not self._may_wait:
            hint = f"See {child.log.name} in the run folder; then go on with --resume."
            raise RunFailed(text, code="driver-died", hint=hint)
        slot.restart_at = math.inf
        text = f"{text}; driver {slot.number} is not started again before it is ordered"
        self._teller.driver(slot.number, "given-up", child.pid, text)
        self._teller.warn("driver-given-up", text, driver=slot.number)

    def _explained(self, slot: _Slot, child: Child) -> RunFailed:
        """Return what the driver said about its failure."""
        try:
            told = json.loads(self._error_file(slot).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            text = f"driver {slot.number} gave up; {_end_of(child)}"
            return RunFailed(text, code="driver-failed", hint=f"See {child.log.name}.")
        text = " ".join(filter(None, (told.get("title"), told.get("detail"))))
        return RunFailed(text, code=told.get("code", "driver-failed"), hint=told.get("hint", ""))

    def _error_file(self, slot: _Slot) -> Path:
        return self._folder / f"driver-{slot.number}_error.json"


def driver_options(spec: PimdSpec, address: Address) -> list[str]:
    """Return the options with which ``nequip-ipi-driver`` serves a run, in its folder."""
    options = ["--model", MODEL, "--template", TEMPLATE]
    if address.port is None:
        options += ["--unix", "--address", address.name]
    else:
        host = "localhost" if address.name == EVERYWHERE else address.name
        options += ["--host", host, "--port", str(address.port)]
    options += ["--device", spec.device] if spec.device is not None else []
    return options + (["--dtype", spec.dtype] if spec.dtype != "auto" else [])


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times in a row"


def _end_of(child: Child) -> str:
    lines = child.last_words().strip().splitlines()
    return f"its last words: {lines[-1].strip()}" if lines else "it said nothing"
