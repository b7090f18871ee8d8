"""The runner: i-PI and its drivers as child processes of one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipi_driver.runner.run import PimdResult, prepare_pimd, resume_pimd, run_pimd

__all__ = ["PimdResult", "prepare_pimd", "resume_pimd", "run_pimd"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used; the children of a run import this package too."""
    if name not in __all__:
        raise AttributeError(f"module 'ipi_driver.runner' has no attribute {name!r}")
    from ipi_driver.runner import run

    return getattr(run, name)
