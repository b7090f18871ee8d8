"""What it means that i-PI has ended before its last step."""

from __future__ import annotations

import errno
from typing import Any

from ipi_driver.runner import files
from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.runs.failures import write_failure

__all__ = ["ended_early", "explained"]


def explained(failure: dict[str, Any], step: int) -> RunFailed | UserError:
    """Return what an exception in i-PI's process means, as the process has reported it."""
    message = failure["message"] or failure["type"]
    if failure["errno"] in (errno.ENOSPC, errno.EDQUOT):
        return write_failure(OSError(failure["errno"], message, failure["filename"]))
    if failure["is_users"]:
        return UserError(message)
    if failure["code"] is not None:
        return RunFailed(message, code=failure["code"], hint=failure["hint"])
    return RunFailed(
        f"i-PI stopped at step {step}: {failure['type']}: {message}",
        code="ipi",
        hint=f"See {files.IPI_LOG} in the run folder; once the cause is gone, go on with --resume.",
    )


def ended_early(exit_code: int | None, step: int, steps: int) -> RunFailed:
    """Return the error of a run whose i-PI ended, without a report, before it was due."""
    how = "ended"
    if exit_code is not None and exit_code < 0:
        how = f"was killed by signal {-exit_code}"
    return RunFailed(
        f"i-PI {how} at step {step} of {steps}",
        code="ipi-died",
        hint=f"See {files.IPI_LOG} in the run folder; go on with --resume.",
    )
