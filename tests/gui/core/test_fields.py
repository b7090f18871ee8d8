"""What a form knows about a field is what the schema says, and what is typed comes back as it was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from gui.core.fields import (
    Kind,
    describe_field,
    errors_by_field,
    format_duration,
    format_value,
    get_value,
    parse_text,
    set_value,
)
from ipi_driver.inputs.spec import PimdSpec
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.training.config import TrainingConfig

SCHEMAS = (TrainingConfig, SimulationSpec, PimdSpec)


def paths_of(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in schema.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from paths_of(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


FIELDS = [(schema, path) for schema in SCHEMAS for path in paths_of(schema)]


@pytest.mark.parametrize(("schema", "path"), FIELDS, ids=[f"{s.__name__}-{p}" for s, p in FIELDS])
def test_every_field_is_explained_and_its_default_survives_being_shown(schema, path):
    spec = describe_field(schema, path)
    assert spec.description
    assert spec.title
    if spec.kind in (Kind.SWITCH, Kind.CHOICE, Kind.SEVERAL) or spec.is_required:
        return
    shown = parse_text(spec, format_value(spec, spec.default))
    data: dict[str, Any] = {}
    set_value(data, path, shown)
    beside, _ = errors_by_field(schema, data, [path])
    assert path not in beside
    assert shown == (list(spec.default) if isinstance(spec.default, tuple) else spec.default)


@pytest.mark.parametrize(
    ("path", "kind", "unit", "is_optional"),
    [
        ("model.cutoff", Kind.NUMBER, "Å", False),
        ("model.l_max", Kind.WHOLE, "", False),
        ("model.parity", Kind.SWITCH, "", False),
        ("model.num_features", Kind.ANYTHING, "", False),
        ("training.loss", Kind.CHOICE, "", False),
        ("training.max_time", Kind.DURATION, "s", True),
        ("training.threads", Kind.WHOLE, "", True),
        ("data.path", Kind.TEXT, "", True),
    ],
)
def test_kinds_follow_from_types(path, kind, unit, is_optional):
    spec = describe_field(TrainingConfig, path)
    assert (spec.kind, spec.unit, spec.is_optional) == (kind, unit, is_optional)


def test_docstrings_tell_what_blank_and_what_the_words_mean():
    assert describe_field(TrainingConfig, "training.threads").blank == "torch's choice"
    assert describe_field(PimdSpec, "port").blank == "a free one"
    assert describe_field(SimulationSpec, "ensemble").choices["nvt"] == "constant temperature"
    assert describe_field(SimulationSpec, "analysis").items == ("rdf", "msd")


def test_unknown_fields_are_refused():
    with pytest.raises(KeyError):
        describe_field(TrainingConfig, "training.no_such")
    with pytest.raises(KeyError):
        describe_field(TrainingConfig, "nothing.lr")


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("training.lr", "1e-3", 1e-3),
        ("training.lr", "−0.5", -0.5),
        ("model.cutoff", "4.5 Å", 4.5),
        ("training.batch_size", " 5 ", 5),
        ("training.batch_size", "five", "five"),
        ("training.threads", "", None),
        ("training.max_time", "2 min 45 s", 165.0),
        ("training.max_time", "1.5 h", 5400.0),
        ("training.max_time", "00:02:45", 165.0),
        ("training.max_time", "1-00:00:00", 86400.0),
        ("training.max_time", "90", 90.0),
        ("training.max_time", "soon", "soon"),
        ("model.species", "auto", "auto"),
        ("model.species", "H", ["H"]),
        ("model.species", "No, H", ["No", "H"]),
        ("model.num_features", "32, 16", [32, 16]),
        ("model.num_features", "[32, 16]", [32, 16]),
        ("data.isolated_atom_energies", "{H: -13.6}", {"H": -13.6}),
        ("data.isolated_atom_energies", "{H: ", "{H:"),
        ("data.units", "kcal/mol/Å", "kcal/mol/Å"),
    ],
)
def test_what_is_typed(path, text, value):
    assert parse_text(describe_field(TrainingConfig, path), text) == value


@pytest.mark.parametrize("seconds", [0.5, 1.0, 59.0, 60.0, 165.0, 3600.0, 5400.0, 90061.0])
def test_durations_come_back(seconds):
    spec = describe_field(TrainingConfig, "training.max_time")
    assert parse_text(spec, format_duration(seconds)) == pytest.approx(seconds)


def test_errors_stand_beside_their_field():
    data = {"training": {"lr": 5, "batch_size": 0}, "model": {"num_features": 0}}
    paths = ["training.lr", "training.batch_size", "model.num_features"]
    beside, general = errors_by_field(TrainingConfig, data, paths)
    assert beside["training.lr"].message == "must be a number > 0 and ≤ 1"
    assert beside["training.batch_size"].message == "must be a whole number ≥ 1"
    assert "greater than or equal to 1" in beside["model.num_features"].message
    assert general == []


def test_settings_that_do_not_fit_together_are_told_beside_the_field_that_is_named_first():
    data = {"training": {"lr": 0.1, "lr_final": 0.5}}
    beside, general = errors_by_field(TrainingConfig, data, ["training.lr", "training.lr_final"])
    assert list(beside) == ["training.lr_final"]
    assert general == []
    beside, general = errors_by_field(TrainingConfig, data, ["model.cutoff"])
    assert not beside
    assert general == ["training: lr_final = 0.5 must not exceed lr = 0.1"]


def test_paths_into_sections():
    data: dict[str, Any] = {}
    set_value(data, "training.lr", 0.1)
    assert data == {"training": {"lr": 0.1}}
    assert get_value(data, "training.lr") == 0.1
    assert get_value(data, "training.lr.deeper", 7) == 7
    assert get_value(data, "model.cutoff") is None
