"""The errors this package raises on purpose.

`UserError` and its kinds mean that what was given cannot be used: the message is one line that names what is wrong, where,
and what to do; commands print it and exit with code 2. `RunFailed` means that a computation that had begun cannot go on
(non-finite numbers, a simulation that blew up, a full disk): commands keep all that was written and exit with code 3, or 2
for `DiskFull`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import ClassVar

__all__ = [
    "BackendError",
    "ConfigError",
    "DataError",
    "DiskFull",
    "ModelFileError",
    "RunFailed",
    "StructureError",
    "UnclearData",
    "UserError",
    "nearest",
]


class UserError(ValueError):
    """Input that cannot be used; the message is one line: what, where, what to do."""


class DataError(UserError):
    """A data set that cannot be read or lacks what is needed."""


class UnclearData(DataError):
    """A data set that can be read once somebody says what it leaves open.

    Parameters
    ----------
    message
        One line: what is open, and how to say it.
    what
        ``"energy"``, ``"forces"``, ``"stress"`` or ``"units"``.
    """

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.code = f"unclear-{what}"


class ConfigError(UserError):
    """A setting that is unknown, of the wrong type or out of range."""


class ModelFileError(UserError):
    """A model file that is missing, damaged, foreign or newer than this package."""


class StructureError(UserError):
    """A structure that the potential cannot evaluate."""


class BackendError(UserError):
    """Installed packages that do not fit together, or a platform that is missing."""


class RunFailed(RuntimeError):
    """A computation that cannot go on; what was computed before is kept.

    Parameters
    ----------
    message
        One line: what happened and where.
    code
        Short identifier for programs, such as ``"nan-loss"``.
    hint
        Likely causes and what to try.
    facts
        Numbers for programs, such as ``{"step": 120}``, which the event ``error`` carries too.
    """

    exit_code: ClassVar[int] = 3
    """Exit code of a command that ends with this."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "failed",
        hint: str = "",
        facts: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.facts = dict(facts or {})


class DiskFull(RunFailed):
    """No room for what was to be written; put right outside the run, so that commands exit with code 2."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="disk-full", hint=hint)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to a mistyped one, else an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
