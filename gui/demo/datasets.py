"""Made-up data sets: molecules that shake, with energies and forces that look like some."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from gui.core.datasets import OpenDataset, Reading, SplitChoice
from gui.demo.molecules import methanol

__all__ = ["demo_dataset", "methanol_dataset"]

WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]])  # Å
CENTRES = np.array([[0.0, 0.0, 0.0], [2.9, 0.0, 0.0], [1.4, 2.5, 0.0]])
CUTOFF = 5.0
ODD = 7  # frames that are out of the ordinary
N_BINS = 48


class _Source(NamedTuple):
    """What shakes: a file that never was, its atoms, a formula and the energy at rest."""

    path: Path
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    formula: str
    energy: float


def demo_dataset(n_frames: int = 500, seed: int = 0) -> OpenDataset:
    """Return ``n_frames`` frames of three water molecules, some of them out of the ordinary."""
    positions = (WATER + CENTRES[:, None]).reshape(-1, 3)
    numbers = np.array([8, 1, 1] * 3)
    source = _Source(Path("water_trimer.xyz"), numbers, positions, "H6O3", -1395.2)
    return _dataset(source, n_frames, seed)


def methanol_dataset(
    n_frames: int = 360, seed: int = 0, path: Path = Path("methanol.xyz")
) -> OpenDataset:
    """Return as many frames of methanol."""
    atoms = methanol()
    return _dataset(_Source(path, atoms.numbers, atoms.positions, "CH4O", -3140.9), n_frames, seed)


def _dataset(source: _Source, n_frames: int, seed: int) -> OpenDataset:
    rng = np.random.default_rng(seed)
    shape = (n_frames, *source.positions.shape)
    positions = source.positions + rng.normal(scale=0.06, size=shape)
    strain = positions - source.positions
    strain[:ODD] *= np.linspace(3.0, 2.0, ODD)[:, None, None]
    positions = source.positions + strain
    forces = -12.0 * strain + rng.normal(scale=0.3, size=strain.shape)
    forces -= forces.mean(axis=1, keepdims=True)
    energies = source.energy + 6.0 * (strain**2).sum(axis=(1, 2))
    arrays = _arrays(source, positions, forces, energies)
    arrays["finding_frames"] = np.concatenate([np.arange(ODD), np.arange(20, 24)])
    return OpenDataset(
        Reading(source.path),
        Path(),
        _document(source, arrays, n_frames),
        arrays,
        SplitChoice.usual(n_frames),
    )


def _arrays(source: _Source, positions: Any, forces: Any, energies: Any) -> dict[str, NDArray[Any]]:
    n_frames, n_atoms = positions.shape[:2]
    norms = np.linalg.norm(forces, axis=2)
    nearest, neighbours = _surroundings(positions)
    return {
        "offsets": np.arange(n_frames + 1) * n_atoms,
        "numbers": np.tile(source.numbers, n_frames),
        "positions": positions.reshape(-1, 3),
        "forces": forces.reshape(-1, 3),
        "cells": np.zeros((n_frames, 3, 3)),
        "pbc": np.zeros((n_frames, 3), dtype=bool),
        "energies": energies,
        "energies_per_atom": energies / n_atoms,
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
        own = np.arange(positions.shape[1])
        apart[:, own, own] = np.inf
        nearest[part], neighbours[part] = apart.min(axis=2), (apart < 4.0).sum(axis=2)
    return nearest, neighbours


def _document(source: _Source, arrays: dict[str, NDArray[Any]], n_frames: int) -> dict[str, Any]:
    n_atoms = len(source.numbers)
    counts = Counter(chemical_symbols[number] for number in source.numbers)
    names = ("energies_per_atom", "force_norms", "neighbours", "nearest")
    return {
        "summary": {
            "source": str(source.path),
            "frames": n_frames,
            "atoms": _range(np.array([float(n_atoms)])),
            "elements": {symbol: n * n_frames for symbol, n in sorted(counts.items())},
            "compositions": {source.formula: n_frames},
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
        "formulas": [source.formula],
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
        edges = np.arange(low - 2.5, high + 3.0)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    arrays[f"{name}_bins"] = bins.astype(np.uint8)
    return {"edges": edges.tolist(), "counts": np.bincount(bins, minlength=len(edges) - 1).tolist()}
