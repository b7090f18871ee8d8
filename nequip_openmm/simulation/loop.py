"""The loop around OpenMM's steps: output, checkpoints, orders, speed, and the guard before everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openmm
from openmm import app
from rich.console import Console

from nequip_openmm.errors import ConfigError, RunFailed
from nequip_openmm.runs import Commands, EventStream, RunFolder
from nequip_openmm.runs.progress import ProgressBar
from nequip_openmm.runs.signals import StopSignals
from nequip_openmm.simulation import files, system
from nequip_openmm.simulation.checkpoint import Checkpoint, save_checkpoint
from nequip_openmm.simulation.failures import logger
from nequip_openmm.simulation.guard import Guard
from nequip_openmm.simulation.live import LiveAnalysis
from nequip_openmm.simulation.minimise import relax
from nequip_openmm.simulation.outputs import Outputs
from nequip_openmm.simulation.ring import set_first_velocities, state_of
from nequip_openmm.simulation.ring_thermo import RingThermometer
from nequip_openmm.simulation.schedule import Schedule, Values
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase
from nequip_openmm.simulation.telling import Teller
from nequip_openmm.simulation.thermo import Sample, Thermometer

__all__ = ["Loop"]


_CHUNK_S = 0.2  # orders and signals are looked at about so often
_PAUSE_S = 0.05
_EVERYTHING = {"positions": True, "velocities": True, "forces": True, "energy": True}


class Loop:
    """Steps a simulation through its stages.

    Parameters
    ----------
    spec, folder, simulation
        What to run, where to write, and OpenMM's part, made for the stage that comes first now.
    schedule
        Settings at every step.
    relaxing
        Makes the simulation that relaxes the start.
    events
        Where to tell what happens.
    commands
        Orders from outside, or None.
    signals
        Whether the process was asked to end.
    console
        Where to show progress, or None.
    append
        Whether to go on with output files that are there.
    """

    def __init__(
        self,
        spec: SimulationSpec,
        folder: RunFolder,
        simulation: app.Simulation,
        schedule: Schedule,
        relaxing: Callable[[], app.Simulation],
        events: EventStream,
        commands: Commands | None,
        signals: StopSignals,
        console: Console | None,
        *,
        append: bool,
    ) -> None:
        self._spec = spec
        self._folder = folder
        self._simulation = simulation
        self._events = events
        self._commands = commands
        self._signals = signals
        self._console = console
        self._schedule = schedule
        self._relaxing = relaxing
        self._teller = Teller(spec, events, console)
        self._phase = schedule.phases[0]
        self._applied: Values | None = None
        self._thermometer = self._thermometer_of(self._phase)
        intervals = (spec.thermo_interval, spec.trajectory_interval, spec.checkpoint_interval)
        self._guard = Guard(spec, simulation.system, self._thermometer, intervals)
        self._outputs = Outputs(spec, folder, self._thermometer, self._tell_sample, append)
        self._live: LiveAnalysis | None = None
        self._is_stopping = self._is_paused = False
        self._saved_step = -1
        self._can_save = False  # a start without velocities is no state to go on from
        self.last: Sample | None = None

    # --- before the first step ------------------------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Relax if asked, draw velocities, write the first checkpoint.

        Returns False if the run was told to stop meanwhile; it then has to begin again.
        """
        if self._spec.minimise and not self._relax():
            return False
        set_first_velocities(self._simulation, self._spec, self._phase.temperature)
        with self._errors_explained():
            state = state_of(self._simulation, **_EVERYTHING)
        self._guard.check(0, state)
        self._can_save = True
        self._begin_phase()
        self._save()
        return True

    def take_up(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint that the simulation has been restored to."""
        self._phase = self._schedule.phases[checkpoint.stage]
        self._guard.last_good_step = self._saved_step = checkpoint.step
        self._can_save = True
        self._events.status("resumed", step=checkpoint.step)
        logger.info("resumed at step %d", checkpoint.step)
        self._begin_phase()
        averages = self._folder / checkpoint.averages
        if self._live is not None and averages.is_file():
            self._live.load(averages)

    def close(self) -> None:
        """Close the output files."""
        self._outputs.close()

    def _relax(self) -> bool:
        """Relax the start; return False if the run was told to stop."""
        self._events.status("minimising")
        with self._errors_explained():
            result = relax(self._simulation, self._relaxing(), self._spec, self._may_relax)
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

    # --- stages -----------------------------------------------------------------------------------------------------------

    def _follow_schedule(self) -> None:
        """Enter the next stage where it begins, and give thermostat and barostat their values of this step."""
        step = self._simulation.currentStep
        phase = self._schedule.phase_at(step)
        if phase.number != self._phase.number:
            self._tell_analysis()
            with self._errors_explained():
                system.enter_phase(self._simulation, self._spec, phase)
            self._phase, self._applied = phase, None
            self._begin_phase()
        values = self._schedule.span_at(step).at(step)
        if values != self._applied:
            system.apply_values(self._simulation, self._spec, phase, values)
            self._applied = values

    def _begin_phase(self) -> None:
        """Make the reporters of a stage, and say that it begins."""
        phase, outputs = self._phase, self._outputs
        self._thermometer = outputs.thermo.thermometer = self._thermometer_of(phase)
        reporters: list[Any] = [self._guard, outputs.thermo]
        if phase.save_frames:
            interval = self._spec.trajectory_interval
            reporters += [outputs.trajectory, _Caller(interval, self._tell_frame)]
        if self._spec.analysis:
            self._live = self._live_analysis()
            reporters.append(self._live)
        # Energy and forces are for the guard, which sees the same state before a checkpoint replaces the last.
        needs = ("positions", "velocities", "forces", "energy")
        reporters.append(_Caller(self._spec.checkpoint_interval, self._save, needs))
        self._simulation.reporters = reporters
        if phase.name:
            self._teller.stage(phase, self._simulation.currentStep)

    def _thermometer_of(self, phase: Phase) -> Thermometer:
        kind = Thermometer if self._spec.beads == 1 else RingThermometer
        return kind(
            self._simulation.system,
            self._spec.timestep,
            conserves_energy=phase.conserves and self._spec.has_one_energy,
            bath_ev=lambda: system.bath_ev(self._simulation, phase),
            stage=phase.number + 1,
        )

    def _live_analysis(self) -> LiveAnalysis:
        simulation = self._simulation
        symbols = [
            "X" if atom.element is None else atom.element.symbol
            for atom in simulation.topology.atoms()
        ]
        is_periodic = simulation.system.usesPeriodicBoundaryConditions()
        if skipped := LiveAnalysis.skipped(self._spec, len(symbols)):
            self._teller.warn("analysis-skipped", skipped)
        return LiveAnalysis(self._spec, self._events, symbols, is_periodic)

    def _tell_analysis(self) -> None:
        if self._live is not None:
            self._live.tell()

    # --- the steps ------------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Step to the end; return ``"finished"`` or ``"stopped"``."""
        simulation, total = self._simulation, self._spec.steps
        self._events.status("running")
        with ProgressBar(self._console, total, simulation.currentStep) as bar:
            chunk = 1
            while simulation.currentStep < total:
                self._follow_schedule()
                if self._wants_end():
                    break
                self._follow_schedule()  # with what was ordered
                chunk = self._advance(chunk)
                self._teller.progress(simulation.currentStep, self.last, bar)
        self._tell_analysis()
        self._save_if_good()
        return "finished" if simulation.currentStep >= total else "stopped"

    def _advance(self, chunk: int) -> int:
        """Make so many steps, or fewer to the next change of settings; return how many to make next."""
        begin, step = time.perf_counter(), self._simulation.currentStep
        steps = min(chunk, self._schedule.span_at(step).next_change(step) - step)
        with self._errors_explained():
            self._simulation.step(steps)
        fitting = int(steps * _CHUNK_S / max(time.perf_counter() - begin, 1e-9))
        return max(1, min(fitting, 10 * chunk))

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
            self._guard.check(step, state_of(self._simulation, positions=True, velocities=True))
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
        step = self._simulation.currentStep
        try:
            changed = self._schedule.order(step, values)
        except ConfigError as error:
            self._teller.warn("bad-command", str(error))
            return
        logger.info("step %d: set %s", step, ", ".join(f"{k} = {v:g}" for k, v in changed.items()))
        self._events.emit("set", step=step, **changed)
        files.write_script(self._folder, self._spec, self._simulation, self._schedule)

    def _tell_sample(self, sample: Sample) -> None:
        self.last = sample
        applied = self._applied if self._phase.has_thermostat else None
        self._teller.sample(sample, applied.temperature if applied else None)

    def _tell_frame(self) -> None:
        self._teller.frame(self._simulation.currentStep, self._outputs.trajectory)

    # --- checkpoints ----------------------------------------------------------------------------------------------------

    def _save_if_good(self) -> None:
        """Save at a step where no reporter looked: look first."""
        if not self._can_save or self._simulation.currentStep == self._saved_step:
            return
        with self._errors_explained():
            state = state_of(self._simulation, **_EVERYTHING)
        self._guard.check(self._simulation.currentStep, state)
        self._save()

    def _save(self) -> None:
        checkpoint = save_checkpoint(
            self._folder,
            self._simulation,
            self._outputs.all,
            self._schedule,
            self._phase.number,
            self._live,
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
