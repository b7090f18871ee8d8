"""Predictions beside labels as a folder of ``.npy`` files, for a program that draws them.

======================  =========  ================================================================
``frames``              (F,)       numbers of the frames in the data set
``offsets``             (F+1,)     atoms of frame i are ``offsets[i]`` to ``offsets[i+1]``
``numbers``             (ΣN,)      atomic numbers
``positions``           (ΣN, 3)    Å
``cells``, ``pbc``      (F, 3, 3)  Å, rows; and (F, 3), whether it repeats
``energies``            (F,)       labels, eV; NaN where a frame has none
``predicted_energies``  (F,)       eV
``forces``              (ΣN, 3)    labels, eV/Å; NaN where a frame has none
``predicted_forces``    (ΣN, 3)    eV/Å
======================  =========  ================================================================

``errors.json`` holds what ``nequip-openmm evaluate --json`` prints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nequip_openmm.data import Dataset
from nequip_openmm.training.evaluate import Errors

__all__ = ["INDEX", "save_comparison"]

INDEX = "errors.json"
GEOMETRY = ("offsets", "numbers", "positions", "cells", "pbc")


def save_comparison(
    folder: Path, frames: Dataset, errors: Errors, document: dict[str, Any]
) -> None:
    """Write labels, predictions and ``document`` into an existing folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    numbers = [frames.number_in_source(i) for i in range(len(frames))]
    arrays = {name: getattr(frames, name) for name in GEOMETRY} | {
        "frames": np.array(numbers, dtype=np.int64),
        "energies": frames.energies,
        "forces": frames.forces,
        "predicted_energies": errors.energies,
        "predicted_forces": errors.forces,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / INDEX).write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")
