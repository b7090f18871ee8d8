"""The run folder: one folder a run, that holds all that is needed to understand, resume and repeat it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nequip_openmm.errors import UserError
from nequip_openmm.runs.events import EventStream

__all__ = ["RunFolder", "atomic_write"]

SPEC = "spec.yaml"
EVENTS = "events.jsonl"
LOG = "log.txt"


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    ``spec.yaml`` is what was asked for, complete enough to start the run again; ``events.jsonl`` what happened;
    ``log.txt`` what was printed. Each kind of run adds its own files.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path | str, kind: str, spec: dict[str, Any]) -> RunFolder:
        """Make a new folder and write ``spec.yaml`` (with ``kind``) into it.

        Raises
        ------
        UserError
            If something other than an empty folder is there already, or it cannot be made.
        """
        folder = cls(Path(path))
        cls.require_free(folder.path)
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            with atomic_write(folder.path / SPEC) as temporary:
                text = yaml.safe_dump({"kind": kind, **spec}, sort_keys=False, allow_unicode=True)
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write to {folder.path}: {error.strerror}") from error
        return folder

    @staticmethod
    def require_free(path: Path, *, is_resumable: bool = True) -> None:
        """Raise `UserError` if something other than an empty folder is there; for a look before long preparations.

        Parameters
        ----------
        is_resumable
            Whether the command that asks could continue a run there.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            advice = ", or continue that run with --resume" if is_resumable else ""
            raise UserError(
                f"output '{path}' exists and is not an empty folder; choose another --output{advice}"
            )

    @classmethod
    def open(cls, path: Path | str, kind: str) -> RunFolder:
        """Take an existing folder up again.

        Raises
        ------
        UserError
            If it is not the folder of a run of this kind.
        """
        folder = cls(Path(path))
        if not (folder.path / SPEC).is_file():
            raise UserError(f"{folder.path} is not a run folder (it has no {SPEC})")
        found = folder.read_spec().get("kind")
        if found != kind:
            raise UserError(f"{folder.path} is the folder of a {found!r} run, not of {kind!r}")
        return folder

    def read_spec(self) -> dict[str, Any]:
        """Return the contents of ``spec.yaml``; raises `UserError` if it is damaged."""
        try:
            spec = yaml.safe_load((self.path / SPEC).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"{self.path / SPEC} cannot be read: {error}") from error
        if not isinstance(spec, dict):
            raise UserError(f"{self.path / SPEC} does not hold a run's settings")
        return spec

    def open_events(self, extra: str | None = None) -> EventStream:
        """Return the stream that appends to ``events.jsonl`` (and to ``extra``, see `EventStream.open`)."""
        return EventStream.open(self.events, extra)

    @property
    def events(self) -> Path:
        """The event log."""
        return self.path / EVENTS

    @property
    def log(self) -> Path:
        """The text log."""
        return self.path / LOG

    def __truediv__(self, name: str) -> Path:
        return self.path / name


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; what was written there takes its place at the end, or vanishes on an error.

    Readers see the old file or the new one, never half of one; the data are on disk before the name changes.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return the process's file mode mask; the only way to read it is to set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
