"""The select command: the frames that it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.cli.app import main
from nequip_openmm.data import Dataset, Frame, read_dataset


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["select", *(str(word) for word in argv)])
    return int(stopped.value.code or 0)


@pytest.fixture
def data() -> Dataset:
    """Ten frames of all kinds: periodic or not, with and without labels, one that is not finite."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(10):
        n = 1 + i % 3
        stress = rng.normal(size=(3, 3))
        frames.append(
            Frame.create(
                rng.choice([1, 6, 79], n),
                rng.normal(scale=3.0, size=(n, 3)),
                rng.normal(size=(3, 3)) + 5.0 * np.eye(3) if i % 2 else None,
                [True, True, False] if i % 2 else False,
                energy=None if i == 4 else np.nan if i == 7 else rng.normal() * 1e3,
                forces=None if i == 5 else rng.normal(size=(n, 3)) * 10.0 ** rng.integers(-9, 3),
                stress=stress + stress.T if i % 2 else None,
            )
        )
    return Dataset.from_frames(frames)


@pytest.fixture
def file(tmp_path: Path, data: Dataset) -> Path:
    from nequip_openmm.data.write import write_extxyz

    path = tmp_path / "all.xyz"
    write_extxyz(path, data)
    return path


def same(a: Dataset, b: Dataset) -> None:
    for name in (
        "offsets",
        "numbers",
        "positions",
        "cells",
        "pbc",
        "energies",
        "forces",
        "stresses",
    ):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(a.with_energy, b.with_energy)
    np.testing.assert_array_equal(a.with_stress, b.with_stress)


def test_what_is_written_is_read_back_to_the_last_bit(file: Path, data: Dataset) -> None:
    same(read_dataset(file), data)


def test_frames_by_number_and_range(file: Path, data: Dataset, tmp_path: Path) -> None:
    assert run(file, tmp_path / "some.xyz", "--frames", "9,1:4,2") == 0
    same(read_dataset(tmp_path / "some.xyz"), data.subset([1, 2, 3, 9]))


def test_frames_are_left_out(file: Path, data: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.array([7, 4]))
    assert run(file, tmp_path / "rest.xyz", "--frames", tmp_path / "bad.npy", "--leave-out") == 0
    same(read_dataset(tmp_path / "rest.xyz"), data.subset([0, 1, 2, 3, 5, 6, 8, 9]))


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ("3,x", "expected numbers and ranges"),
        ("12", "no frame 12; the data set has 0 to 9"),
        ("4:4", "no frame is left to write"),
        ("missing.npy", "expected numbers and ranges"),
    ],
)
def test_what_cannot_be_chosen(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], frames: str, says: str
) -> None:
    assert run(file, tmp_path / "some.xyz", "--frames", frames) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "some.xyz").exists()


def test_the_data_set_itself_is_never_overwritten(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    assert run(file, file, "--frames", "1") == 2
    assert "is the data set itself" in capsys.readouterr().err
    assert run(file, file.parent / "no" / "folder.xyz", "--frames", "1") == 2
    assert "cannot write" in capsys.readouterr().err
    assert file.read_bytes() == before
