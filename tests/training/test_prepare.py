"""What is refused before a run folder is made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase.io import write

from nequip_openmm.errors import DataError
from nequip_openmm.training.prepare import prepare
from tests.training.conftest import Config, clusters


def test_two_atoms_in_one_place_are_named(tmp_path: Path, tiny: Config) -> None:
    frames = clusters(28)
    frames[21].positions[3] = frames[21].positions[1]
    path = tmp_path / "overlap.xyz"
    write(path, frames, format="extxyz")
    with pytest.raises(DataError, match=r"atoms 1 and 3 of frame 21 .* less than 0\.1 Å apart"):
        prepare(tiny(f"data.path={path}"))


@pytest.mark.parametrize("allowed", [True, False])
def test_nan_is_named_by_its_frame_in_the_file(tmp_path: Path, tiny: Config, allowed: bool) -> None:
    path = tmp_path / "nan.xyz"
    write(path, clusters(28), format="extxyz")
    dataset = path.read_text().splitlines()
    start = sum(6 + k % 2 for k in range(17))  # lines before frame 17
    dataset[start + 2] = re.sub(r"-?\d+\.\d+", "nan", dataset[start + 2], count=1)
    path.write_text("\n".join(dataset) + "\n")
    with pytest.raises(DataError, match="frame 17"):
        prepare(tiny(f"data.path={path}", f"data.allow_missing_labels={str(allowed).lower()}"))


def test_statistics_come_from_the_training_frames_alone(tmp_path: Path, tiny: Config) -> None:
    path = tmp_path / "a.xyz"
    frames = clusters(28)
    write(path, frames, format="extxyz")
    first = prepare(tiny(f"data.path={path}"))
    for k in (*first.split.valid, *first.split.test):
        frames[k].calc.results["forces"] = frames[k].calc.results["forces"] * np.float64(10.0)
    write(path, frames, format="extxyz")
    second = prepare(tiny(f"data.path={path}"))
    assert second.model_config == first.model_config
