"""One process's share of a run: starts i-PI and the drivers, watches them, and leaves neither process nor socket behind."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

from rich.console import Console

from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.transport import Address
from ipi_driver.runner import files
from ipi_driver.runner.child import Child
from ipi_driver.runner.drivers import Drivers
from ipi_driver.runner.endings import ended_early, explained
from ipi_driver.runner.guard import sound_rows
from ipi_driver.runner.resume import discard_states, saved_step
from ipi_driver.runner.sockets import remove_stale
from ipi_driver.runner.tail import FrameTail, PropertyTail
from ipi_driver.runner.telling import Row, Teller, logger
from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.progress import ProgressBar
from nequip_openmm.runs.signals import StopSignals

__all__ = ["Session"]

_LOOK_S = 0.1  # orders, signals, processes and files are looked at so often
_END_S = 60.0  # for i-PI to end in order
_KEPT_CHECKPOINTS = 2
_CONVERGED = "Geometry optimization converged"  # what i-PI says then
_IMPOSSIBLE = {
    "pause": "i-PI cannot pause; stop the run and go on with --resume",
    "resume": "i-PI cannot pause, so there is nothing to resume",
    "set": "i-PI cannot change settings of a running simulation; stop the run and start another from its RESTART",
}


class Session:
    """Runs i-PI with its drivers to the end.

    Parameters
    ----------
    spec, folder
        What to run and where; the inputs are written already.
    address
        Where i-PI listens; None for a model in i-PI's own process.
    n_atoms
        Atoms, for the trajectory.
    done
        Steps of earlier sessions.
    events, commands, signals, console
        Where to tell what happens, orders from outside, whether the process was asked to end, where to show progress.
    """

    def __init__(
        self,
        spec: PimdSpec,
        folder: RunFolder,
        address: Address | None,
        n_atoms: int,
        done: int,
        events: EventStream,
        commands: Commands | None,
        signals: StopSignals,
        console: Console | None,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._address = address
        self._events = events
        self._commands = commands
        self._signals = signals
        self._console = console
        self._teller = Teller(spec, events, console)
        self._properties = [PropertyTail(path) for path in files.property_files(folder, spec)]
        self._frames = FrameTail(files.trajectory_to_watch(folder, spec), n_atoms)
        self._checkpoints = {path: saved_step(path) or 0 for path in files.checkpoints(folder)}
        self._is_stopping = False
        self._deadline = 0.0
        self.step = done
        self.last: Row | None = None

    def run(self, input_file: str) -> str:
        """Run to the end; return ``"finished"`` or ``"stopped"``.

        Raises
        ------
        RunFailed
            If i-PI or the drivers failed, or the simulation blew up.
        """
        self._skip_what_was_told()
        self._free_address()
        server = Child(
            "ipi_driver.runner.server",
            self._folder.path,
            [input_file],
            self._folder / files.IPI_LOG,
        )
        self._teller.server("starting", server.pid)
        drivers = None
        try:
            if self._address is not None:
                drivers = Drivers(
                    self._spec,
                    self._folder,
                    self._address,
                    self._teller,
                    may_wait=self._commands is not None,
                )
                drivers.start()
            self._events.status(
                "starting", server=server.pid, drivers=drivers.pids if drivers else []
            )
            return self._watch(server, drivers)
        except KeyboardInterrupt:
            self._end(server, drivers, is_urgent=True)
            raise
        except RunFailed as failure:
            self._end(server, drivers)
            if failure.code == "blow-up":  # states of the way there are no good to go on from
                discard_states(self._folder, after=self.step)
            raise
        finally:
            self._end(server, drivers)

    # --- watching ---------------------------------------------------------------------------------------------------

    def _watch(self, server: Child, drivers: Drivers | None) -> str:
        failure: dict[str, Any] | None = None
        with ProgressBar(self._console, self._spec.steps, self.step) as bar:
            while server.exit_code() is None:
                time.sleep(_LOOK_S)
                failure = self._hear(server) or failure
                has_news = self._read_outputs(bar)
                self._obey(server, drivers)
                if self._is_stopping:
                    self._wait_for_end(server)
                elif drivers is not None:
                    if has_news:
                        drivers.note_progress()
                    drivers.watch()
            failure = self._hear(server) or failure
            self._read_outputs(bar)
        self._teller.server("ended", server.pid)
        return self._judge(server, drivers, failure)

    def _hear(self, server: Child) -> dict[str, Any] | None:
        """Pass reports of i-PI's process on; return the failure among them."""
        failure = None
        for report in server.reports():
            if report["kind"] == "checkpoint":
                self._events.checkpoint(report["path"], step=report["step"])
            elif report["kind"] == "running":
                self._teller.server("running", server.pid)
            else:
                failure = report
        return failure

    def _read_outputs(self, bar: ProgressBar) -> bool:
        """Check and tell what i-PI has written; return whether there were new properties."""
        has_news = False
        for replica, tail in enumerate(self._properties):
            rows, blow_up = sound_rows(tail.rows(), self._spec)
            if rows:
                has_news = True
                self._note_rows(rows, replica, bar)
            if blow_up is not None:
                raise blow_up
        if self._frames.update():
            self._teller.frame(self._frames)
        self._note_checkpoints()
        return has_news

    def _note_rows(self, rows: list[Row], replica: int, bar: ProgressBar) -> None:
        if self.last is None:
            self._events.status("running")
        self._teller.samples(rows, replica)
        if replica == 0 or self.last is None:
            self.last = rows[-1]
            self.step = int(self.last["step"])
            self._teller.progress(self.step, self.last, bar)

    def _note_checkpoints(self) -> None:
        """Tell of new checkpoints and keep the last ones; a file that is being written is looked at again.

        One beyond the last row that was checked may be of a simulation that has blown up, and takes no other's place.
        """
        present = files.checkpoints(self._folder)
        for path in present:
            if path not in self._checkpoints and (step := saved_step(path)) is not None:
                self._checkpoints[path] = step
                self._events.checkpoint(path.name, step=step)
        checked = [path for path in present if self._checkpoints.get(path, math.inf) <= self.step]
        for path in checked[:-_KEPT_CHECKPOINTS]:
            path.unlink(missing_ok=True)

    # --- orders -----------------------------------------------------------------------------------------------------

    def _obey(self, server: Child, drivers: Drivers | None) -> None:
        if self._signals.received is not None:
            self._stop(server)
        if self._commands is None:
            return
        while (unknown := self._commands.poll_unknown()) is not None:
            self._teller.warn("unknown-command", f"not a command: {unknown[:200]}")
        while (command := self._commands.poll()) is not None:
            if command.name == "stop":
                self._stop(server)
            elif command.name == "checkpoint":
                server.order("checkpoint")
            elif command.name == "restart":
                self._restart(drivers, command.values.get("driver", 0))
            else:
                self._teller.warn("bad-command", f"{command.name}: {_IMPOSSIBLE[command.name]}")

    def _restart(self, drivers: Drivers | None, number: Any) -> None:
        if drivers is None:
            self._teller.warn("bad-command", "restart: i-PI evaluates the model itself")
        elif not (self._is_stopping or drivers.restart(number)):
            self._teller.warn("bad-command", f"restart: there is no driver {number!r}")

    def _stop(self, server: Child) -> None:
        """Ask i-PI to end; it saves the last whole step as RESTART and dismisses the drivers."""
        if not self._is_stopping:
            self._is_stopping = True
            self._deadline = time.monotonic() + _END_S
            self._events.status("stopping", step=self.step)
            server.ask_to_end()

    def _wait_for_end(self, server: Child) -> None:
        """Kill an i-PI that does not end."""
        if time.monotonic() > self._deadline:
            server.end(0.0)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _judge(self, server: Child, drivers: Drivers | None, failure: dict[str, Any] | None) -> str:
        """Return how it ended; i-PI's exit code says little, the last saved step says it."""
        if failure is not None:
            raise explained(failure, self.step)
        if drivers is not None and (told := drivers.failure()) is not None:
            raise told
        done = saved_step(self._folder / files.RESTART)
        if done is not None:
            self.step = done
        if not self._spec.is_dynamics and not self._is_stopping:
            return self._judge_relaxation(server)
        if self.step >= self._spec.steps:
            return "finished"
        if self._is_stopping and (done is not None or self.last is None):
            return "stopped"  # in order, or before there was anything to save
        raise ended_early(server.exit_code(), self.step, self._spec.steps)

    def _judge_relaxation(self, server: Child) -> str:
        if _CONVERGED not in server.last_words():
            if self.step < self._spec.steps:
                raise ended_early(server.exit_code(), self.step, self._spec.steps)
            text = f"the relaxation has not converged to force_tolerance = {self._spec.force_tolerance:g} eV/Å"
            self._teller.warn("not-converged", f"{text} in {self._spec.steps} steps")
        return "finished"

    def _end(self, server: Child, drivers: Drivers | None, *, is_urgent: bool = False) -> None:
        """End every process; remove the socket of one that was killed."""
        server.ask_to_end()
        server.end(2.0 if is_urgent else _END_S)
        server.close()
        if drivers is not None:
            drivers.end(is_urgent=is_urgent)
        with suppress(UserError):
            self._free_address()

    def _free_address(self) -> None:
        path = self._address.path if self._address is not None else None
        if path is not None and remove_stale(path):
            logger.info("removed the socket %s, on which nobody listened", path)

    def _skip_what_was_told(self) -> None:
        """Read what earlier sessions have written, without telling it again."""
        for tail in self._properties:
            tail.skip()
        self._frames.update()
