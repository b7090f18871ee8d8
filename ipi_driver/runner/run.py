"""Path integrals in i-PI from a specification: checks, the run folder, and the result."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from ipi_driver.inputs import Address, PimdSpec, new_address
from ipi_driver.runner import files
from ipi_driver.runner.drivers import driver_options
from ipi_driver.runner.plan import Plan, require_ipi
from ipi_driver.runner.resume import (
    CONTINUE,
    address_of,
    newest_state,
    prepare_restart,
    refuse_second_run,
)
from ipi_driver.runner.session import Session
from ipi_driver.runner.telling import Row, logger
from nequip_openmm.errors import ConfigError, RunFailed
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.failures import failures_told, logged_to
from nequip_openmm.runs.signals import StopSignals

__all__ = ["PimdResult", "prepare_pimd", "resume_pimd", "run_pimd"]


@dataclass(frozen=True)
class PimdResult:
    """What a run left.

    Attributes
    ----------
    folder
        The run folder; ``simulation.out`` and the trajectories are in it.
    reason
        ``"finished"``, or ``"stopped"`` before the last step.
    signal
        Number of the signal that stopped it, or None.
    step
        Steps done, those of earlier sessions included.
    wall_time_s
        Seconds that this session took, the start of i-PI and the drivers included.
    last
        The last row of properties; None if there was none.
    """

    folder: Path
    reason: str
    signal: int | None
    step: int
    wall_time_s: float
    last: Row | None


def run_pimd(
    spec: PimdSpec,
    output: Path | str,
    *,
    events: str | None = None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> PimdResult:
    """Run i-PI with drivers into a new folder.

    Parameters
    ----------
    output
        The folder: ``spec.yaml``, ``events.jsonl``, ``log.txt``, ``input.xml``, ``start.xyz``, ``template.xyz``,
        ``model.safetensors``, i-PI's ``simulation.*`` and ``RESTART``, ``ipi.log`` and ``driver-N.log``.
    events
        A path or the number of a file descriptor that gets the events as well.
    commands
        Orders to obey while running: stop and checkpoint; i-PI allows no others.
    console
        Where to show progress; None for nowhere.

    Raises
    ------
    UserError
        For input that cannot be simulated; nothing was written then.
    RunFailed
        If the run blew up, the disk is full, or i-PI or its drivers failed; the folder keeps all frames before.
    """
    EventStream.require(events)
    require_ipi()
    plan = Plan(spec, Path(output))
    folder = plan.make_folder()
    job = _Job(plan.spec, folder, plan.address, commands, console)
    return job.run(files.INPUT, 0, lambda: plan.write(folder), events, plan.warnings)


def prepare_pimd(
    spec: PimdSpec, output: Path | str, *, console: Console | None = None
) -> tuple[Path, list[str]]:
    """Write the folder of a run without starting it.

    Returns
    -------
    The folder, and the commands that start the run from within it; ``resume_pimd`` starts it as well.

    Raises
    ------
    UserError
        For input that cannot be simulated; nothing was written then.
    """
    plan = Plan(spec, Path(output))
    folder = plan.make_folder()
    plan.write(folder)
    for _, message in plan.warnings:
        _show_warning(console, message)
    drivers = [] if plan.address is None else [_driver_command(plan.spec, plan.address)]
    return folder.path, [f"i-pi {files.INPUT}", *drivers]


def resume_pimd(
    output: Path | str,
    *,
    steps: int | None = None,
    events: str | None = None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> PimdResult:
    """Go on with the run in a folder from its newest whole state, or from its start if it had not got to one.

    What was written after that state is cut off and written again, so that the trajectory has neither gap nor double step.

    Parameters
    ----------
    steps
        A new number of steps for the whole run, to make it longer; None keeps it.

    Raises
    ------
    UserError, RunFailed
        As `run_pimd`.
    """
    folder = RunFolder.open(output, files.KIND)
    EventStream.require(events)
    require_ipi()
    spec = files.read_spec(folder)
    state, address = newest_state(folder), address_of(folder)
    done = state.step if state is not None else 0
    if steps is not None and steps < done:
        raise ConfigError(f"steps = {steps}: the run in {folder.path} has done {done} already")
    refuse_second_run(address)
    if address is not None and address.port is not None:  # the port of then may be taken now
        address = new_address(spec)
    changed = steps is not None and steps != spec.steps
    spec = spec.model_copy(update={"steps": steps or spec.steps})
    if changed:
        files.save_spec(folder, spec)
    job = _Job(spec, folder, address, commands, console)
    prepare = partial(prepare_restart, folder, spec, state, address, files.PES_FILE)
    return job.run(CONTINUE, done, prepare, events, [])


class _Job:
    """What a new and a resumed run have in common."""

    def __init__(
        self,
        spec: PimdSpec,
        folder: RunFolder,
        address: Address | None,
        commands: Commands | None,
        console: Console | None,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._address = address
        self._commands = commands
        self._console = console

    def run(
        self,
        input_file: str,
        done: int,
        prepare: Callable[[], None],
        events: str | None,
        warnings: list[tuple[str, str]],
    ) -> PimdResult:
        """Open the folder's streams, prepare it, run, and tell how it ended."""
        spec, folder = self._spec, self._folder
        with ExitStack() as stack:
            stream = stack.enter_context(folder.open_events(events))
            stack.enter_context(logged_to(folder.log))
            signals = stack.enter_context(StopSignals())
            stack.enter_context(failures_told(stream, _unknown))
            is_over = spec.is_dynamics and done >= spec.steps
            if not is_over:
                prepare()
            n_atoms = files.atoms_in(folder)
            self._say_hello(stream, n_atoms, warnings)
            if done:
                stream.status("resumed", step=done)
            session = Session(
                spec,
                folder,
                self._address,
                n_atoms,
                done,
                stream,
                self._commands,
                signals,
                self._console,
            )
            begin = time.perf_counter()
            reason = "finished" if is_over else session.run(input_file)
            seconds = time.perf_counter() - begin
            stream.done(reason, step=session.step, wall_time_s=seconds)
            logger.info("%s at step %d after %.1f s", reason, session.step, seconds)
            return PimdResult(
                folder.path, reason, signals.received, session.step, seconds, session.last
            )

    def _say_hello(
        self, stream: EventStream, n_atoms: int, warnings: list[tuple[str, str]]
    ) -> None:
        spec = self._spec
        stream.hello(
            files.KIND,
            n_atoms=n_atoms,
            n_beads=spec.n_beads,
            spec=spec.model_dump(mode="json"),
            ipi=version("ipi"),
            address=str(self._address) if self._address else None,
        )
        logger.info(
            "%s, %d atoms, %d beads, %s at %g K, %d steps of %g fs, i-PI %s",
            spec.structure,
            n_atoms,
            spec.n_beads,
            spec.mode,
            spec.temperature,
            spec.steps,
            spec.timestep,
            version("ipi"),
        )
        for code, message in warnings:
            stream.warning(code, message)
            logger.warning(message)
            _show_warning(self._console, message)


def _show_warning(console: Console | None, message: str) -> None:
    if console is not None:
        console.print(f"warning: {message}", style="yellow", markup=False)


def _driver_command(spec: PimdSpec, address: Address) -> str:
    options = driver_options(spec, address)
    return f"nequip-ipi-driver {shlex.join(options)}"


def _unknown(error: Exception) -> RunFailed | None:
    """No library here raises anything that could be explained better: it happens in other processes."""
    return None
