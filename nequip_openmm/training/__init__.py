"""Training: configuration, loss, loop, checkpoints, evaluation.

What is here is imported on first use, so that settings can be read without waiting for Lightning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nequip_openmm.training.config import TrainingConfig
    from nequip_openmm.training.evaluate import evaluate_model
    from nequip_openmm.training.loading import load_config
    from nequip_openmm.training.run import TrainingResult, train

__all__ = ["TrainingConfig", "TrainingResult", "evaluate_model", "load_config", "train"]

_HOMES = {
    "TrainingConfig": "config",
    "TrainingResult": "run",
    "evaluate_model": "evaluate",
    "load_config": "loading",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
