"""A run obeys while it goes: stop, signals, pause, new settings."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.runs import Command
from nequip_openmm.simulation import resume_simulation, run_simulation

from .outputs import MakeSpec, assert_same_outputs, events, states


class _Orders:
    """Commands that come after so many looks."""

    def __init__(self, *orders: tuple[int, Command]) -> None:
        self.orders = list(orders)
        self.looks = 0

    def poll(self) -> Command | None:
        self.looks += 1
        if self.orders and self.orders[0][0] <= self.looks:
            return self.orders.pop(0)[1]
        return None

    def poll_unknown(self) -> str | None:
        return None


@pytest.mark.usefixtures("springs")
def test_stop_keeps_a_state_to_go_on_from(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(steps=700, checkpoint_interval=1000)
    whole = run_simulation(spec, tmp_path / "whole").folder
    orders: Any = _Orders((3, Command("stop")))
    result = run_simulation(spec, tmp_path / "run", commands=orders)
    assert result.reason == "stopped"
    assert 0 < result.step < 700
    assert events(result.folder)[-1]["reason"] == "stopped"
    assert resume_simulation(result.folder).reason == "finished"
    assert_same_outputs(whole, result.folder)


class _Signals:
    """Looks for orders while the run goes; at the third look signals come."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.numbers = numbers
        self.looks = 0

    def poll(self) -> Command | None:
        self.looks += 1
        if self.looks == 3:
            for number in self.numbers:
                signal.raise_signal(number)
        return None

    def poll_unknown(self) -> str | None:
        return None


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_in_order(make_spec: MakeSpec, tmp_path: Path, number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    come: Any = _Signals(number)
    spec = make_spec(steps=10**6, checkpoint_interval=10**6)
    result = run_simulation(spec, tmp_path / "run", commands=come)
    assert (result.reason, result.signal) == ("stopped", number)
    assert 0 < result.step < 10**6
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    checkpoint = json.loads((result.folder / "checkpoint.json").read_text())
    assert checkpoint["step"] == result.step


@pytest.mark.usefixtures("springs")
def test_a_second_ctrl_c_ends_at_once(make_spec: MakeSpec, tmp_path: Path) -> None:
    come: Any = _Signals(signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_simulation(make_spec(steps=10**6), tmp_path / "run", commands=come)
    error, done = events(tmp_path / "run")[-2:]
    assert (error["code"], done["reason"]) == ("interrupted", "failed")


@pytest.mark.usefixtures("springs")
def test_pause_waits_and_resume_goes_on(make_spec: MakeSpec, tmp_path: Path) -> None:
    orders: Any = _Orders((2, Command("pause")), (8, Command("checkpoint")), (9, Command("resume")))
    start = time.perf_counter()
    result = run_simulation(make_spec(), tmp_path / "run", commands=orders)
    assert time.perf_counter() - start > 0.2
    assert states(result.folder) == ["running", "paused", "running"]
    assert result.reason == "finished"


@pytest.mark.usefixtures("springs")
def test_the_thermostat_can_be_set_and_survives_a_resume(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    orders: Any = _Orders((1, Command("set", {"temperature": 3000, "friction": 50})))
    spec = make_spec(steps=400, friction=20.0, checkpoint_interval=1000)
    folder = run_simulation(spec, tmp_path / "run", commands=orders).folder
    resume_simulation(folder, steps=3000)
    thermo = read_thermo(folder / "thermo.csv")
    assert thermo["temperature_K"][thermo["step"] > 400].mean() > 1500
    assert {"ev": "set", "temperature": 3000.0, "friction": 50.0, "step": 0}.items() <= next(
        event for event in events(folder) if event["ev"] == "set"
    ).items()


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize(
    ("ensemble", "values", "message"),
    [
        ("nve", {"temperature": 400}, "a running nve simulation can change nothing"),
        ("nvt", {"temperatur": 400}, "did you mean 'temperature'"),
        ("nvt", {"temperature": -1}, "temperature = -1: must be a number"),
        ("nvt", {"pressure": 1}, "a running nvt simulation can change temperature, friction"),
    ],
)
def test_orders_that_make_no_sense_are_warnings(
    make_spec: MakeSpec, tmp_path: Path, ensemble: str, values: dict[str, Any], message: str
) -> None:
    orders: Any = _Orders((1, Command("set", values)))
    folder = run_simulation(make_spec(ensemble=ensemble), tmp_path / "run", commands=orders).folder
    (warning,) = [event for event in events(folder) if event["ev"] == "warning"]
    assert message in warning["msg"]
