"""The errors this package raises on purpose.

`UserError` and its kinds mean that what was given cannot be used: the message is one line that names what is wrong, where,
and what to do; commands print it and exit with code 2. `RunFailed` means that a computation that had begun cannot go on
(non-finite numbers, a simulation that blew up, a full disk): commands keep all that was written and exit with code 3, or with
2 where the disk was full, since that is put right outside the run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BackendError",
    "ConfigError",
    "DataError",
    "ModelFileError",
    "RunFailed",
    "StructureError",
    "UserError",
    "nearest",
]


class UserError(ValueError):
    """Input that cannot be used; the message is one line: what, where, what to do."""


class DataError(UserError):
    """A data set that cannot be read or lacks what is needed."""


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
    """

    def __init__(self, message: str, *, code: str = "failed", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    @property
    def exit_code(self) -> int:
        """Exit code of a command that ends with this."""
        return 2 if self.code == "disk-full" else 3


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to a mistyped one, else an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
