"""What thermostat and barostat are set to at every step: the stages, their ramps, and orders that came on the way.

The values are a pure function of the step, so a run that was broken off goes on with what it had, and a script can repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nequip_openmm.errors import ConfigError, nearest
from nequip_openmm.settings import validate
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.stages import RAMP_INTERVAL, Phase, Stage

__all__ = ["KNOBS", "Schedule", "Span", "Values"]

KNOBS: dict[str, tuple[str, ...]] = {
    "nve": (),
    "nvt": ("temperature", "friction"),
    "npt": ("temperature", "friction", "pressure"),
}
"""What may be changed in each ensemble while it runs."""


class Values(NamedTuple):
    """Temperature in K, friction in 1/ps and pressure in bar."""

    temperature: float
    friction: float
    pressure: float


@dataclass(frozen=True)
class Span:
    """Steps from ``begin`` to ``end`` of one phase, between orders.

    Attributes
    ----------
    is_ramp
        Whether the temperature is `Phase.temperature_at`, instead of that in ``values``.
    values
        Settings at its beginning.
    """

    phase: Phase
    begin: int
    end: int
    is_ramp: bool
    values: Values

    def at(self, step: int) -> Values:
        """Return the settings in force for the step that follows ``step`` steps."""
        if not self.is_ramp:
            return self.values
        return self.values._replace(temperature=self.phase.temperature_at(step))

    def next_change(self, step: int) -> int:
        """Return the first step after ``step`` where the settings are others, or the span ends."""
        if not self.is_ramp:
            return self.end
        done = step - self.phase.begin
        return min(self.end, step + RAMP_INTERVAL - done % RAMP_INTERVAL)


class Schedule:
    """The settings over the whole run.

    An order holds until a later stage has a value of its own for the same setting.

    Parameters
    ----------
    spec
        The stages.
    orders
        What was ordered while the run went on: values by name, by the number of steps done when the order came.
    """

    def __init__(
        self, spec: SimulationSpec, orders: Mapping[int, dict[str, float]] | None = None
    ) -> None:
        self._spec = spec
        self.phases = spec.phases
        self.orders = {step: dict(values) for step, values in (orders or {}).items()}
        self.spans = list(self._spans())

    def phase_at(self, step: int) -> Phase:
        """Return the phase of the step that follows ``step`` steps; the last one at the end of the run."""
        return next((phase for phase in self.phases if step < phase.end), self.phases[-1])

    def span_at(self, step: int) -> Span:
        """Return the span of the step that follows ``step`` steps; the last one at the end of the run."""
        return next((span for span in self.spans if step < span.end), self.spans[-1])

    def order(self, step: int, values: dict[str, Any]) -> dict[str, float]:
        """Note an order that came when ``step`` steps were done; return its values.

        Raises
        ------
        ConfigError
            If the ensemble does not have one of the settings, or a value is out of range; nothing is changed then.
        """
        wanted = _checked(self.phase_at(step), values)
        self.orders[step] = self.orders.get(step, {}) | wanted
        self.spans = list(self._spans())
        return wanted

    def _spans(self) -> Iterator[Span]:
        held: dict[str, float] = {}  # what orders have set
        for phase in self.phases:
            held = {knob: value for knob, value in held.items() if knob not in self._own(phase)}
            last = phase is self.phases[-1]
            cuts = sorted(
                s for s in self.orders if phase.begin < s < phase.end or (last and s == phase.end)
            )
            for begin, end in zip([phase.begin, *cuts], [*cuts, phase.end]):
                held = held | self.orders.get(begin, {})
                is_ramp = phase.temperature_end is not None and "temperature" not in held
                values = Values(phase.temperature_at(begin), phase.friction, phase.pressure)
                yield Span(phase, begin, end, is_ramp, values._replace(**held))

    def _own(self, phase: Phase) -> set[str]:
        """Return the settings that a stage itself gives a value."""
        if not self._spec.stages:
            return set()
        stage = self._spec.stages[phase.number]
        own = {knob for knob in Values._fields if getattr(stage, knob) is not None}
        return own | ({"temperature"} if stage.temperature_end is not None else set())


def _checked(phase: Phase, values: dict[str, Any]) -> dict[str, float]:
    knobs = KNOBS[phase.ensemble]
    for name in values:
        if name not in knobs:
            known = ", ".join(knobs) or "nothing"
            raise ConfigError(
                f"set {name}: a running {phase.ensemble} simulation can change {known}{nearest(name, knobs)}"
            )
    stage = validate(Stage, {"steps": 1} | values, "set")
    missing = [name for name in values if getattr(stage, name) is None]
    if missing:
        raise ConfigError(f"set {missing[0]}: a number is missing")
    wanted = {name: float(getattr(stage, name)) for name in values}
    temperature = wanted.get("temperature", phase.temperature)
    try:
        replace(phase, temperature=temperature, temperature_end=None).check("set ")
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return wanted
