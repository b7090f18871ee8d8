"""What torch's and Python's exceptions mean for a training."""

from __future__ import annotations

import torch

from nequip_openmm.errors import RunFailed

__all__ = ["memory_failure"]


def memory_failure(error: Exception) -> RunFailed | None:
    """Return what a lack of memory means; None for any other exception."""
    if not isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return None
    return RunFailed(
        "there is not enough memory; the last checkpoint is kept",
        code="out-of-memory",
        hint="Lower training.batch_size, training.validation_batch_size, training.cache_size or the size of the model.",
    )
