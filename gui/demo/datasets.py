"""A made-up data set: three water molecules that shake, with energies and forces that look like some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.core.datasets import OpenDataset, Reading, SplitChoice

__all__ = ["demo_dataset"]

WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]])  # Å
CENTRES = np.array([[0.0, 0.0, 0.0], [2.9, 0.0, 0.0], [1.4, 2.5, 0.0]])
NUMBERS = np.array([8, 1, 1] * 3)
CUTOFF = 5.0
SOURCE = Path("water_trimer.xyz")
ODD = 7  # frames that are out of the ordinary
N_BINS = 48


def demo_dataset(n_frames: int = 500, seed: int = 0) -> OpenDataset:
    """Return a data set of ``n_frames`` frames with some that are out of the ordinary."""
    rng = np.random.default_rng(seed)
    positions = (WATER + CENTRES[:, None]).reshape(-1, 3) + rng.normal(
        scale=0.06, size=(n_frames, 9, 3)
    )
    strain = positions - positions.mean(axis=0)
    strain[:ODD] *= np.linspace(3.0, 2.0, ODD)[:, None, None]
    forces = -12.0 * strain + rng.normal(scale=0.3, size=strain.shape)
    forces -= forces.mean(axis=1, keepdims=True)
    energies = -1395.2 + 6.0 * (strain**2).sum(axis=(1, 2))
    arrays = _arrays(positions, forces, energies)
    odd = np.arange(ODD)
    arrays["finding_frames"] = np.concatenate([odd, np.arange(20, 24)])
    return OpenDataset(
        Reading(SOURCE),
        Path(),
        _document(arrays, n_frames),
        arrays,
        SplitChoice.usual(n_frames),
    )


def _arrays(positions: Any, forces: Any, energies: Any) -> dict[str, NDArray[Any]]:
    n_frames = len(positions)
    norms = np.linalg.norm(forces, axis=2)
    nearest, neighbours = _surroundings(positions)
    return {
        "offsets": np.arange(n_frames + 1) * 9,
        "numbers": np.tile(NUMBERS, n_frames),
        "positions": positions.reshape(-1, 3),
        "forces": forces.reshape(-1, 3),
        "cells": np.zeros((n_frames, 3, 3)),
        "pbc": np.zeros((n_frames, 3), dtype=bool),
        "energies": energies,
        "energies_per_atom": energies / 9,
        "max_forces": norms.max(axis=1),
        "force_norms": norms.reshape(-1),
        "nearest": nearest.reshape(-1),
        "shortest": nearest.min(axis=1),
        "neighbours": neighbours.reshape(-1).astype(float),
        "mean_neighbours": neighbours.mean(axis=1),
        "formula": np.zeros(n_frames, dtype=np.int32),
    }


def _surroundings(positions: Any) -> tuple[Any, Any]:
    nearest, neighbours = np.empty(positions.shape[:2]), np.empty(positions.shape[:2])
    for part in np.array_split(np.arange(len(positions)), max(1, len(positions) // 2000)):
        apart = np.linalg.norm(positions[part, :, None] - positions[part, None], axis=3)
        apart[:, range(9), range(9)] = np.inf
        nearest[part], neighbours[part] = apart.min(axis=2), (apart < 4.0).sum(axis=2)
    return nearest, neighbours


def _document(arrays: dict[str, NDArray[Any]], n_frames: int) -> dict[str, Any]:
    names = ("energies_per_atom", "force_norms", "neighbours", "nearest")
    return {
        "summary": {
            "source": str(SOURCE),
            "frames": n_frames,
            "atoms": _range(np.array([9.0])),
            "elements": {"H": 6 * n_frames, "O": 3 * n_frames},
            "compositions": {"H6O3": n_frames},
            "periodicity": {"none": n_frames},
            "cell_lengths": None,
            "cell_volume": None,
            "with_energy": n_frames,
            "with_forces": n_frames,
            "with_stress": 0,
            "energy_per_atom": _range(arrays["energies_per_atom"]),
            "force_rms": float(np.sqrt(np.mean(arrays["forces"] ** 2))),
            "force_norm": _range(arrays["force_norms"]),
            "stress_norm": None,
            "cutoff": CUTOFF,
            "neighbours": _range(arrays["neighbours"]),
            "shortest_distance": float(arrays["shortest"].min()),
            "frames_scanned": n_frames,
            "notes": ["energy is read from 'REF_energy'"],
        },
        "lint": {
            "errors": 0,
            "warnings": 2,
            "findings": [
                _finding(
                    "warning",
                    "energy-outliers",
                    "energies per atom far from those of similar compositions, most in frame 0 "
                    "(+0.214 eV/atom, 19 robust standard deviations); look at these calculations",
                    ODD,
                ),
                _finding(
                    "warning",
                    "duplicates",
                    "4 frames repeat an earlier one; in a split they make test errors look too small",
                    4,
                ),
                _finding("note", "reader", "energy is read from 'REF_energy'", 0),
            ],
        },
        "names": {"energy": "REF_energy", "forces": "forces"},
        "units": "energies eV, positions Å, forces eV/Å",
        "cutoff": CUTOFF,
        "formulas": ["H6O3"],
        "histograms": {name: _histogram(arrays, name) for name in names},
    }


def _finding(severity: str, code: str, message: str, n_frames: int) -> dict[str, Any]:
    return {"severity": severity, "code": code, "message": message, "n_frames": n_frames}


def _range(values: NDArray[Any]) -> dict[str, float]:
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}


def _histogram(arrays: dict[str, NDArray[Any]], name: str) -> dict[str, Any]:
    values = arrays[name]
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, N_BINS + 1)
    if name == "neighbours":
        edges = np.arange(low - 0.5, high + 1.0)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    arrays[f"{name}_bins"] = bins.astype(np.uint8)
    return {"edges": edges.tolist(), "counts": np.bincount(bins, minlength=len(edges) - 1).tolist()}
