"""Specifications: one line for whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nequip_openmm.errors import ConfigError
from nequip_openmm.settings import validate
from nequip_openmm.simulation import SimulationSpec

GOOD = {"model": "m.safetensors", "structure": "s.xyz", "steps": 10}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestep": 0}, "timestep = 0: must be a number > 0 and ≤ 100 fs"),
        ({"temperature": -3}, "temperature = -3: must be a number ≥ 0 and ≤ 100000 K"),
        ({"temperature": "hot"}, "temperature = 'hot': must be a number ≥ 0 and ≤ 100000 K"),
        ({"steps": 1.5}, "steps = 1.5: must be a whole number ≥ 1"),
        ({"friction": float("nan")}, "friction = nan: must be a number > 0"),
        ({"ensemble": "nvp"}, "ensemble = 'nvp': should be 'nve', 'nvt' or 'npt'"),
        ({"seed": 0}, "seed = 0: must be a whole number ≥ 1"),
        ({"temprature": 300}, "unknown key 'temprature' (did you mean 'temperature'?)"),
        (
            {"ensemble": "npt", "temperature": 0},
            "temperature = 0: ensemble npt needs more than 0 K; use nvt or nve",
        ),
        ({"steps": None}, "steps = None: must be a whole number ≥ 1"),
    ],
)
def test_bad_values_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(SimulationSpec, GOOD | change, "md.yaml")
    assert str(caught.value).startswith(f"md.yaml: {message}")


def test_what_is_missing_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"'model' is missing: Model file \(.safetensors\)"):
        validate(SimulationSpec, {"structure": "s.xyz", "steps": 1}, "md.yaml")


def test_a_specification_survives_its_file_form() -> None:
    spec = SimulationSpec.model_validate(GOOD | {"ensemble": "npt", "pressure": -5.0})
    assert SimulationSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in SimulationSpec.model_fields.values())


def test_the_documentation_lists_every_setting_and_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip(" `"): cells[2].replace(" ", "")
        for cells in (line.split("|") for line in text.splitlines() if line.startswith("| `"))
    }
    for name, field in SimulationSpec.model_fields.items():
        assert name in rows
        if not field.is_required() and field.default is not None:
            default = str(field.default).lower()
            assert rows[name].lower().startswith(default.removesuffix(".0")), name
