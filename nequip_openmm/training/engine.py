"""How a training evaluates its model: fused kernels on the CPU, or the network as PyTorch runs it."""

from __future__ import annotations

import logging
from functools import partial
from typing import Protocol

from nequip_openmm.data.batch import Batch
from nequip_openmm.errors import BackendError
from nequip_openmm.kernels.training import FusedNequIP
from nequip_openmm.model.derivatives import Prediction, energy_and_derivatives
from nequip_openmm.model.nequip import NequIP

__all__ = ["Evaluation", "choose_evaluation", "engine_name"]

log = logging.getLogger(__name__)


class Evaluation(Protocol):
    """Does for one model what `energy_and_derivatives` does for any."""

    def __call__(
        self, batch: Batch, *, forces: bool, virial: bool, create_graph: bool
    ) -> Prediction:
        """Evaluate a batch, and differentiate its energy."""


def choose_evaluation(model: NequIP, engine: str = "auto") -> Evaluation:
    """Return how a model is evaluated, on the device where it is.

    Parameters
    ----------
    engine
        ``"fused"``, ``"reference"``, or ``"auto"`` for fused on the CPU where it works, else reference.

    Raises
    ------
    BackendError
        If ``"fused"`` is asked for and does not work here.
    """
    reference = partial(energy_and_derivatives, model)
    if engine == "reference" or (engine == "auto" and model.device.type != "cpu"):
        return reference
    try:
        return _fused(model)
    except BackendError as error:
        if engine == "fused":
            raise
        log.warning("training takes many times longer without the fast engine: %s", error)
        return reference


def engine_name(evaluation: Evaluation) -> str:
    """Return ``"fused"`` or ``"reference"``."""
    return "reference" if isinstance(evaluation, partial) else "fused"


def _fused(model: NequIP) -> Evaluation:
    if model.device.type != "cpu":
        raise BackendError(
            f"training.engine = 'fused' runs on the CPU, the model is on {model.device}: set training.accelerator=cpu"
        )
    return FusedNequIP(model).energy_and_derivatives
