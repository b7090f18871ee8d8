"""The column store returns what was put in."""

from __future__ import annotations

import ase
import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame
from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.dataset import list_frames
from nequip_openmm.errors import DataError

FIELDS = ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress")


@pytest.fixture
def frames(molecules: list[ase.Atoms], crystals: list[ase.Atoms]) -> list[Frame]:
    bare = Frame.create([6, 6], [[0.0, 1.0, 2.0], [0.0, 1.0, 3.3]])
    return [Frame.from_ase(atoms) for atoms in [*molecules[:4], *crystals[:3]]] + [bare]


def assert_same(a: Frame, b: Frame) -> None:
    for name in FIELDS:
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(one, other)


def test_frames_come_back(frames: list[Frame]) -> None:
    dataset = Dataset.from_frames(frames)
    assert len(dataset) == len(frames)
    for found, frame in zip(dataset, frames):
        assert_same(found, frame)
    assert_same(dataset[-1], frames[-1])
    with pytest.raises(IndexError, match="frame 8 of 8"):
        dataset[8]


def test_subset_keeps_the_order_asked_for(frames: list[Frame]) -> None:
    dataset = Dataset.from_frames(frames)
    chosen = [5, 0, 7, 0, -2]
    part = dataset.subset(chosen)
    for found, i in zip(part, chosen):
        assert_same(found, frames[i])
    assert list(part.offsets) == [0, *np.cumsum([len(frames[i]) for i in chosen])]
    assert len(dataset.subset([])) == 0
    with pytest.raises(IndexError):
        dataset.subset([0, 8])


def test_labels_are_asked_for_by_name(frames: list[Frame]) -> None:
    dataset = Dataset.from_frames(frames)
    assert dataset.species == ("H", "C", "N", "O", "Cu")
    assert not dataset.has_forces
    assert dataset.subset(range(7)).has_forces
    dataset.subset(range(7)).require(("energy", "forces"))
    dataset.subset([4, 5]).require(("stress",))
    with pytest.raises(DataError, match=r"no forces in frame 7; compute them"):
        dataset.require(("forces",))
    with pytest.raises(DataError, match=r"no stress in frames 0, 1, 2, 3, 7 \(5 of 8\)"):
        dataset.require(("stress",))


def test_compositions(frames: list[Frame]) -> None:
    dataset = Dataset.from_frames(frames[:3])
    assert dataset.species == ("H", "C", "N", "O")
    np.testing.assert_array_equal(
        dataset.compositions(), [[6, 2, 0, 1], [2, 0, 0, 1], [0, 0, 2, 0]]
    )


def test_a_missing_label_differs_from_one_that_is_nan() -> None:
    nan = Frame.create([1], [[0.0, 0, 0]], energy=float("nan"))
    dataset = Dataset.from_frames([nan, Frame.create([1], [[0.0, 0, 0]])])
    assert list(dataset.with_energy) == [True, False]
    assert list(dataset.nonfinite("energy")) == [0]


def test_the_force_on_a_lone_atom_is_zero_where_others_have_forces() -> None:
    lone = Frame.create([1], [[0.0, 0, 0]], energy=-13.6)
    pair = Frame.create([1, 1], np.eye(3)[:2], energy=-30.0, forces=np.zeros((2, 3)))
    dataset = Dataset.from_frames([lone, pair])
    np.testing.assert_array_equal(dataset[0].forces, np.zeros((1, 3)))
    assert any("single atoms" in note for note in dataset.notes)
    assert not Dataset.from_frames([lone]).with_forces.any()


def test_shapes_are_checked_and_emptiness_is_an_error() -> None:
    builder = DatasetBuilder("here")
    with pytest.raises(DataError, match="expected 6 values, got an array of shape"):
        builder.add([1, 1], np.zeros((3, 3)), None, False)
    with pytest.raises(DataError, match="here: holds no frames"):
        DatasetBuilder("here").finish()


def test_lists_of_frames_in_messages() -> None:
    assert list_frames([3], 10) == "frame 3"
    assert list_frames([3, 4], 10) == "frames 3, 4 (2 of 10)"
    assert list_frames(range(8), 10) == "frames 0, 1, 2, 3, 4 ... (8 of 10)"
    assert list_frames(range(10), 10) == "all 10 frames"
