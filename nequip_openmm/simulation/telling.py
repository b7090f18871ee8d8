"""What a running simulation says: samples, frames, progress, warnings, each no more often than anyone can look."""

from __future__ import annotations

from rich.console import Console

from nequip_openmm.runs import EventStream
from nequip_openmm.runs.progress import Pace, ProgressBar, Throttle
from nequip_openmm.simulation.failures import logger
from nequip_openmm.simulation.output_files import FileReporter
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import Phase
from nequip_openmm.simulation.thermo import Sample

__all__ = ["Teller"]


class Teller:
    """Writes to the event stream, and to the console what a person should see.

    Files get every sample and frame; the stream at most 50 samples and 10 frames a second.

    Parameters
    ----------
    spec
        Number and length of the steps.
    events
        The stream.
    console
        Where to show progress and warnings, or None.
    """

    def __init__(self, spec: SimulationSpec, events: EventStream, console: Console | None) -> None:
        self._total = spec.steps
        self._events = events
        self._console = console
        self._pace = Pace(spec.steps, spec.timestep)
        self._sample_is_due, self._frame_is_due = Throttle(0.02), Throttle(0.1)
        self._progress_is_due = Throttle(0.5)

    def restart_clock(self) -> None:
        """Measure the speed from now on, after a pause."""
        self._pace.restart()

    def stage(self, phase: Phase, step: int) -> None:
        """Tell that a stage begins, or goes on in another session."""
        text = f"{phase.name}: {phase.ensemble}, {phase.temperature:g} K"
        if phase.temperature_end is not None:
            text += f" to {phase.temperature_end:g} K"
        text += f", to step {phase.end}"
        logger.info(text)
        self._events.emit(
            "stage", step=step, number=phase.number + 1, name=phase.name, end=phase.end
        )
        if self._console is not None:
            self._console.print(text, highlight=False, markup=False)

    def sample(self, sample: Sample, target: float | None) -> None:
        """Tell a sample; ``target`` is the temperature of the thermostat in K, if there is one."""
        if not self._sample_is_due():
            return
        self._events.emit(
            "sample",
            step=sample.step,
            t_ps=sample.time_ps,
            epot=sample.potential_eV,
            ekin=sample.kinetic_eV,
            etot=sample.total_eV,
            temp=sample.temperature_K,
            temp_target=target,
            volume=sample.volume_A3,
            density=sample.density_g_per_cm3,
            pressure=sample.pressure_bar,
            max_force=sample.max_force_eV_per_A,
            rms_force=sample.rms_force_eV_per_A,
            conserved=sample.conserved_eV,
            stage=sample.stage,
        )

    def frame(self, step: int, trajectory: FileReporter) -> None:
        """Tell that a frame has been written, and where it ends."""
        if self._frame_is_due():
            self._events.emit("frame", step=step, path=trajectory.path.name, **trajectory.end)

    def progress(self, step: int, last: Sample | None, bar: ProgressBar) -> None:
        """Tell how far the run is and how fast."""
        if not self._progress_is_due() and step < self._total:
            return
        speed = self._pace.observe(step)
        bar.update(step, speed, last.temperature_K if last else None)
        self._events.progress(step, self._total, speed.eta_s, ns_per_day=speed.ns_per_day)

    def warn(self, code: str, message: str) -> None:
        """Tell what a person should know and the run can bear."""
        logger.warning(message)
        self._events.warning(code, message)
        if self._console is not None:
            self._console.print(f"warning: {message}", style="yellow", markup=False)
