"""Settings read from YAML and the command line, checked against one schema, refused in one line.

A schema is a `Settings` subclass: frozen, unknown keys refused, no NaN, fields described by the docstring below them and
their unit by ``Field(json_schema_extra={"unit": "fs"})``. `load_yaml`, `apply_overrides` and `validate` follow one another.
"""

from __future__ import annotations

import copy
import re
import reprlib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from nequip_openmm.errors import ConfigError, nearest

__all__ = [
    "Problem",
    "Settings",
    "apply_overrides",
    "find_problems",
    "load_yaml",
    "parse_value",
    "validate",
]


class Settings(BaseModel):
    """Base of every schema: values are frozen, unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),  # a field may be named model or model_file
    )


Model = TypeVar("Model", bound=BaseModel)


def validate(schema: type[Model], data: dict[str, Any], where: str) -> Model:
    """Return ``data`` as an instance of ``schema``.

    Parameters
    ----------
    where
        What the settings came from, such as the path of a file; begins the message.

    Raises
    ------
    ConfigError
        One line that names the field, what was given, what is allowed and, for an unknown key, the nearest known one.
    """
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        message = _sentence(problems[0], schema)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(f"{where}: {message}{more}") from error


class Problem(NamedTuple):
    """What is wrong with one setting.

    Attributes
    ----------
    location
        Names of sections and of the field, and numbers or kinds below it; empty for settings that do not fit together.
    message
        What is allowed, without the field's name: it is shown beside the field.
    is_missing
        Whether the setting is required and not there.
    """

    location: tuple[int | str, ...]
    message: str
    is_missing: bool = False


def find_problems(schema: type[BaseModel], data: dict[str, Any]) -> list[Problem]:
    """Return all that is wrong with ``data``, for a form that shows each beside its field; empty if nothing is."""
    try:
        schema.model_validate(data)
    except ValidationError as error:
        return [_problem(problem, schema) for problem in error.errors(include_url=False)]
    return []


def parse_value(text: str) -> Any:
    """Return the value that a text stands for in YAML, such as ``1e-3``, ``[32, 16]`` or ``{H: -13.6}``.

    Raises
    ------
    ConfigError
        If it is no YAML.
    """
    return _parse(text, repr(text))


def apply_overrides(data: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy of ``data`` with ``["a.b=1", ...]`` set; values are read as YAML.

    Raises
    ------
    ConfigError
        If an override is not ``key=value`` or goes through a value that has no keys.
    """
    result = copy.deepcopy(data)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise ConfigError(f"override {override!r}: expected key=value or section.key=value")
        *sections, last = [part.strip() for part in key.split(".")]
        _descend(result, sections, override)[last] = _parse(text, f"override {override!r}")
    return result


def load_yaml(path: Path | str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds (empty for an empty file).

    Raises
    ------
    ConfigError
        If the file is missing, unreadable, no YAML (with line and column), no mapping, or gives a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    data = _parse(text, str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found a {type(data).__name__}")
    return data


# --- YAML ---------------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Safe YAML with the numbers and booleans of version 1.2 (1e-3 is a number, No an element) and no double keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        scalars = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in scalars:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?[0-9]+[eE][-+]?[0-9]+$|^[-+]?\.inf$|^\.nan$"
)
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")  # 010 is eight to some and ten to others: text
_REPLACED = {f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "timestamp")}

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = str(error.problem).replace("the node content", "a value")
        problem = problem.replace("'<stream end>'", "the end of the text")
        raise ConfigError(f"{where}{place}: {problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: {' '.join(str(error).split())}") from error


def _descend(data: dict[str, Any], sections: list[str], override: str) -> dict[str, Any]:
    for name in sections:
        if data.get(name) is None:
            data[name] = {}
        data = data[name]
        if not isinstance(data, dict):
            raise ConfigError(f"override {override!r}: {name!r} is a value, it has no keys")
    return data


# --- what is wrong, in one line -------------------------------------------------------------------------------------------


def _sentence(problem: ErrorDetails, schema: type[BaseModel]) -> str:
    """Return one line about one of pydantic's problems."""
    location, kind = problem["loc"], problem["type"]
    name = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return _unknown_key(name, location, schema)
    field = _field_at(schema, location)
    if kind == "missing":
        return f"{name!r} is missing{_described(field)}"
    reason = _reason(problem)
    if not location:
        return reason
    allowed = _allowed(field) or reason
    given = problem["input"]
    hint = nearest(given, _choices(field)) if isinstance(given, str) else ""
    return f"{name} = {reprlib.repr(given)}: {allowed}{hint}"


def _problem(problem: ErrorDetails, schema: type[BaseModel]) -> Problem:
    """Return one of pydantic's problems in the words of `_sentence`, the field's name left out."""
    location, kind = problem["loc"], problem["type"]
    if kind == "extra_forbidden":
        return Problem(location, _unknown_key(str(location[-1]), location, schema))
    if kind == "missing":
        return Problem(location, "is needed", is_missing=True)
    field = _field_at(schema, location)
    given = problem["input"]
    hint = nearest(given, _choices(field)) if isinstance(given, str) else ""
    return Problem(location, f"{_allowed(field) or _reason(problem)}{hint}")


def _unknown_key(name: str, location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    parent = _model_at(schema, location[:-1])
    known = list(parent.model_fields) if parent else []
    hint = nearest(str(location[-1]), known) or (f"; known are {', '.join(known)}" if known else "")
    return f"unknown key {name!r}{hint}"


def _reason(problem: ErrorDetails) -> str:
    """Return pydantic's own message, or that of our validator, without its prefix."""
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message[0].lower() + message[1:] if message.startswith("Should") else message


def _described(field: FieldInfo | None) -> str:
    if field is None or not field.description:
        return ""
    return f": {' '.join(field.description.split()).rstrip('.')}"


_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def _allowed(field: FieldInfo | None) -> str:
    """Return what a number may be, such as ``must be a number > 0 and ≤ 10 fs``; empty for a field without bounds."""
    if field is None:
        return ""
    bounds = [
        f"{sign} {value:g}" if isinstance(value, float) else f"{sign} {value}"
        for constraint in field.metadata
        for name, sign in _SIGNS.items()
        if (value := getattr(constraint, name, None)) is not None
    ]
    if not bounds:
        return ""
    number = "whole number" if int in _flat_types(field.annotation) else "number"
    extra = field.json_schema_extra
    unit = f" {extra['unit']}" if isinstance(extra, dict) and "unit" in extra else ""
    return f"must be a {number} {' and '.join(bounds)}{unit}"


def _choices(field: FieldInfo | None) -> list[str]:
    """Return the words that a field of ``Literal`` type accepts."""
    literals = [] if field is None else _flat_types(field.annotation)
    return [item for item in literals if isinstance(item, str)]


def _flat_types(annotation: Any) -> list[Any]:
    """Return the members of a union, the items of a list and the values of a Literal, flattened."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Literal, typing.Annotated, tuple, list):
        return [flat for item in typing.get_args(annotation) for flat in _flat_types(item)]
    return [annotation]


def _model_at(schema: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel] | None:
    """Return the schema of the section, or of the items of the list, at ``location``; None where a dict or union hides it."""
    model: type[BaseModel] | None = schema
    for name in location:
        if isinstance(name, int) and model is not None:  # all items of a list have one schema
            continue
        if model is None or name not in model.model_fields:
            return None
        models = [t for t in _flat_types(model.model_fields[str(name)].annotation) if _is_model(t)]
        model = models[0] if len(models) == 1 else None
    return model


def _field_at(schema: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
    parent = _model_at(schema, location[:-1]) if location else None
    return parent.model_fields.get(str(location[-1])) if parent else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
