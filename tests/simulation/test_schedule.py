"""Stages, ramps and orders: what holds at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nequip_openmm.errors import ConfigError
from nequip_openmm.settings import validate
from nequip_openmm.simulation import SimulationSpec
from nequip_openmm.simulation.schedule import Schedule, Values

BASE = {"model": "m.safetensors", "structure": "s.xyz"}
HEAT = {"name": "heat", "steps": 100, "temperature": 100, "temperature_end": 300}
REST = {"steps": 50, "ensemble": "npt", "friction": 5}
LAST = {"name": "production", "steps": 30, "ensemble": "nve", "save_frames": False}


def _spec(**changes: Any) -> SimulationSpec:
    return validate(SimulationSpec, BASE | changes, "md.yaml")


def _values(schedule: Schedule, step: int) -> Values:
    return schedule.span_at(step).at(step)


def test_stages_follow_one_another() -> None:
    phases = _spec(stages=[HEAT, REST, LAST], seed=2**31 - 1).phases
    assert [(p.name, p.begin, p.end) for p in phases] == [
        ("heat", 0, 100),
        ("stage 2", 100, 150),
        ("production", 150, 180),
    ]
    assert [p.ensemble for p in phases] == ["nvt", "npt", "nve"]
    assert [p.temperature for p in phases] == [100, 300, 300]  # each goes on where one ended
    assert [p.friction for p in phases] == [1, 5, 1]
    assert [p.save_frames for p in phases] == [True, True, False]
    assert [p.seed for p in phases] == [2**31 - 1, 1, 2]  # no stage repeats another's noise


def test_steps_are_the_sum_of_the_stages() -> None:
    spec = _spec(stages=[HEAT, REST])
    assert spec.steps == 150
    assert SimulationSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert _spec(stages=[HEAT, REST], steps=150) == spec
    assert spec.extended(170).stages[1].steps == 70
    with pytest.raises(ConfigError, match="the stages before the last have 100 already"):
        spec.extended(100)
    with pytest.raises(ConfigError, match="start another run"):
        _spec(stages=[REST, HEAT]).extended(200)


def test_a_ramp_climbs_in_small_stairs() -> None:
    schedule = Schedule(_spec(stages=[HEAT, REST]))
    found = {step: _values(schedule, step).temperature for step in (0, 9, 10, 55, 99, 100, 149)}
    assert found == {0: 100, 9: 100, 10: 120, 55: 200, 99: 280, 100: 300, 149: 300}
    span = schedule.span_at(13)
    assert (span.next_change(13), span.next_change(95)) == (20, 100)
    whole = Schedule(_spec(steps=200, temperature_end=100.0))
    assert _values(whole, 100).temperature == 200


def test_orders_hold_until_a_stage_says_otherwise() -> None:
    schedule = Schedule(_spec(stages=[HEAT, REST, {"steps": 10, "temperature": 250}]))
    schedule.order(35, {"friction": 3})
    assert _values(schedule, 34) == (160, 1, 1)
    assert _values(schedule, 40) == (180, 3, 1)  # the ramp goes on
    schedule.order(57, {"temperature": 20})
    assert _values(schedule, 56).temperature == 200
    assert _values(schedule, 99).temperature == 20  # and ends
    assert _values(schedule, 100) == (20, 5, 1)  # friction is the stage's own
    schedule.order(100, {"pressure": 7})
    assert _values(schedule, 149) == (20, 5, 7)
    assert _values(schedule, 150) == (250, 1, 7)
    assert _values(Schedule(schedule._spec, schedule.orders), 149) == (20, 5, 7)


def test_an_order_at_the_end_counts_when_the_run_is_made_longer() -> None:
    spec = _spec(steps=10)
    orders = {10: {"temperature": 20.0}}
    assert _values(Schedule(spec.extended(20), orders), 9).temperature == 300
    assert _values(Schedule(spec.extended(20), orders), 10).temperature == 20


@pytest.mark.parametrize(
    ("phase", "values", "message"),
    [
        (LAST, {"temperature": 5}, "a running nve simulation can change nothing"),
        (REST, {"temperature": 0}, "ensemble npt needs more than 0 K"),
        (REST, {"pressure": "high"}, "set: pressure = 'high': must be a number"),
        (REST, {"pressure": None}, "set pressure: a number is missing"),
        ({"steps": 5, "thermostat": "nose-hoover"}, {"temperature": 0}, "use langevin"),
    ],
)
def test_orders_are_checked(phase: dict[str, Any], values: dict[str, Any], message: str) -> None:
    schedule = Schedule(_spec(stages=[phase]))
    with pytest.raises(ConfigError, match=message):
        schedule.order(0, values)
    assert schedule.orders == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [HEAT], "steps": 7}, "steps = 7: the stages have 100 together"),
        ({"stages": [HEAT], "temperature_end": 9.0}, "the run has stages; give it to one of them"),
        ({"stages": [LAST | {"temperature_end": 9}]}, "stages.0: .*nve has no thermostat"),
        ({"steps": 9, "ensemble": "nve", "temperature_end": 9}, "^md.yaml: temperature_end = 9"),
        ({"steps": 9, "thermostat": "nose-hoover", "temperature": 0}, "Nosé-Hoover .* use lang"),
        ({"stages": [HEAT | {"temperature_end": 0}, REST]}, "stages.1: temperature = 0: ensemble"),
        ({"stages": [{"steps": 0}]}, "stages.0.steps = 0: must be a whole number ≥ 1"),
        ({"stages": [{}]}, "stages.0.steps"),
        ({"stages": 3}, "stages = 3"),
        ({"stages": [HEAT | {"name": 'a"b'}]}, "stages.0.name"),
        ({"stages": [HEAT | {"temprature": 1}]}, "temprature"),
        ({}, "'steps' is missing"),
    ],
)
def test_stages_that_make_no_sense_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        _spec(**changes)
    assert "\n" not in str(caught.value)


def test_stages_come_from_yaml(tmp_path: Path) -> None:
    from nequip_openmm.settings import load_yaml

    path = tmp_path / "md.yaml"
    path.write_text(
        "model: m.safetensors\nstructure: s.xyz\nstages:\n"
        "  - {name: equilibration, steps: 100, friction: 10, save_frames: false}\n"
        "  - {name: production, steps: 400, thermostat: nose-hoover}\n"
    )
    spec = validate(SimulationSpec, load_yaml(path), str(path))
    assert [phase.thermostat for phase in spec.phases] == ["langevin", "nose-hoover"]
