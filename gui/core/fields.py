"""What a form must know about the fields of a schema: kind, unit, choices, what may be left blank. No Qt.

A field is named by its path, such as ``training.lr``; sections are schemas inside the schema.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from nequip_openmm.errors import ConfigError
from nequip_openmm.settings import Problem, find_problems, parse_value

__all__ = [
    "FieldSpec",
    "Kind",
    "describe_field",
    "errors_by_field",
    "format_duration",
    "format_value",
    "get_value",
    "parse_text",
    "set_value",
]


class Kind(Enum):
    """How a field is edited."""

    SWITCH = "switch"
    """Yes or no."""
    CHOICE = "choice"
    """One of a few words."""
    SEVERAL = "several"
    """Any of a few words."""
    NUMBER = "number"
    WHOLE = "whole number"
    DURATION = "duration"
    """Seconds, told as a person would."""
    FILE = "file"
    TEXT = "text"
    ANYTHING = "anything"
    """A number, a word, a list or a table, written as in the YAML file."""


@dataclass(frozen=True)
class FieldSpec:
    """One field of a schema.

    Attributes
    ----------
    path
        Sections and name, joined by dots.
    kind
        How it is edited.
    title
        Its name for people.
    description
        Its docstring, one line.
    unit
        Empty for a field without.
    choices
        Words of a choice with what they mean (empty where the docstring does not say); None is among the keys where the
        field may be None.
    items
        Words of which a field may have several.
    is_optional
        Whether it may be None, which is an empty editor.
    blank
        What None means, in a few words.
    is_list
        Whether its value is a list, typed with commas.
    is_required
        Whether it has no default.
    default
        Its default; None where it is required.
    """

    path: str
    kind: Kind
    title: str
    description: str
    unit: str
    choices: Mapping[str | None, str]
    items: tuple[str, ...]
    is_optional: bool
    blank: str
    is_list: bool
    is_required: bool
    default: Any


def describe_field(schema: type[BaseModel], path: str) -> FieldSpec:
    """Return what a form must know about a field.

    Raises
    ------
    KeyError
        If the schema has no such field.
    """
    info = _field_info(schema, path)
    members = _flat(info.annotation)
    description = " ".join((info.description or "").split())
    is_optional = type(None) in members or None in members
    words = [member for member in members if isinstance(member, str)]
    meanings = _meanings(description, words)
    choices: dict[str | None, str] = {None: ""} if is_optional and words else {}
    extra = info.json_schema_extra
    return FieldSpec(
        path=path,
        kind=_kind(info, members),
        title=_title(path.rpartition(".")[2]),
        description=description,
        unit=str(extra["unit"]) if isinstance(extra, dict) and "unit" in extra else "",
        choices=choices | {word: meanings.get(word, "") for word in words},
        items=_items(members),
        is_optional=is_optional,
        blank=_blank(description) if is_optional else "",
        is_list=_is_list(members),
        is_required=info.is_required(),
        default=None if info.is_required() else info.get_default(call_default_factory=True),
    )


# --- values -----------------------------------------------------------------------------------------------------------


def get_value(data: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value at a path of nested mappings; the default where there is none."""
    value: Any = data
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


def set_value(data: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path, making the sections that are missing."""
    *sections, last = path.split(".")
    for name in sections:
        data = data.setdefault(name, {})
    data[last] = value


def parse_text(spec: FieldSpec, text: str) -> Any:
    """Return what was typed into a field: None for nothing, a number where it is one, else the text itself."""
    text = text.strip()
    if not text:
        return [] if spec.is_list and not spec.is_optional else None
    if spec.kind in (Kind.TEXT, Kind.FILE):
        return text
    if spec.kind is Kind.DURATION:
        return _parse_duration(text)
    if spec.kind in (Kind.NUMBER, Kind.WHOLE):
        text = (
            text.replace("−", "-").replace(" ", "").removesuffix(spec.unit)
        )  # as pasted from elsewhere
    try:
        value = parse_value(text)
    except ConfigError:
        return text
    if isinstance(value, str) and "," in value:
        return [_parse_part(part) for part in value.split(",") if part.strip()]
    is_alone = spec.is_list and not isinstance(value, list) and value not in spec.choices
    return [value] if is_alone else value


def format_value(spec: FieldSpec, value: Any) -> str:
    """Return a value as it is shown for editing; `parse_text` returns the same value."""
    if value is None:
        return ""
    if spec.kind is Kind.DURATION:
        seconds = _parse_duration(value) if isinstance(value, str) else value
        return format_duration(seconds) if isinstance(seconds, (int, float)) else str(value)
    if isinstance(value, float) and not isinstance(value, bool):
        return _format_number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {item}" for name, item in value.items()) + "}"
    return str(value)


def _parse_part(text: str) -> Any:
    try:
        return parse_value(text.strip())
    except ConfigError:
        return text.strip()


_SECONDS = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")
_PART = re.compile(r"(\d+(?:\.\d*)?)\s*(d|h|min|m|s)(?![a-z])")


def format_duration(seconds: float) -> str:
    """Return seconds as ``2 min 45 s``; parts that are zero are left out."""
    if not math.isfinite(seconds) or seconds < 1.0:
        return f"{seconds:g} s"
    parts, rest = [], float(seconds)
    for unit, size in _SECONDS.items():
        count = rest if unit == "s" else rest // size
        rest -= count * size
        if count:
            parts.append(f"{count:g} {unit}")
    return " ".join(parts)


def _parse_duration(text: str) -> Any:
    """Return the seconds of ``2 min 45 s``, ``165`` or ``[[D-]HH:]MM:SS``; nonsense is left to the schema."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds
    found = _PART.findall(text)
    if found and not _PART.sub("", text).strip():
        return sum(float(count) * _SECONDS["min" if unit == "m" else unit] for count, unit in found)
    try:
        return float(text)
    except ValueError:
        return text


def _format_number(value: float) -> str:
    text = f"{value:.10g}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


# --- errors -----------------------------------------------------------------------------------------------------------


def errors_by_field(
    schema: type[BaseModel], data: dict[str, Any], paths: Iterable[str]
) -> tuple[dict[str, Problem], list[str]]:
    """Return what is wrong, beside which field; and what belongs to no field of the form.

    A problem of a whole section (``lr_final must not exceed lr``) goes to the field that its sentence names first.
    """
    known = sorted(paths, key=len, reverse=True)
    beside: dict[str, Problem] = {}
    general: list[str] = []
    for problem in find_problems(schema, data):
        path = _owner(problem, known)
        if path is None:
            general.append(_told_alone(problem))
        else:
            beside.setdefault(path, problem)
    return beside, general


def _owner(problem: Problem, paths: Iterable[str]) -> str | None:
    location = ".".join(str(part) for part in problem.location)
    for path in paths:
        if location == path or location.startswith(f"{path}."):
            return path
    inside = [path for path in paths if not location or path.startswith(f"{location}.")]
    named = {path: _position(path.rpartition(".")[2], problem.message) for path in inside}
    found = {path: place for path, place in named.items() if place >= 0}
    return min(found, key=found.__getitem__) if found else None


def _position(name: str, sentence: str) -> int:
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", sentence)
    return found.start() if found else -1


def _told_alone(problem: Problem) -> str:
    name = ".".join(str(part) for part in problem.location)
    return f"{name}: {problem.message}" if name else problem.message


# --- from pydantic ----------------------------------------------------------------------------------------------------


def _field_info(schema: type[BaseModel], path: str) -> FieldInfo:
    *sections, last = path.split(".")
    for name in sections:
        models = [t for t in _flat(schema.model_fields[name].annotation) if _is_schema(t)]
        if len(models) != 1:
            raise KeyError(path)
        schema = models[0]
    return schema.model_fields[last]


def _is_list(members: list[Any]) -> bool:
    """Return whether a list is all that a field takes, besides words and None."""
    values = [m for m in members if m not in (None, type(None)) and not isinstance(m, str)]
    return bool(values) and all(typing.get_origin(value) in (tuple, list) for value in values)


def _is_schema(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _flat(annotation: Any) -> list[Any]:
    """Return the members of a union and the values of a Literal, flattened; Annotated loses what is noted."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _flat(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType, typing.Literal):
        return [flat for item in typing.get_args(annotation) for flat in _flat(item)]
    return [annotation]


def _notes(annotation: Any) -> list[Any]:
    """Return all that `Annotated` notes anywhere inside an annotation."""
    notes = list(getattr(annotation, "__metadata__", ()))
    return notes + [note for item in typing.get_args(annotation) for note in _notes(item)]


def _kind(info: FieldInfo, members: list[Any]) -> Kind:
    kinds = [m for m in members if m is not None and m is not type(None)]
    if kinds == [bool]:
        return Kind.SWITCH
    if kinds and all(isinstance(kind, str) for kind in kinds):
        return Kind.CHOICE
    if kinds == [int]:
        return Kind.WHOLE
    if kinds == [float]:
        notes = [*info.metadata, *_notes(info.annotation)]
        is_duration = any(isinstance(note, BeforeValidator) for note in notes)
        return Kind.DURATION if is_duration else Kind.NUMBER
    if kinds == [Path]:
        return Kind.FILE
    if kinds == [str]:
        return Kind.TEXT
    return Kind.SEVERAL if _items(members) else Kind.ANYTHING


def _items(members: list[Any]) -> tuple[str, ...]:
    """Return the words of a tuple of words; nothing for anything else."""
    kinds = [m for m in members if m not in (None, type(None))]
    if len(kinds) != 1 or typing.get_origin(kinds[0]) not in (tuple, list):
        return ()
    items = [flat for i in typing.get_args(kinds[0]) if i is not Ellipsis for flat in _flat(i)]
    return tuple(items) if all(isinstance(word, str) for word in items) else ()


_TITLES = {
    "lr": "Learning rate",
    "lr_final": "Final learning rate",
    "l_max": "Highest rotation order l",
    "n_train": "Training frames",
    "n_valid": "Validation frames",
    "n_test": "Test frames",
    "ema_decay": "Average of weights: decay",
    "dtype": "Precision",
    "zbl": "ZBL repulsion",
    "msd": "MSD",
    "rdf": "RDF",
}


def _title(name: str) -> str:
    """Return a field's name as words."""
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


def _blank(description: str) -> str:
    """Return what the docstring says about None or the default, such as ``torch's choice``."""
    found = re.search(
        r"\b(?:None|[Bb]y default) (?:is |takes )?([^;,()]+?)(?: \(|[;,.]?$|[;,.] )", description
    )
    return found.group(1).replace("``", "").strip() if found else "not set"


def _meanings(description: str, words: list[str]) -> dict[str, str]:
    """Return what the docstring says about each word, where it has the form ``word: meaning; word: meaning``."""
    starts = sorted(
        (found.start(), found.end(), word)
        for word in words
        for found in [re.search(rf"(?:^|[;.] ?){re.escape(word)}: ", description)]
        if found
    )
    ends = [start for start, _, _ in starts[1:]] + [len(description)]
    return {
        word: description[begin:end].strip(" ;.") for (_, begin, word), end in zip(starts, ends)
    }
