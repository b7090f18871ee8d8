"""The model file of a training, with where its weights come from."""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nequip_openmm._version import __version__
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.potential import Potential
from nequip_openmm.training.config import TrainingConfig
from nequip_openmm.training.prepare import Preparation
from nequip_openmm.training.recorder import Best

__all__ = ["ModelExport"]


class ModelExport:
    """Writes ``model.safetensors`` from the best weights.

    Parameters
    ----------
    path
        The file.
    model
        The model in training; a copy of it receives the weights.
    config, preparation
        Settings and data, for the file's metadata.
    """

    def __init__(
        self, path: Path, model: NequIP, config: TrainingConfig, preparation: Preparation
    ) -> None:
        self.path = path
        self._model = copy.deepcopy(model).cpu()
        self._provenance = {
            "dataset": preparation.source,
            "split": preparation.split.to_dict(),
            "settings": config.model_dump(mode="json"),
            "versions": _versions(),
        }

    @torch.no_grad()
    def potential(self, best: Best) -> Potential:
        """Return the potential with the best weights."""
        trainable = [p for p in self._model.parameters() if p.requires_grad]
        for parameter, average in zip(trainable, best.average, strict=True):
            parameter.copy_(average)
        return Potential(self._model)

    def save(self, best: Best, test: dict[str, Any] | None = None) -> None:
        """Write the file; ``test`` are errors on frames that took no part."""
        when = {"epoch": best.epoch, "step": best.step}
        metrics = {"validation": best.results} | ({"test": test} if test else {})
        metadata = {"training": self._provenance | when, "metrics": metrics}
        save_model(self.path, self.potential(best).model, metadata)


def _versions() -> dict[str, str]:
    packages = ("torch", "e3nn", "lightning", "numpy", "ase")
    return {"nequip-openmm": __version__, **{name: version(name) for name in packages}}
