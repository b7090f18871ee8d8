"""A data set as the window holds it: arrays that a reader child wrote, mapped into memory; nothing here reads the file itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gui.core.histograms import HISTOGRAMS, Histogram
from gui.core.options import without_options
from nequip_openmm.data.split import Method, Split, split_indices
from nequip_openmm.errors import DataError

__all__ = [
    "SETS",
    "SEVERITIES",
    "Finding",
    "Frame",
    "OpenDataset",
    "Reading",
    "SplitChoice",
]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SETS = ("unused", "train", "validation", "test")
"""What a frame is used for; `OpenDataset.set_of_frame` gives positions in this tuple."""

SEVERITIES = ("", "note", "warning", "error")
PART = 0.1  # of the frames for validation, and as much for the test, as training does by itself


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Attributes
    ----------
    path
        File or folder.
    format, units
        As the command line takes them; None leaves them to the reader.
    keys
        Label (``energy``, ``forces``, ``stress``, ``virial``) -> name in the file.
    """

    path: Path
    format: str | None = None
    units: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """Return file and options as ``nequip-openmm info`` takes them."""
        options = {"format": self.format, "units": self.units}
        options |= {f"{label}-key": name for label, name in self.keys.items()}
        given = [(name, value) for name, value in options.items() if value]
        return [str(self.path), *(word for name, value in given for word in (f"--{name}", value))]


@dataclass(frozen=True)
class SplitChoice:
    """Which frames train, choose and judge a model.

    Attributes
    ----------
    n_train
        Number of training frames; None takes all that the others leave.
    n_valid, n_test
        Numbers of validation and test frames.
    method
        ``"random"`` or ``"block"``.
    seed
        Of the shuffle.
    """

    n_train: int | None
    n_valid: int
    n_test: int
    method: Method = "random"
    seed: int = 0

    @classmethod
    def usual(cls, n_frames: int) -> SplitChoice:
        """Return what training does by itself: a tenth for validation, a tenth for the test, the rest to learn from."""
        part = max(1, round(PART * n_frames))
        return cls(None, part, part if n_frames > 2 * part else 0)

    def indices(self, n_frames: int) -> Split:
        """Return the frames of each set, the same ones that training will take.

        Raises
        ------
        DataError
            If there are not as many frames, or none is left for training.
        """
        n_train = n_frames - self.n_valid - self.n_test if self.n_train is None else self.n_train
        return split_indices(
            n_frames, n_train, self.n_valid, self.n_test, method=self.method, seed=self.seed
        )


@dataclass(frozen=True)
class Finding:
    """One thing that the check of the data found; ``frames`` is empty where it concerns all."""

    severity: Literal["error", "warning", "note"]
    code: str
    message: str
    frames: IntArray


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure: (N,) numbers, (N, 3) positions in Å and forces in eV/Å (None where missing), (3, 3) cell, (3,) pbc."""

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: BoolArray
    forces: FloatArray | None


@dataclass(frozen=True, eq=False)
class OpenDataset:
    """What a reader child found in a file, and how it is to be divided.

    Attributes
    ----------
    reading
        How the file was read.
    folder
        Where the arrays lie.
    document
        What the child said: ``summary``, ``lint``, ``names``, ``units``, ``cutoff``, ``formulas``, ``histograms``.
    arrays
        Name -> array, see `nequip_openmm.data.arrays`.
    split
        How the frames are divided.
    """

    reading: Reading
    folder: Path
    document: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    split: SplitChoice

    @classmethod
    def load(cls, folder: Path, reading: Reading) -> OpenDataset:
        """Map the arrays of a folder that ``nequip-openmm info --save`` wrote."""
        document = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
        n_frames = int(document["summary"]["frames"])
        return cls(reading, folder, document, arrays, SplitChoice.usual(n_frames))

    def with_split(self, split: SplitChoice) -> OpenDataset:
        """Return the same data, divided in another way."""
        return replace(self, split=split)

    @property
    def path(self) -> Path:
        """File or folder it was read from."""
        return self.reading.path

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.arrays["offsets"]) - 1

    @property
    def summary(self) -> Mapping[str, Any]:
        """What ``nequip-openmm info --json`` says under ``summary``."""
        return self.document["summary"]

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols that occur."""
        return tuple(self.summary["elements"])

    @property
    def n_scanned(self) -> int:
        """Number of frames in which neighbours and distances were looked at."""
        return int(self.summary["frames_scanned"])

    def data_settings(self) -> dict[str, Any]:
        """Return the section ``data`` of a training's settings that reads and divides the file in this way."""
        settings: dict[str, Any] = {
            "path": str(self.path.resolve()),
            "format": self.reading.format,
            "units": self.reading.units,
            "keys": dict(self.reading.keys) or None,
            "n_train": self.split.n_train,
            "n_valid": self.split.n_valid,
            "n_test": self.split.n_test,
            "split": self.split.method,
            "split_seed": self.split.seed,
        }
        return {name: value for name, value in settings.items() if value is not None}

    # --- frames

    def frame(self, index: int) -> Frame:
        """Return one structure."""
        offsets = self.arrays["offsets"]
        atoms = slice(int(offsets[index]), int(offsets[index + 1]))
        forces = self.arrays["forces"][atoms]
        return Frame(
            numbers=np.asarray(self.arrays["numbers"][atoms]),
            positions=np.asarray(self.arrays["positions"][atoms]),
            cell=np.asarray(self.arrays["cells"][index]),
            pbc=np.asarray(self.arrays["pbc"][index]),
            forces=np.asarray(forces) if np.isfinite(forces).all() else None,
        )

    def formula(self, index: int) -> str:
        """Return the formula of a frame."""
        return str(self.document["formulas"][self.arrays["formula"][index]])

    @cached_property
    def n_atoms(self) -> IntArray:
        """(F,) number of atoms."""
        return np.diff(self.arrays["offsets"])

    @cached_property
    def set_of_frame(self) -> NDArray[np.uint8]:
        """(F,) what every frame is used for, as a position in `SETS`; nothing where the sizes do not fit."""
        used = np.zeros(self.n_frames, dtype=np.uint8)
        if not self.split_problem:
            split = self.split.indices(self.n_frames)
            for number, frames in enumerate((split.train, split.valid, split.test), start=1):
                used[frames] = number
        return used

    @cached_property
    def split_problem(self) -> str:
        """Why the data cannot be divided as chosen; empty where they can."""
        split, n_frames = self.split, self.n_frames
        if split.n_valid < 1:
            return "at least one frame is needed for validation"
        if split.n_train is None and split.n_valid + split.n_test >= n_frames:
            taken = f"{split.n_valid:,} for validation and {split.n_test:,} for the test"
            return f"{taken} leave none of the {n_frames:,} frames to learn from"
        try:
            self.split.indices(self.n_frames)
        except DataError as error:
            return str(error)
        return ""

    # --- findings

    @cached_property
    def findings(self) -> Sequence[Finding]:
        """Errors, warnings and notes, in this order, with all their frames."""
        reported = self.document["lint"]["findings"]
        ends = np.cumsum([0, *(finding["n_frames"] for finding in reported)])
        frames = self.arrays["finding_frames"]
        return [
            Finding(
                f["severity"], f["code"], without_options(f["message"]), np.asarray(frames[a:b])
            )
            for f, a, b in zip(reported, ends[:-1], ends[1:])
        ]

    @cached_property
    def severity_of_frame(self) -> NDArray[np.uint8]:
        """(F,) the worst that was found about every frame, as a position in ``("", "note", "warning", "error")``."""
        worst = np.zeros(self.n_frames, dtype=np.uint8)
        for finding in self.findings:
            level = SEVERITIES.index(finding.severity)
            worst[finding.frames] = np.maximum(worst[finding.frames], level)
        return worst

    # --- histograms

    @cached_property
    def histograms(self) -> Mapping[str, Histogram]:
        """All that hold a value, by name."""
        found = self.document["histograms"]
        return {
            name: Histogram(name, np.array(found[name]["edges"]), np.array(found[name]["counts"]))
            for name in HISTOGRAMS
            if found[name]["counts"]
        }

    def within(self, name: str, first: int, last: int) -> BoolArray:
        """Return (F,) which frames, or frames with which atoms, lie in the bins ``first`` to ``last`` of a histogram."""
        bins = np.asarray(self.arrays[f"{name}_bins"])
        inside = (bins >= first) & (bins <= last)
        return self._any_atom(inside) if HISTOGRAMS[name].per_atom else inside

    def counts_of(self, name: str, frames: BoolArray) -> IntArray:
        """Return the histogram of a quantity in some of the frames, (F,) a mask."""
        chosen = np.repeat(frames, self.n_atoms) if HISTOGRAMS[name].per_atom else frames
        n_bins = len(self.histograms[name].counts)
        bins = np.asarray(self.arrays[f"{name}_bins"])[chosen]
        return np.bincount(bins, minlength=n_bins)[:n_bins]

    def _any_atom(self, atoms: BoolArray) -> BoolArray:
        return np.logical_or.reduceat(atoms, self.arrays["offsets"][:-1])
