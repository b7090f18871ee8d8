"""i-PI as a child process of the runner.

Does what the ``i-pi`` command does, and in addition: ends when the runner is gone, says why it failed, survives drivers killed
at any moment, ends when a thread of i-PI died (i-PI alone would wait for ever), and writes a checkpoint when ordered to.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import ipi.utils.softexit
from ipi.engine.simulation import Simulation
from ipi.interfaces.sockets import DriverSocket
from ipi.utils.softexit import softexit

from ipi_driver.runner.link import ORDERED, Link
from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.runs import atomic_write

__all__ = ["main"]

LATENCY_S = 0.2
"""How long i-PI's watch for signals sleeps; it also has to wake up once before i-PI can end."""


class _Server:
    def __init__(self, descriptor: int) -> None:
        self.simulation: Simulation | None = None
        self.link = Link(descriptor, self._obey)
        threading.excepthook = self._thread_died
        ipi.utils.softexit.SOFTEXITLATENCY = LATENCY_S
        DriverSocket.recv_into = _recv_into

    def run(self, path: str) -> None:
        """Run a simulation; does not return."""
        try:
            with open(path, encoding="utf-8") as file:
                simulation = Simulation.load_from_xml(file, request_banner=True)
            softexit.hard_exit = True
            self.simulation = simulation
            self.link.report("running")
            simulation.run()
            softexit.trigger(status=simulation.exit_status, message=simulation.exit_message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the runner shall know
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Report, save what was consistent last, and end: a process that raised leaves its socket otherwise."""
        self._report(error)
        try:
            _print_traceback(error)
            softexit.cleanup("restartable", " @runner: the simulation failed.")
        except Exception as another:  # noqa: BLE001 - the first has been reported
            _print_traceback(another)
        finally:
            os._exit(1)

    def _thread_died(self, event: threading.ExceptHookArgs) -> None:
        if isinstance(event.exc_value, Exception):
            self._report(event.exc_value)
            _print_traceback(event.exc_value)
            os.kill(os.getpid(), signal.SIGTERM)

    def _report(self, error: Exception) -> None:
        self.link.report(
            "failure",
            type=type(error).__name__,
            message=" ".join(str(error).split()),
            errno=getattr(error, "errno", None),
            filename=getattr(error, "filename", None),
            is_users=isinstance(error, UserError),
            code=getattr(error, "code", None) if isinstance(error, RunFailed) else None,
            hint=getattr(error, "hint", ""),
        )

    # --- orders -----------------------------------------------------------------------------------------------------

    def _obey(self, order: dict[str, Any]) -> None:
        if order.get("cmd") == "checkpoint" and self.simulation is not None:
            try:
                self._checkpoint(self.simulation)
            except OSError as error:
                self._report(error)

    def _checkpoint(self, simulation: Simulation) -> None:
        """Write the state after the last whole step, which i-PI keeps for a soft exit."""
        with softexit.lock:  # held by i-PI while it replaces that state
            step = int(simulation.chk.status.step.fetch())
            text = simulation.chk.status.write(name="simulation")
        with atomic_write(Path(ORDERED)) as temporary:
            temporary.write_text(text, encoding="utf-8")
        self.link.report("checkpoint", path=ORDERED, step=step)


def _recv_into(connection: socket.socket, *buffer: Any) -> int:
    """Read as sockets do, a reset of the connection being the end of it.

    So end the connections of a machine that fails, and of a driver whose guard was killed as well (see `ipi_driver.guard`).
    i-PI 3.3 knows the end of a stream only.
    """
    try:
        return socket.socket.recv_into(connection, *buffer)
    except ConnectionError:
        return 0


def _print_traceback(error: Exception) -> None:
    """Print, unless there is no room for it; then i-PI shall print nothing more either, which would fail as well."""
    try:
        traceback.print_exception(error)
    except OSError:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end


def main() -> None:
    """Run ``server.py DESCRIPTOR FOLDER INPUT``."""
    descriptor, folder, path = sys.argv[1:]
    os.chdir(folder)
    _Server(int(descriptor)).run(path)


if __name__ == "__main__":
    main()
