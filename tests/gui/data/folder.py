"""Writes a data set as a reader child would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gui.core.datasets import OpenDataset


def save_dataset(dataset: OpenDataset, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, array in dataset.arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "dataset.json").write_text(json.dumps(dict(dataset.document)))
