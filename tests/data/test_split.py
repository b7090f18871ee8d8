"""Splits are disjoint, repeatable, of the size asked for, and survive a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.data.split import Split, split_indices
from nequip_openmm.errors import DataError

METHODS = ("random", "block")


@pytest.mark.parametrize("method", METHODS)
def test_sets_are_disjoint_and_of_the_right_size(method: str) -> None:
    for n, sizes in ((100, (60, 20, 20)), (100, (50, 7, 0)), (1000, (950, 50, 0)), (3, (1, 1, 1))):
        split = split_indices(n, *sizes, method=method, seed=3)  # type: ignore[arg-type]
        assert (len(split.train), len(split.valid), len(split.test)) == sizes
        everything = np.concatenate([split.train, split.valid, split.test])
        assert len(np.unique(everything)) == sum(sizes)
        assert everything.min() >= 0
        assert everything.max() < n
        assert all((np.diff(part) > 0).all() for part in (split.train, split.valid, split.test))


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_and_nothing_else(method: str) -> None:
    first = split_indices(200, 100, 20, 30, method=method, seed=1)  # type: ignore[arg-type]
    again = split_indices(200, 100, 20, 30, method=method, seed=1)  # type: ignore[arg-type]
    other = split_indices(200, 100, 20, 30, method=method, seed=2)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(first.valid, other.valid)
    fewer = split_indices(200, 50, 20, 30, method=method, seed=1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.valid, fewer.valid)
    np.testing.assert_array_equal(first.test, fewer.test)
    assert set(fewer.train) < set(first.train)


def test_the_same_numbers_on_every_machine() -> None:
    split = split_indices(12, 6, 3, 3, seed=7)
    assert split.train.tolist() == [2, 5, 7, 8, 9, 11]
    assert split.valid.tolist() == [0, 1, 3]
    assert split.test.tolist() == [4, 6, 10]


def test_blocks_keep_neighbours_in_time_together() -> None:
    split = split_indices(1000, 700, 100, 100, method="block", seed=0, block_size=20)
    for part, cuts in ((split.valid, 6), (split.test, 6), (split.train, 38)):
        runs = 1 + np.count_nonzero(np.diff(part) > 1)
        assert runs <= cuts, "a set is scattered"
    used = np.full(1000, -1)
    for number, part in enumerate((split.train, split.valid, split.test)):
        used[part] = number
    neighbours_apart = np.count_nonzero((np.diff(used) != 0) & (used[1:] >= 0) & (used[:-1] >= 0))
    random = split_indices(1000, 700, 100, 100, seed=0)
    used[random.train], used[random.valid], used[random.test] = 0, 1, 2
    assert neighbours_apart < 30 < np.count_nonzero(np.diff(used) != 0) / 5


def test_a_file_brings_it_back(tmp_path: Path) -> None:
    split = split_indices(50, 30, 10, 10, method="block", seed=4)
    path = tmp_path / "split.json"
    split.save(path)
    loaded = Split.load(path)
    for name in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(split, name))
    assert loaded.to_dict() == split.to_dict()
    assert json.loads(path.read_text())["method"] == "block"


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (
            (90, 10, 1),
            r"90 training \+ 10 validation \+ 1 test = 101 frames asked for, the data set has 100",
        ),
        ((0, 10, 10), "number of training frames must be positive, got 0"),
        ((10, -1, 0), "number of validation frames must be positive, got -1"),
    ],
)
def test_sizes_that_do_not_fit(sizes: tuple[int, int, int], says: str) -> None:
    with pytest.raises(DataError, match=says):
        split_indices(100, *sizes)


def test_unknown_method_and_bad_block() -> None:
    with pytest.raises(DataError, match="must be 'random' or 'block', got 'blocks'"):
        split_indices(10, 5, 2, method="blocks")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="block size must be positive"):
        split_indices(10, 5, 2, method="block", block_size=-1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a split file"),
        ("{}", "not a split file"),
        ("[1]", "not a split file"),
        ('{"train": "a", "valid": [], "test": []}', "not a split file"),
        ('{"train": [0, 9], "valid": [], "test": [], "n_frames": 5, "method": "x", "seed": 0}', "outside 0..4"),
        ('{"train": [0], "valid": [0], "test": [], "n_frames": 5, "method": "x", "seed": 0}', "in two sets"),
    ],
)  # fmt: skip
def test_damaged_files(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        Split.load(path)
    with pytest.raises(DataError, match="cannot be read"):
        Split.load(tmp_path / "absent.json")
