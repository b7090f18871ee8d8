"""Writes a data set as extended XYZ, every number so that it is read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.frame import Frame
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.runs import atomic_write

__all__ = ["write_extxyz"]

SHOW_EVERY = 200  # frames between two looks at the progress bar


def write_extxyz(path: Path, dataset: Dataset, *, progress: bool = False) -> None:
    """Write all frames, in eV and Å, labels under their plain names; labels that are missing stay so.

    Raises
    ------
    OSError
        If it cannot be written; there is no file then, or the one that was there before.
    """
    with (
        atomic_write(path) as temporary,
        temporary.open("w", encoding="utf-8") as file,
        progress_bar(f"writing {path.name}", len(dataset), progress) as at,
    ):
        for number, frame in enumerate(dataset):
            file.write(_text(frame, is_isolated=bool(dataset.isolated[number])))
            if number % SHOW_EVERY == 0:
                at(number)


def _text(frame: Frame, *, is_isolated: bool) -> str:
    columns = (
        frame.positions if frame.forces is None else np.hstack([frame.positions, frame.forces])
    )
    rows = (" ".join(map(repr, row)) for row in columns.tolist())
    atoms = "".join(f"{symbol} {row}\n" for symbol, row in zip(frame.symbols, rows))
    return f"{len(frame)}\n{_comment(frame, is_isolated)}\n{atoms}"


def _comment(frame: Frame, is_isolated: bool) -> str:
    parts = [] if not frame.cell.any() else [f'Lattice="{_numbers(frame.cell)}"']
    parts += [
        "Properties=species:S:1:pos:R:3" + (":forces:R:3" if frame.forces is not None else "")
    ]
    parts += [] if frame.energy is None else [f"energy={frame.energy!r}"]
    parts += [] if frame.stress is None else [f'stress="{_numbers(frame.stress)}"']
    parts += ["config_type=IsolatedAtom"] if is_isolated else []
    return " ".join([*parts, 'pbc="{}"'.format(" ".join("FT"[int(p)] for p in frame.pbc))])


def _numbers(tensor: np.ndarray) -> str:
    return " ".join(map(repr, tensor.reshape(-1).tolist()))
