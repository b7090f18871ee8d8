"""A data set as a folder of ``.npy`` files, which another program maps into memory instead of reading the source again.

Beside the data set itself (`Dataset`'s names) the folder holds what is worth looking at by frame and by atom:

=====================  =========  ==============================================================================
``energies_per_atom``  (F,)       eV
``max_forces``         (F,)       largest force on an atom, eV/Å
``mean_neighbours``    (F,)       neighbours within the cutoff
``shortest``           (F,)       shortest distance, Å
``formula``            (F,)       row of ``formulas`` in ``dataset.json``
``force_norms``        (ΣN,)      eV/Å
``neighbours``         (ΣN,)      neighbours within the cutoff
``nearest``            (ΣN,)      distance to the nearest neighbour, Å
``..._bins``           as above   bin of the histogram of energies, forces, neighbours, nearest; 255 for none
``finding_frames``     (ΣK,)      frames of the findings, one finding after the other
=====================  =========  ==============================================================================

NaN stands for what is not labelled, not looked at, or not there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.findings import Report
from nequip_openmm.data.scan import GeometryScan

__all__ = ["INDEX", "NO_BIN", "bins_of", "save_arrays"]

FloatArray = NDArray[np.float64]

INDEX = "dataset.json"
ARRAYS = ("offsets", "numbers", "positions", "cells", "pbc", "energies", "forces", "stresses")
N_BINS, FEWEST_BINS = 48, 5
NO_BIN = 255


def save_arrays(
    folder: Path, dataset: Dataset, scan: GeometryScan, report: Report, document: dict[str, Any]
) -> None:
    """Write a data set, what was found out about it, and ``document`` with more of it into an existing folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    by_atom = _by_atom(dataset, scan)
    by_frame = _by_frame(dataset, scan, by_atom["force_norms"])
    formulas, formula = _formulas(dataset)
    frames = [np.asarray(finding.frames, dtype=np.int64) for finding in report.findings]
    arrays = {name: getattr(dataset, name) for name in ARRAYS} | by_atom | by_frame
    arrays |= {"formula": formula, "finding_frames": np.concatenate([np.zeros(0, int), *frames])}
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    columns = {
        "energies_per_atom": by_frame["energies_per_atom"],
        **by_atom,
    }
    histograms: dict[str, Any] = {}
    for name, values in columns.items():
        edges, bins = bins_of(values)
        counts = np.bincount(bins[bins != NO_BIN], minlength=max(len(edges) - 1, 0))
        histograms[name] = {"edges": edges.tolist(), "counts": counts.tolist()}
        np.save(folder / f"{name}_bins.npy", bins)
    text = json.dumps({**document, "formulas": formulas, "histograms": histograms}, allow_nan=False)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def bins_of(values: NDArray[Any]) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Return edges of a histogram and the bin of every value, `NO_BIN` where that is not finite.

    Bins are half-open, the last one closed.
    """
    bins = np.full(len(values), NO_BIN, dtype=np.uint8)
    is_finite = np.isfinite(values)
    finite = values[is_finite].astype(np.float64)
    if not len(finite):
        return np.zeros(0), bins
    edges = _edges(float(finite.min()), float(finite.max()), bool((finite % 1.0 == 0.0).all()))
    places = np.searchsorted(edges, finite, side="right") - 1
    bins[is_finite] = np.clip(places, 0, len(edges) - 2)
    return edges, bins


def _edges(low: float, high: float, are_counts: bool) -> FloatArray:
    """Return bin edges; those of whole numbers lie half-way between them."""
    if are_counts:
        while high - low + 1.0 < FEWEST_BINS:  # few different numbers stand in the middle
            low, high = low - 1.0, high + 1.0
        step = max(1, int(np.ceil((high - low + 1.0) / N_BINS)))
        return np.arange(low - 0.5, high + 0.5 + step, step)
    margin = 1e-6 * max(abs(low), abs(high), 1e-6)
    if high - low < margin:  # equal values stand in the middle
        low, high = low - margin, high + margin
    return np.linspace(low, high, N_BINS + 1)


def _by_atom(dataset: Dataset, scan: GeometryScan) -> dict[str, NDArray[Any]]:
    """Return what there is for every atom, in single precision: it is drawn, not computed with."""
    looked_at = dataset.subset(scan.frames)
    atoms = np.repeat(dataset.offsets[:-1][scan.frames], looked_at.n_atoms)
    atoms += np.arange(len(atoms)) - np.repeat(looked_at.offsets[:-1], looked_at.n_atoms)
    nearest, neighbours = (np.full(len(dataset.numbers), np.nan, np.float32) for _ in range(2))
    nearest[atoms] = np.where(np.isfinite(scan.nearest), scan.nearest, np.nan)
    neighbours[atoms] = scan.counts
    norms = np.linalg.norm(dataset.forces, axis=1).astype(np.float32)
    return {"force_norms": norms, "neighbours": neighbours, "nearest": nearest}


def _by_frame(dataset: Dataset, scan: GeometryScan, norms: NDArray[Any]) -> dict[str, FloatArray]:
    first = dataset.offsets[:-1]
    mean, shortest = (np.full(len(dataset), np.nan) for _ in range(2))
    shortest[scan.frames] = np.where(np.isfinite(scan.closest), scan.closest, np.nan)
    n_atoms = dataset.n_atoms[scan.frames]
    if len(scan.frames):
        starts = np.cumsum(n_atoms) - n_atoms
        mean[scan.frames] = np.add.reduceat(scan.counts, starts) / n_atoms
    return {
        "energies_per_atom": dataset.energies / dataset.n_atoms,
        "max_forces": np.maximum.reduceat(norms, first).astype(np.float64),
        "mean_neighbours": mean,
        "shortest": shortest,
    }


def _formulas(dataset: Dataset) -> tuple[list[str], NDArray[np.int32]]:
    """Return the formulas that occur, in Hill's order, and which of them every frame has."""
    rows, which = np.unique(dataset.compositions(), axis=0, return_inverse=True)
    symbols = [chemical_symbols[z] for z in np.unique(dataset.numbers)]
    formulas = [
        str(Formula.from_dict({s: int(n) for s, n in zip(symbols, row) if n}).format("hill"))
        for row in rows
    ]
    return formulas, which.reshape(-1).astype(np.int32)
