"""Orders to a simulation that runs: settings that may change on the way."""

from __future__ import annotations

from typing import Any

import openmm
from openmm import app, unit

from nequip_openmm.errors import ConfigError, nearest
from nequip_openmm.settings import validate
from nequip_openmm.simulation.spec import SimulationSpec

__all__ = ["Steering"]

_KNOBS = {
    "nve": (),
    "nvt": ("temperature", "friction"),
    "npt": ("temperature", "friction", "pressure"),
}


class Steering:
    """Temperature (K), friction (1/ps) and pressure (bar) as they are now.

    Parameters
    ----------
    spec
        The values at the start, and which of them the ensemble has.
    """

    def __init__(self, spec: SimulationSpec) -> None:
        self._spec = spec
        self.changed: dict[str, float] = {}

    @property
    def temperature(self) -> float:
        """Temperature of the thermostat, K."""
        return self.changed.get("temperature", self._spec.temperature)

    def set(self, simulation: app.Simulation, values: dict[str, Any]) -> dict[str, float]:
        """Change values of a running simulation; return those that were set.

        Raises
        ------
        ConfigError
            If the ensemble does not have one, or it is out of range; nothing is changed then.
        """
        knobs = _KNOBS[self._spec.ensemble]
        for name in values:
            if name not in knobs:
                known = ", ".join(knobs) or "nothing"
                raise ConfigError(
                    f"set {name}: a running {self._spec.ensemble} simulation can change {known}{nearest(name, knobs)}"
                )
        checked = validate(SimulationSpec, self._spec.model_dump() | values, "set")
        wanted = {name: float(getattr(checked, name)) for name in values}
        _apply(simulation, wanted)
        self.changed |= wanted
        return wanted


def _apply(simulation: app.Simulation, values: dict[str, float]) -> None:
    integrator, context = simulation.integrator, simulation.context
    if "friction" in values:
        integrator.setFriction(values["friction"] / unit.picosecond)
    if "temperature" in values:
        integrator.setTemperature(values["temperature"] * unit.kelvin)
        name = openmm.MonteCarloBarostat.Temperature()
        if name in context.getParameters():
            context.setParameter(name, values["temperature"])
    if "pressure" in values:
        context.setParameter(openmm.MonteCarloBarostat.Pressure(), values["pressure"])
