"""Running molecular dynamics: from a specification to a run folder, and on from where one stopped.

Everything that can be wrong with the input is found before the folder is made. After that a failure keeps what was written.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import openmm
import torch
from openmm import app
from rich.console import Console

from nequip_openmm.errors import ConfigError
from nequip_openmm.potential import Potential
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.failures import failures_told, logged_to, preparations_told
from nequip_openmm.runs.signals import StopSignals
from nequip_openmm.simulation import files, system
from nequip_openmm.simulation.changes import refuse_changes, save_spec
from nequip_openmm.simulation.checkpoint import Checkpoint, read_checkpoint, restore
from nequip_openmm.simulation.failures import logger, openmm_failure
from nequip_openmm.simulation.loop import Loop
from nequip_openmm.simulation.prepare import load_potential, prepare, with_absolute_paths
from nequip_openmm.simulation.schedule import Schedule
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.thermo import Sample

__all__ = ["SimulationResult", "resume_simulation", "run_simulation"]


@dataclass(frozen=True)
class SimulationResult:
    """What a run left.

    Attributes
    ----------
    folder
        The run folder; ``thermo.csv`` and the trajectory are in it.
    reason
        ``"finished"``, or ``"stopped"`` before the last step.
    signal
        Number of the signal that stopped it, or None.
    step
        Steps done, those of earlier sessions included.
    wall_time_s
        Seconds that the dynamics took, in this session.
    ns_per_day
        Speed of the dynamics; None if no step was made.
    last
        The last sample; None if there was none.
    """

    folder: Path
    reason: str
    signal: int | None
    step: int
    wall_time_s: float
    ns_per_day: float | None
    last: Sample | None


def run_simulation(
    spec: SimulationSpec,
    output: Path | str,
    *,
    resume: bool = False,
    events: str | None = None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> SimulationResult:
    """Run molecular dynamics into a new folder.

    Parameters
    ----------
    output
        The folder: ``spec.yaml``, ``events.jsonl``, ``log.txt``, ``thermo.csv``, ``trajectory.dcd`` or ``.xyz``,
        ``topology.pdb``, ``start.xml``, ``model.safetensors``, ``simulate.py``, ``checkpoint*``.
    resume
        Continue the run in ``output``; only ``steps`` may differ from what it was started with.
    events
        A path or the number of a file descriptor that gets the events as well.
    commands
        Orders to obey while running: pause, resume, stop, checkpoint, set.
    console
        Where to show progress; None for nowhere.

    Raises
    ------
    UserError
        For input that cannot be simulated; nothing was written then.
    RunFailed
        If the run blew up, the disk is full or OpenMM failed; the folder keeps all frames before.

    Examples
    --------
    >>> spec = SimulationSpec(model="model.safetensors", structure="methanol.xyz", steps=4000)  # doctest: +SKIP
    >>> run_simulation(spec, "runs/methanol").ns_per_day  # doctest: +SKIP
    """
    if resume:
        refuse_changes(spec, RunFolder.open(output, files.KIND))
        return resume_simulation(
            output, steps=spec.steps, events=events, commands=commands, console=console
        )
    with preparations_told(events) as stream:
        RunFolder.require_free(Path(output))
        spec = with_absolute_paths(spec)
        potential, simulation, warnings = prepare(spec, stream.status)
        folder = RunFolder.create(output, files.KIND, spec.model_dump(mode="json"))
    session = _Session(spec, folder, simulation, potential, Schedule(spec), commands, console)
    return session.run(events, warnings, first=True)


def resume_simulation(
    output: Path | str,
    *,
    steps: int | None = None,
    events: str | None = None,
    commands: Commands | None = None,
    console: Console | None = None,
) -> SimulationResult:
    """Continue the run in a folder from its last checkpoint, or from its start if it had not got to one.

    In the NVE and NVT ensembles on the CPU and Reference platforms the trajectory is, bit for bit, the one of a run that
    was never interrupted. OpenMM's barostat does not allow that at constant pressure.

    Parameters
    ----------
    steps
        A new number of steps for the whole run, to make it longer; None keeps it.

    Raises
    ------
    UserError, RunFailed
        As `run_simulation`.
    """
    folder = RunFolder.open(output, files.KIND)
    spec = files.read_spec(folder)
    checkpoint = read_checkpoint(folder)
    done = checkpoint.step if checkpoint else 0
    if steps is not None and steps < done:
        raise ConfigError(f"steps = {steps}: the run in {folder.path} has done {done} already")
    changed = steps is not None and steps != spec.steps
    if steps is not None:
        spec = spec.extended(steps)
    asked = spec
    if spec.mixed is not None:
        spec = spec.model_copy(update={"mixed": spec.mixed.with_files(folder.path)})
    schedule = Schedule(spec, checkpoint.orders if checkpoint else None)
    phase = schedule.phases[checkpoint.stage if checkpoint else 0]
    potential = load_potential(folder / files.MODEL, spec)
    simulation = system.make_simulation(spec, files.read_start(folder), potential, phase)
    if checkpoint is None:
        files.set_start(folder, simulation)
    else:
        restore(checkpoint, folder, simulation)
    if changed:
        save_spec(folder, asked)
    files.write_script(folder, spec, simulation, schedule)
    session = _Session(spec, folder, simulation, potential, schedule, commands, console)
    return session.run(events, [], first=False, checkpoint=checkpoint)


class _Session:
    """One process's share of a run."""

    def __init__(
        self,
        spec: SimulationSpec,
        folder: RunFolder,
        simulation: app.Simulation,
        potential: Potential,
        schedule: Schedule,
        commands: Commands | None,
        console: Console | None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.simulation = simulation
        self.potential = potential
        self.schedule = schedule
        self.commands = commands
        self.console = console

    def run(
        self,
        events: str | None,
        warnings: list[tuple[str, str]],
        *,
        first: bool,
        checkpoint: Checkpoint | None = None,
    ) -> SimulationResult:
        """Open the folder's streams, run, and tell how it ended."""
        with ExitStack() as stack:
            stream = stack.enter_context(self.folder.open_events(events))
            stack.enter_context(logged_to(self.folder.log))
            signals = stack.enter_context(StopSignals())
            stack.enter_context(
                failures_told(stream, partial(openmm_failure, simulation=self.simulation))
            )
            self._say_hello(stream, warnings)
            if first:
                files.write_inputs(self.folder, self.spec, self.simulation, self.schedule)
            loop = Loop(
                self.spec,
                self.folder,
                self.simulation,
                self.schedule,
                self._relaxing,
                stream,
                self.commands,
                signals,
                self.console,
                append=checkpoint is not None,
            )
            stack.callback(loop.close)
            return self._drive(loop, stream, signals, checkpoint)

    def _drive(
        self,
        loop: Loop,
        stream: EventStream,
        signals: StopSignals,
        checkpoint: Checkpoint | None,
    ) -> SimulationResult:
        if checkpoint is not None:
            loop.take_up(checkpoint)
        is_ready = checkpoint is not None or loop.prepare()
        begin, first_step = time.perf_counter(), self.simulation.currentStep
        reason = loop.run() if is_ready else "stopped"
        seconds, step = time.perf_counter() - begin, self.simulation.currentStep
        done_ps = self.spec.time_ps(step - first_step)
        speed = done_ps * 1e-3 / (seconds / 86_400.0) if step > first_step else None
        stream.done(reason, step=step, wall_time_s=seconds, ns_per_day=speed)
        logger.info("%s at step %d after %.1f s", reason, step, seconds)
        return SimulationResult(
            self.folder.path, reason, signals.received, step, seconds, speed, loop.last
        )

    def _relaxing(self) -> app.Simulation:
        """Return what relaxes the start: in double precision, unless the run was asked for single."""
        if self.potential.dtype == torch.float64 or self.spec.dtype != "auto":
            return self.simulation
        double = self.spec.model_copy(update={"dtype": "float64"})
        potential = load_potential(self.folder / files.MODEL, double)
        phase = replace(self.schedule.phases[0], ensemble="nve")
        structure = files.read_start(self.folder)
        simulation = system.make_simulation(double, structure, potential, phase)
        files.set_start(self.folder, simulation)
        return simulation

    def _say_hello(self, stream: EventStream, warnings: list[tuple[str, str]]) -> None:
        spec, platform = self.spec, self.simulation.context.getPlatform().getName()
        stream.hello(
            files.KIND,
            n_atoms=self.simulation.system.getNumParticles(),
            spec=spec.model_dump(mode="json"),
            platform=platform,
            openmm=openmm.__version__,
            engine=self.potential.engine,
        )
        logger.info(
            "%s, %d atoms, %s at %g K, %d steps of %g fs, OpenMM %s on %s",
            spec.structure,
            self.simulation.system.getNumParticles(),
            spec.phases[0].ensemble,
            spec.phases[0].temperature,
            spec.steps,
            spec.timestep,
            openmm.__version__,
            platform,
        )
        logger.info("engine %s: %s", self.potential.engine, self.potential.engine_reason)
        for code, message in warnings:
            stream.warning(code, message)
            logger.warning(message)
            if self.console is not None:
                self.console.print(f"warning: {message}", style="yellow", markup=False)
