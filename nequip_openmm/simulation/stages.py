"""The stages of a run: what a user writes, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nequip_openmm.settings import Settings

if TYPE_CHECKING:
    from nequip_openmm.simulation.spec import SimulationSpec

__all__ = [
    "LARGEST_SEED",
    "RAMP_INTERVAL",
    "Ensemble",
    "Phase",
    "Stage",
    "Thermostat",
    "phases_of",
    "with_unit",
]

Ensemble = Literal["nve", "nvt", "npt"]
Thermostat = Literal["langevin", "nose-hoover"]

LARGEST_SEED = 2**31 - 1
RAMP_INTERVAL = 10
"""Steps between changes of a thermostat that is brought to another temperature."""


def with_unit(unit: str) -> dict[str, Any]:
    """Return what tells the unit of a setting."""
    return {"unit": unit}


class Stage(Settings):
    """One stage of a run, such as an equilibration; what is not given is as in the run's settings.

    A stage without temperature goes on at the temperature that the stage before it ended at.
    """

    name: str = Field("", max_length=60, pattern=r"^[^\x00-\x1f\x7f\"\\]*$")
    """What to call it in events and in the log; by default stage 1, stage 2, ..."""
    steps: int = Field(ge=1, le=10**12)
    """Number of time steps."""
    ensemble: Ensemble | None = None
    """nve, nvt or npt."""
    thermostat: Thermostat | None = None
    """langevin or nose-hoover."""
    temperature: float | None = Field(None, ge=0, le=100_000, json_schema_extra=with_unit("K"))
    """Temperature of the thermostat, K."""
    temperature_end: float | None = Field(None, ge=0, le=100_000, json_schema_extra=with_unit("K"))
    """Temperature that the thermostat is brought to in the course of the stage, K."""
    friction: float | None = Field(None, gt=0, le=10_000, json_schema_extra=with_unit("1/ps"))
    """Friction or collision frequency of the thermostat, 1/ps."""
    pressure: float | None = Field(None, ge=-1e7, le=1e7, json_schema_extra=with_unit("bar"))
    """Pressure of the barostat, bar."""
    save_frames: bool = True
    """Whether its frames go to the trajectory; an equilibration may leave none."""


@dataclass(frozen=True)
class Phase:
    """A stage with every setting filled in, and its place in the run.

    Attributes
    ----------
    number
        Counted from 0.
    name
        Empty for a run without stages.
    begin, end
        Its first step and the one after its last, counted over the whole run.
    temperature, temperature_end
        K; without a ramp the end is None.
    friction, pressure
        1/ps and bar.
    seed
        Of thermostat and barostat.
    beads
        Of the ring polymer that every atom is; 1 is classical.
    """

    number: int
    name: str
    begin: int
    end: int
    ensemble: Ensemble
    thermostat: Thermostat
    temperature: float
    temperature_end: float | None
    friction: float
    pressure: float
    save_frames: bool
    seed: int
    beads: int = 1

    @property
    def has_thermostat(self) -> bool:
        """Whether temperature and friction act."""
        return self.ensemble != "nve"

    @property
    def has_barostat(self) -> bool:
        """Whether the cell changes."""
        return self.ensemble == "npt"

    @property
    def final_temperature(self) -> float:
        """Temperature that it ends at, K."""
        return self.temperature if self.temperature_end is None else self.temperature_end

    @property
    def conserves(self) -> bool:
        """Whether its dynamics has a conserved quantity: NVE, or a Nosé-Hoover chain at one temperature."""
        if self.ensemble == "nve":
            return True
        is_chain = self.thermostat == "nose-hoover" and self.temperature_end is None
        return is_chain and not self.has_barostat

    def temperature_at(self, step: int) -> float:
        """Return the temperature of the thermostat at a step of the run, K; a ramp has small stairs."""
        if self.temperature_end is None:
            return self.temperature
        done = (step - self.begin) // RAMP_INTERVAL * RAMP_INTERVAL
        return self.temperature + (self.temperature_end - self.temperature) * done / (
            self.end - self.begin
        )

    def check(self, where: str) -> None:
        """Raise `ValueError` for settings that do not go together, such as a barostat at absolute zero."""
        is_cold = 0 in (self.temperature, self.temperature_end)
        if self.temperature_end is not None and not self.has_thermostat:
            raise ValueError(
                f"{where}temperature_end = {self.temperature_end:g}: ensemble nve has no thermostat; use nvt or npt"
            )
        if is_cold and self.has_barostat:
            raise ValueError(
                f"{where}temperature = 0: ensemble npt needs more than 0 K; use nvt or nve"
            )
        if is_cold and self.has_thermostat and self.thermostat == "nose-hoover":
            raise ValueError(
                f"{where}temperature = 0: a Nosé-Hoover thermostat needs more than 0 K; use langevin"
            )
        if self.beads > 1:
            self._check_ring(where, is_cold)

    def _check_ring(self, where: str, is_cold: bool) -> None:
        if is_cold:
            raise ValueError(
                f"{where}temperature = 0: beads = {self.beads} need more than 0 K, as their springs do"
            )
        if self.has_barostat:
            raise ValueError(
                f"{where}ensemble = npt: beads = {self.beads} have no barostat here; use nvt or nve, or nequip-openmm pimd"
            )
        if self.has_thermostat and self.thermostat == "nose-hoover":
            raise ValueError(
                f"{where}thermostat = nose-hoover: beads = {self.beads} have the thermostat PILE; use langevin"
            )


def phases_of(spec: SimulationSpec) -> tuple[Phase, ...]:
    """Return the stages of a run with every setting filled in; one for a run without."""
    single = Stage(steps=spec.steps, temperature_end=spec.temperature_end)
    found: list[Phase] = []
    begin, temperature = 0, spec.temperature
    for number, stage in enumerate(spec.stages or (single,)):
        phase = Phase(
            number=number,
            name=stage.name or (f"stage {number + 1}" if spec.stages else ""),
            begin=begin,
            end=begin + stage.steps,
            ensemble=stage.ensemble or spec.ensemble,
            thermostat=stage.thermostat or spec.thermostat,
            temperature=temperature if stage.temperature is None else stage.temperature,
            temperature_end=stage.temperature_end,
            friction=stage.friction or spec.friction,
            pressure=spec.pressure if stage.pressure is None else stage.pressure,
            save_frames=stage.save_frames,
            seed=(spec.seed - 1 + number) % LARGEST_SEED + 1,
            beads=spec.beads,
        )
        begin, temperature = phase.end, phase.final_temperature
        found.append(phase)
    return tuple(found)
