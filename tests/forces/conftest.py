"""Fixtures of the OpenMM tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nequip_openmm.model.file import save_model
from tests.forces.cases import random_model


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file in float64 with random weights."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, random_model(torch.float64), {"training": {"note": "random weights"}})
    return path
