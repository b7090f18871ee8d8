"""What a training says to its log and its event stream, when it begins, ends or fails."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from nequip_openmm.errors import RunFailed
from nequip_openmm.runs import EventStream

__all__ = ["failures_reported", "logged_to"]

FULL = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Write what the package logs to a file, inside the block."""
    package = logging.getLogger("nequip_openmm")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        with suppress(OSError):  # a full disk has been reported already
            handler.close()


@contextmanager
def failures_reported(stream: EventStream, output: Path) -> Iterator[None]:
    """Turn what ends a run badly into `RunFailed`, and tell log and event stream of it."""
    try:
        yield
    except (RunFailed, OSError, MemoryError, torch.OutOfMemoryError) as error:
        failure = _as_failure(error, output)
        _tell(stream, failure)
        if failure is error:
            raise
        raise failure from error
    except KeyboardInterrupt:  # the second Ctrl-C
        _tell(stream, RunFailed("interrupted", code="interrupted"))
        raise


def _tell(stream: EventStream, failure: RunFailed) -> None:
    with suppress(OSError):  # the disk may be what failed
        log.error("%s. %s", failure, failure.hint)
        stream.error(failure.code, str(failure), hint=failure.hint)
        stream.done("failed")


def _as_failure(error: Exception, output: Path) -> RunFailed:
    if isinstance(error, RunFailed):
        return error
    if isinstance(error, OSError):
        return RunFailed(
            f"cannot write {error.filename or output}: {error.strerror or error}; "
            "the last complete checkpoint is kept",
            code="disk-full" if error.errno in FULL else "io",
            hint=f"Free some space, then continue with: nequip-openmm train --resume {output}",
        )
    return RunFailed(
        "there is not enough memory; the last checkpoint is kept",
        code="out-of-memory",
        hint="Lower training.batch_size, training.validation_batch_size, training.cache_size or the size of the model.",
    )
