"""What can go wrong while a simulation runs, and how it is told: in the event stream, the log and the exception alike."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import openmm
from openmm import app

from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.runs import EventStream

__all__ = ["failures_told", "log_to", "logger"]

logger = logging.getLogger("nequip_openmm.simulation")


@contextmanager
def failures_told(stream: EventStream, simulation: app.Simulation) -> Iterator[None]:
    """Turn what can go wrong during a run into `RunFailed`, and tell it in the stream and the log."""
    try:
        yield
    except (RunFailed, UserError) as error:
        _tell(stream, error)
        raise
    except OSError as error:
        failure = _disk_failure(error)
        _tell(stream, failure)
        raise failure from error
    except openmm.OpenMMException as error:
        failure = _openmm_failure(error, simulation.currentStep)
        _tell(stream, failure)
        raise failure from error
    except KeyboardInterrupt:  # the second Ctrl-C
        _tell(stream, RunFailed("interrupted", code="interrupted"))
        raise
    except Exception as error:  # a bug: told, not swallowed
        _tell(stream, RunFailed(f"{type(error).__name__}: {error}", code="internal"))
        logger.error(traceback.format_exc())
        raise


def _openmm_failure(error: openmm.OpenMMException, step: int) -> RunFailed:
    text = " ".join(
        str(error).rpartition("RuntimeError: ")[2].split()
    )  # the end of TorchScript's traceback
    if "out of memory" in text:
        hint = "Use a device with more memory, --dtype float32 or a smaller structure."
        return RunFailed(
            f"out of memory at step {step}: {text[:200]}", code="out-of-memory", hint=hint
        )
    return RunFailed(f"OpenMM stopped at step {step}: {text}", code="openmm")


def _disk_failure(error: OSError) -> RunFailed:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunFailed(
            f"the disk is full{where}; what was written before is kept",
            code="disk-full",
            hint="Free some space, then continue with --resume.",
        )
    return RunFailed(f"cannot write{where}: {error.strerror}", code="write-failed")


def _tell(stream: EventStream, error: RunFailed | UserError) -> None:
    with suppress(OSError):  # the disk may be what failed
        code = getattr(error, "code", "user-error")
        stream.error(code, str(error), hint=getattr(error, "hint", ""))
        stream.done("failed")
        logger.error("%s %s", error, getattr(error, "hint", ""))


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Let this package's simulation log go to a file as well."""
    handler = _QuietHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    previous = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous)
        with suppress(OSError):
            handler.close()


class _QuietHandler(logging.FileHandler):
    """A log file that fails (a full disk) must neither print a traceback nor hide the failure that is being logged."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Do nothing."""
