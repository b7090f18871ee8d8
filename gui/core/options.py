"""Advice that the commands give names their options; in a window it is to be read without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["error_of", "without_options"]

_SAID_OTHERWISE = (
    (re.compile(r"give its name with --format, or ", re.I), ""),
    (re.compile(r"ask for it with --virial-key (\S+)"), r"choose \1 as virial"),
    (re.compile(r"--dtype float32"), "single precision"),
    (re.compile(r" \(try --[\w-]+\)"), ""),
    (re.compile(r" with --[\w-]+"), ""),
)


def without_options(text: str) -> str:
    """Return a message without the options of the command line that it recommends.

    Examples
    --------
    >>> without_options("Free some space, then continue with --resume.")
    'Free some space, then continue.'
    """
    for pattern, words in _SAID_OTHERWISE:
        text = pattern.sub(words, text)
    return text


def error_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an ``error`` event says: ``code``, ``title``, ``detail`` and ``hint``, empty where it says nothing."""
    error = {key: event.get(key) or "" for key in ("code", "title", "detail", "hint")}
    return error | {key: without_options(str(error[key])) for key in ("title", "hint")}
