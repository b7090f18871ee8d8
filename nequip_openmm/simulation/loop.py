"""The loop around OpenMM's steps: output, checkpoints, orders, speed, and the guard before everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openmm
from openmm import app, unit
from rich.console import Console

from nequip_openmm.errors import ConfigError, RunFailed
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.progress import ProgressBar
from nequip_openmm.runs.signals import StopSignals
from nequip_openmm.simulation import files
from nequip_openmm.simulation.checkpoint import Checkpoint, save_checkpoint
from nequip_openmm.simulation.failures import logger
from nequip_openmm.simulation.guard import Guard
from nequip_openmm.simulation.minimise import relax
from nequip_openmm.simulation.reporters import (
    DCDReporter,
    ExtendedXYZReporter,
    FileReporter,
    ThermoReporter,
)
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.steering import Steering
from nequip_openmm.simulation.telling import Teller
from nequip_openmm.simulation.thermo import Sample, Thermometer

__all__ = ["Loop"]


_CHUNK_S = 0.2  # orders and signals are looked at about so often
_PAUSE_S = 0.05
_EVERYTHING = {"positions": True, "velocities": True, "forces": True, "energy": True}


class Loop:
    """Steps a simulation to its end.

    Parameters
    ----------
    spec, folder, simulation
        What to run, where to write, and OpenMM's part.
    events
        Where to tell what happens.
    commands
        Orders from outside, or None.
    signals
        Whether the process was asked to end.
    console
        Where to show progress, or None.
    """

    def __init__(
        self,
        spec: SimulationSpec,
        folder: RunFolder,
        simulation: app.Simulation,
        events: EventStream,
        commands: Commands | None,
        signals: StopSignals,
        console: Console | None,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._simulation = simulation
        self._events = events
        self._commands = commands
        self._signals = signals
        self._console = console
        self._steering = Steering(spec)
        self._teller = Teller(spec, events, console)
        self._thermometer = Thermometer(
            simulation.system, spec.timestep, conserves_energy=not spec.has_thermostat
        )
        intervals = (spec.thermo_interval, spec.trajectory_interval, spec.checkpoint_interval)
        self._guard = Guard(spec, simulation.system, self._thermometer, intervals)
        self._files: list[FileReporter] = []
        self._is_stopping = self._is_paused = False
        self._saved_step = -1
        self._can_save = False  # a start without velocities is no state to go on from
        self.last: Sample | None = None

    # --- before the first step ------------------------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Relax if asked, draw velocities, write the first checkpoint.

        Returns False if the run was told to stop meanwhile; it then has to begin again.
        """
        self._open_files(append=False)
        if self._spec.minimise and not self._relax():
            return False
        context = self._simulation.context
        context.setVelocitiesToTemperature(self._spec.temperature * unit.kelvin, self._spec.seed)
        with self._errors_explained():
            state = context.getState(**_EVERYTHING)
        self._guard.check(0, state)
        self._can_save = True
        self._save()
        return True

    def take_up(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint that the simulation has been restored to."""
        self._open_files(append=True)
        self._steering.set(self._simulation, checkpoint.steering)
        self._guard.last_good_step = self._saved_step = checkpoint.step
        self._can_save = True
        self._events.status("resumed", step=checkpoint.step)
        logger.info("resumed at step %d", checkpoint.step)

    def close(self) -> None:
        """Close the output files."""
        for reporter in self._files:
            reporter.close()

    def _open_files(self, *, append: bool) -> None:
        spec, folder = self._spec, self._folder
        thermo = ThermoReporter(
            folder / files.THERMO,
            spec.thermo_interval,
            self._thermometer,
            append,
            self._tell_sample,
        )
        path, interval = folder / spec.trajectory_name, spec.trajectory_interval
        trajectory: FileReporter
        if spec.trajectory_format == "xyz":
            trajectory = ExtendedXYZReporter(path, interval, spec.timestep, append)
        else:
            trajectory = DCDReporter(path, interval, append)
        self._files = [thermo, trajectory]
        frames = _Caller(interval, self._tell_frame)
        # Energy and forces are for the guard, which sees the same state before a checkpoint replaces the last.
        needs = ("positions", "velocities", "forces", "energy")
        checkpoints = _Caller(spec.checkpoint_interval, self._save, needs)
        self._simulation.reporters = [self._guard, *self._files, frames, checkpoints]

    def _relax(self) -> bool:
        """Relax the start; return False if the run was told to stop."""
        self._events.status("minimising")
        with self._errors_explained():
            result = relax(self._simulation, self._spec, self._may_relax)
        if self._wants_end():
            return False
        text = (
            f"relaxed from {result.energy_before:.6f} to {result.energy_after:.6f} eV, "
            f"largest force {result.max_force:.3g} eV/Å"
        )
        logger.info(text)
        self._events.emit("log", level="info", msg=text)
        if not result.converged:
            self._teller.warn(
                "not-converged",
                f"the relaxation ended at a root mean square force of {result.rms_force:.3g} eV/Å, "
                f"above minimise_tolerance = {self._spec.minimise_tolerance:g}",
            )
        return True

    def _may_relax(self, done: int, total: int) -> bool:
        self._events.progress(done, total, None, phase="minimising")
        if self._console is not None and self._console.is_terminal:
            self._console.print(f"relaxing the start, round {done + 1} of {total}", end="\r")
        return not self._wants_end()

    # --- the steps ------------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Step to the end; return ``"finished"`` or ``"stopped"``."""
        simulation, total = self._simulation, self._spec.steps
        self._events.status("running")
        with ProgressBar(self._console, total, simulation.currentStep) as bar:
            chunk = 1
            while simulation.currentStep < total and not self._wants_end():
                begin = time.perf_counter()
                self._advance(min(chunk, total - simulation.currentStep))
                chunk = _next_chunk(chunk, time.perf_counter() - begin)
                self._teller.progress(simulation.currentStep, self.last, bar)
        self._save_if_good()
        return "finished" if simulation.currentStep >= total else "stopped"

    def _advance(self, steps: int) -> None:
        with self._errors_explained():
            self._simulation.step(steps)

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except openmm.OpenMMException as error:
            raise self._explained(error) from error

    def _explained(self, error: openmm.OpenMMException) -> Exception:
        """Return what an error of OpenMM means: it is the blow-up itself when the state is bad already."""
        step = self._simulation.currentStep
        if any(word in str(error) for word in ("NaN", "finite", "blown up")):
            return self._guard.failure(
                step, "atoms overlap, or a position, a force or the energy is not finite"
            )
        try:
            self._guard.check(
                step, self._simulation.context.getState(positions=True, velocities=True)
            )
        except RunFailed as failure:
            return failure
        except openmm.OpenMMException:
            pass
        return error

    def _wants_end(self) -> bool:
        """Obey what has been ordered; return whether the run should end. Waits while it is paused."""
        self._obey()
        while self._is_paused and not (self._is_stopping or self._signals.received):
            time.sleep(_PAUSE_S)
            self._obey()
        return self._is_stopping or self._signals.received is not None

    # --- orders ---------------------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        if self._commands is None:
            return
        while (unknown := self._commands.poll_unknown()) is not None:
            self._teller.warn("unknown-command", f"not a command: {unknown[:200]}")
        while (command := self._commands.poll()) is not None:
            self._obey_one(command.name, command.values)

    def _obey_one(self, name: str, values: dict[str, Any]) -> None:
        if name == "stop":
            self._is_stopping = True
        elif name == "checkpoint":
            self._save_if_good()
        elif name == "set":
            self._set(values)
        elif name == "pause" and not self._is_paused:
            self._is_paused = True
            self._save_if_good()
            self._events.status("paused", step=self._simulation.currentStep)
        elif name == "resume" and self._is_paused:
            self._is_paused = False
            self._teller.restart_clock()
            self._events.status("running", step=self._simulation.currentStep)

    def _set(self, values: dict[str, Any]) -> None:
        try:
            changed = self._steering.set(self._simulation, values)
        except ConfigError as error:
            self._teller.warn("bad-command", str(error))
            return
        text = ", ".join(f"{name} = {value:g}" for name, value in changed.items())
        step = self._simulation.currentStep
        logger.info("step %d: set %s", step, text)
        self._events.emit("set", step=step, **changed)

    def _tell_sample(self, sample: Sample) -> None:
        self.last = sample
        target = self._steering.temperature if self._spec.has_thermostat else None
        self._teller.sample(sample, target)

    def _tell_frame(self) -> None:
        self._teller.frame(self._simulation.currentStep, self._files[1])

    # --- checkpoints ----------------------------------------------------------------------------------------------------

    def _save_if_good(self) -> None:
        """Save at a step where no reporter looked: look first."""
        if not self._can_save or self._simulation.currentStep == self._saved_step:
            return
        with self._errors_explained():
            state = self._simulation.context.getState(**_EVERYTHING)
        self._guard.check(self._simulation.currentStep, state)
        self._save()

    def _save(self) -> None:
        checkpoint = save_checkpoint(
            self._folder, self._simulation, self._files, self._steering.changed
        )
        self._saved_step = checkpoint.step
        self._events.checkpoint(checkpoint.state, step=checkpoint.step)


class _Caller:
    """An OpenMM reporter that calls a function; it comes after the reporters whose files it is about."""

    def __init__(
        self, interval: int, function: Callable[[], None], needs: Sequence[str] = ("positions",)
    ) -> None:
        self._interval = interval
        self._function = function
        self._needs = list(needs)

    def describeNextReport(self, simulation: app.Simulation) -> dict[str, Any]:
        """Tell OpenMM when to call."""
        steps = self._interval - simulation.currentStep % self._interval
        return {"steps": steps, "periodic": False, "include": self._needs}

    def report(self, simulation: app.Simulation, state: openmm.State) -> None:
        """Call."""
        self._function()


def _next_chunk(chunk: int, seconds: float) -> int:
    """Return how many steps take about as long as orders may wait; grows at most tenfold at once."""
    fitting = int(chunk * _CHUNK_S / max(seconds, 1e-9))
    return max(1, min(fitting, 10 * chunk))
