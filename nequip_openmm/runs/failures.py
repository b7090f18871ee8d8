"""What can go wrong while a run goes on, and how it is told: in the event stream, the log and the exception alike."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nequip_openmm.errors import DiskFull, RunFailed, UserError
from nequip_openmm.runs.events import EventStream

__all__ = ["failures_told", "logged_to", "preparations_told", "write_failure"]

log = logging.getLogger(__name__)


@contextmanager
def failures_told(
    stream: EventStream, translate: Callable[[Exception], RunFailed | None]
) -> Iterator[None]:
    """Turn what ends a run badly into `RunFailed`, and tell it in the stream and the log.

    Parameters
    ----------
    translate
        Returns what an exception of the libraries in use means, or None for one it does not know: that is a bug, which is
        told and goes on as it is. Failures to write need no translation.
    """
    try:
        yield
    except (RunFailed, UserError) as error:
        _tell(stream, error)
        raise
    except KeyboardInterrupt:  # the second Ctrl-C
        _tell(stream, RunFailed("interrupted", code="interrupted"))
        raise
    except Exception as error:
        failure = write_failure(error) if isinstance(error, OSError) else translate(error)
        if failure is None:
            _tell(stream, RunFailed(f"{type(error).__name__}: {error}", code="internal"))
            log.error(traceback.format_exc())
            raise
        _tell(stream, failure)
        raise failure from error


def write_failure(error: OSError, path: Path | None = None) -> RunFailed:
    """Return what a failure to write (``path``, where the error names no file) means for the run."""
    name = error.filename or path
    where = f" ({name})" if name else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"the disk is full{where}; what was written before is kept",
            hint="Free some space, then continue with --resume.",
        )
    return RunFailed(f"cannot write{where}: {error.strerror or error}", code="write-failed")


def _tell(stream: EventStream, error: RunFailed | UserError) -> None:
    with suppress(OSError):  # the disk may be what failed
        code, hint = getattr(error, "code", "user-error"), getattr(error, "hint", "")
        log.error("%s. %s", error, hint)
        stream.error(code, str(error), hint=hint, **getattr(error, "facts", {}))
        stream.done("failed")


@contextmanager
def preparations_told(events: str | None) -> Iterator[EventStream]:
    """Give the stream that tells what happens before there is a run folder, and what input it fails at.

    Parameters
    ----------
    events
        A path or the number of a file descriptor; None tells nobody.

    Raises
    ------
    UserError
        If the stream cannot be opened, and whatever the block raises.
    RunFailed
        If the stream cannot be written to.
    """
    with EventStream() if events is None else EventStream.to(events) as stream:
        try:
            yield stream
        except UserError as error:
            stream.error(getattr(error, "code", "user-error"), str(error))
            stream.done("failed")
            raise
        except OSError as error:
            raise write_failure(error) from error


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Write what the package logs to a file, inside the block."""
    package = logging.getLogger("nequip_openmm")
    handler = _QuietHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        with suppress(OSError):  # a full disk has been told already
            handler.close()


class _QuietHandler(logging.FileHandler):
    """A log file that fails (a full disk) must neither print a traceback nor hide the failure that is being logged."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Do nothing."""
