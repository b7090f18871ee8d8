"""What is refused before a run folder is made."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from rich.console import Console

from nequip_openmm.data import read_dataset
from nequip_openmm.data.soundness import require_sound
from nequip_openmm.errors import DataError, StructureError
from nequip_openmm.training import train
from nequip_openmm.training.loader import FrameBatches
from nequip_openmm.training.prepare import prepare
from tests.training.conftest import Config, clusters


def test_two_atoms_in_one_place_are_named(tmp_path: Path, tiny: Config) -> None:
    frames = clusters(28)
    frames[21].positions[3] = frames[21].positions[1]
    path = tmp_path / "overlap.xyz"
    write(path, frames, format="extxyz")
    with pytest.raises(DataError, match=r"atoms 1 and 3 of frame 21 .* less than 0\.1 Å apart"):
        prepare(tiny(f"data.path={path}"))


def test_a_cell_that_cannot_be_used_is_named_by_its_frame(tmp_path: Path, tiny: Config) -> None:
    frames = clusters(28)
    frames[9].pbc = True
    path = tmp_path / "flat.xyz"
    write(path, frames, format="extxyz")
    with pytest.raises(DataError, match=r"flat\.xyz.* frame 9\b.*lattice"):
        prepare(tiny(f"data.path={path}"))


def test_frames_of_a_subset_keep_the_numbers_of_the_file(cluster_file: Path) -> None:
    dataset = read_dataset(cluster_file).subset([20, 4, 7]).subset([2, 1])
    assert dataset.numbers_in_source([0, 1]).tolist() == [7, 4]
    dataset.positions[0] = dataset.positions[1]
    with pytest.raises(DataError, match="frame 7 "):
        require_sound(dataset, ())
    batches = FrameBatches(dataset, ("O",), 4.0, 0.0)
    with pytest.raises(StructureError, match=r"clusters\.xyz, frame 4: .*H"):
        batches[1]


def test_too_few_frames_say_what_to_do(tmp_path: Path, tiny: Config) -> None:
    path = tmp_path / "one.xyz"
    write(path, clusters(1), format="extxyz")
    with pytest.raises(DataError, match=r"holds 1 frames?; .*data\.n_test=0"):
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


def test_what_the_data_leave_open_is_said_on_the_terminal(tmp_path: Path, tiny: Config) -> None:
    path = tmp_path / "one.xyz"
    write(path, clusters(56)[::2], format="extxyz")  # one composition only
    console = Console(file=io.StringIO(), soft_wrap=True)
    train(tiny(f"data.path={path}", "training.max_epochs=1"), tmp_path / "run", console=console)
    shown = console.file.getvalue()
    assert "warning: compositions determine 1 of 2 energy shifts" in shown
