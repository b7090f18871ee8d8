"""Reading what runs have left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nequip_openmm.runs import read_events
from nequip_openmm.simulation import SimulationSpec

MakeSpec = Callable[..., SimulationSpec]


def events(folder: Path) -> list[dict[str, Any]]:
    return list(read_events(folder / "events.jsonl"))


def states(folder: Path) -> list[str]:
    return [event["state"] for event in events(folder) if event["ev"] == "status"]


def final_state(folder: Path) -> np.ndarray:
    """Return positions and velocities at the end, every bit of them."""
    (name,) = [path for path in folder.iterdir() if path.suffix == ".chk"]
    return np.frombuffer(name.read_bytes(), dtype=np.uint8)


def assert_same_outputs(whole: Path, broken: Path) -> None:
    assert (final_state(whole) == final_state(broken)).all()
    assert (whole / "thermo.csv").read_bytes() == (broken / "thermo.csv").read_bytes()
    for path in whole.glob("trajectory.*"):
        contents = [bytearray((folder / path.name).read_bytes()) for folder in (whole, broken)]
        if path.suffix == ".dcd":
            for content in contents:
                content[180:260] = b""  # the date
        assert contents[0] == contents[1]
