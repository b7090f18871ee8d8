"""One line for everything that can be wrong with settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from nequip_openmm.errors import ConfigError
from nequip_openmm.settings import Settings, apply_overrides, load_yaml, validate


class Inner(Settings):
    width: int = Field(8, ge=1, le=64)
    """Width of the layer."""
    kind: Literal["silu", "tanh"] | None = "silu"


class Outer(Settings):
    timestep: float = Field(gt=0, le=10, json_schema_extra={"unit": "fs"})
    """Time step in fs."""
    inner: Inner = Inner()
    layers: tuple[Inner, ...] = ()
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Outer:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        return self


def test_good_settings_pass() -> None:
    assert validate(Outer, {"timestep": 0.5, "inner": {"width": 4}}, "x").inner.width == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"timestep": -1}, "f.yaml: timestep = -1: must be a number > 0 and ≤ 10 fs"),
        ({"timestep": "fast"}, "f.yaml: timestep = 'fast': must be a number > 0 and ≤ 10 fs"),
        ({"timestep": float("nan")}, "f.yaml: timestep = nan: must be a number > 0 and ≤ 10 fs"),
        ({}, "f.yaml: 'timestep' is missing: Time step in fs"),
        (
            {"timestep": 1, "timestp": 2},
            "f.yaml: unknown key 'timestp' (did you mean 'timestep'?)",
        ),
        (
            {"timestep": 1, "inner": {"widht": 2}},
            "f.yaml: unknown key 'inner.widht' (did you mean 'width'?)",
        ),
        (
            {"timestep": 1, "inner": {"width": 0.5}},
            "f.yaml: inner.width = 0.5: must be a whole number ≥ 1 and ≤ 64",
        ),
        (
            {"timestep": 1, "inner": {"kind": "slu"}},
            "f.yaml: inner.kind = 'slu': should be 'silu' or 'tanh' (did you mean 'silu'?)",
        ),
        (
            {"timestep": 1, "layers": [{}, {"width": 0}]},
            "f.yaml: layers.1.width = 0: must be a whole number ≥ 1 and ≤ 64",
        ),
        (
            {"timestep": 1, "layers": [{"widht": 2}]},
            "f.yaml: unknown key 'layers.0.widht' (did you mean 'width'?)",
        ),
        ({"timestep": 1, "low": 3}, "f.yaml: low (3.0) must not exceed high (1.0)"),
    ],
)
def test_bad_settings_are_named_in_one_line(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Outer, data, "f.yaml")
    assert str(caught.value) == message


def test_several_problems_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"\(and 1 more\)$"):
        validate(Outer, {"timestep": -1, "low": "x"}, "f.yaml")


def test_overrides_are_yaml_and_leave_the_original_alone() -> None:
    data = {"a": {"b": 1}}
    changed = apply_overrides(data, ["a.b=1e-3", "c.d=[1, 2]", "e=true", "f=", "g=x=y"])
    assert changed == {"a": {"b": 1e-3}, "c": {"d": [1, 2]}, "e": True, "f": None, "g": "x=y"}
    assert data == {"a": {"b": 1}}


@pytest.mark.parametrize("override", ["a", "=1", "a..b=1", "a.b.c=1", "a=[1"])
def test_malformed_overrides_are_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="override"):
        apply_overrides({"a": {"b": 1}}, [override])


def test_yaml_numbers_booleans_and_elements(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1e-3\nNo: -2.0\nN: 10\nb: yes\nc: true\nd: 2024-01-01\n")
    expected = {"a": 1e-3, "No": -2.0, "N": 10, "b": "yes", "c": True, "d": "2024-01-01"}
    assert load_yaml(path) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1\n", "line 2, column 1"),
        (b"a: 1\nb: 2\na: 3\n", "line 3, column 1: key 'a' is given twice"),
        (b"- 1\n", "expected 'key: value' lines"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a: !!python/object:os.system {}\n", "could not determine a constructor"),
    ],
)
def test_bad_yaml_is_named_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_yaml(path)


def test_missing_file_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_yaml(tmp_path / "no.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert load_yaml(tmp_path / "empty.yaml") == {}


def test_yaml_that_ends_too_early_says_what_is_missing() -> None:
    with pytest.raises(ConfigError, match="expected a value, but found the end of the text"):
        apply_overrides({}, ["a=[1,"])
