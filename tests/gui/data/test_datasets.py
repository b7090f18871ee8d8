"""What the window knows about a data set, from arrays that a child wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gui.core.datasets import OpenDataset, Reading, SplitChoice
from gui.demo.datasets import demo_dataset
from nequip_openmm.examples import METHANOL


@pytest.fixture(scope="module")
def methanol(tmp_path_factory: pytest.TempPathFactory) -> OpenDataset:
    folder = tmp_path_factory.mktemp("data") / "arrays"
    reading = Reading(METHANOL)
    command = ["-m", "nequip_openmm", "info", *reading.arguments(), "--save", str(folder)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return OpenDataset.load(folder, reading)


def test_options_of_the_reader() -> None:
    reading = Reading(Path("a.xyz"), units="kcal/mol", keys={"energy": "E0", "virial": "W"})
    assert reading.arguments() == [
        "a.xyz", "--units", "kcal/mol", "--energy-key", "E0", "--virial-key", "W",
    ]  # fmt: skip


def test_a_frame_is_the_one_in_the_file(methanol: OpenDataset) -> None:
    from nequip_openmm.data import read_dataset

    expected = read_dataset(METHANOL)[17]
    frame = methanol.frame(17)
    np.testing.assert_array_equal(frame.positions, expected.positions)
    np.testing.assert_array_equal(frame.forces, expected.forces)
    np.testing.assert_array_equal(frame.numbers, expected.numbers)
    assert methanol.formula(17) == "CH4O"
    assert methanol.elements == ("H", "C", "O")


@pytest.mark.parametrize("method", ["random", "block"])
@pytest.mark.parametrize("n_train", [None, 100])
def test_training_takes_the_same_frames(
    methanol: OpenDataset, method: str, n_train: int | None
) -> None:
    """The indices of the window and of the trainer, from the settings that the window hands over."""
    from nequip_openmm.settings import validate
    from nequip_openmm.training.config import TrainingConfig
    from nequip_openmm.training.prepare import make_split

    chosen = methanol.with_split(SplitChoice(n_train, 41, 33, method, 7))  # type: ignore[arg-type]
    settings = chosen.data_settings()
    split = make_split(chosen.n_frames, validate(TrainingConfig, {"data": settings}, "window"))
    for number, frames in enumerate((split.train, split.valid, split.test), start=1):
        np.testing.assert_array_equal(np.flatnonzero(chosen.set_of_frame == number), frames)


def test_the_usual_split_is_that_of_training(methanol: OpenDataset) -> None:
    from nequip_openmm.training.config import TrainingConfig
    from nequip_openmm.training.prepare import make_split

    for n_frames in (3, 7, 25, 360):
        split = make_split(n_frames, TrainingConfig())
        usual = SplitChoice.usual(n_frames).indices(n_frames)
        np.testing.assert_array_equal(usual.train, split.train)
        np.testing.assert_array_equal(usual.valid, split.valid)


def test_sizes_that_do_not_fit_are_told(methanol: OpenDataset) -> None:
    for split, says in (
        (SplitChoice(None, 200, 160), "leave none of the 360 frames to learn from"),
        (SplitChoice(100, 0, 10), "at least one frame is needed for validation"),
        (SplitChoice(300, 40, 40), "frames asked for, the data set has 360"),
    ):
        wrong = methanol.with_split(split)
        assert says in wrong.split_problem
        assert not wrong.set_of_frame.any()
    assert not methanol.split_problem


def test_bins_pick_the_frames_that_they_count() -> None:
    dataset = demo_dataset(200)
    for name, histogram in dataset.histograms.items():
        together = np.zeros(dataset.n_frames, dtype=bool)
        for k, count in enumerate(histogram.counts):
            frames = dataset.within(name, k, k)
            together |= frames
            assert frames.any() == (count > 0)
            if histogram.quantity.per_atom:
                values = np.asarray(dataset.arrays[name]).reshape(-1, 9)
                low, high = histogram.edges[k : k + 2]
                end = k + 1 == len(histogram.counts)
                inside = (values >= low) & ((values <= high) if end else (values < high))
                np.testing.assert_array_equal(frames, inside.any(axis=1))
                assert inside.sum() == count
            else:
                assert frames.sum() == count
        assert together.all()


def test_counts_of_all_frames_are_the_histogram() -> None:
    dataset = demo_dataset(100)
    everything, some = np.ones(100, dtype=bool), np.arange(100) < 30
    for name, histogram in dataset.histograms.items():
        np.testing.assert_array_equal(dataset.counts_of(name, everything), histogram.counts)
        rest = dataset.counts_of(name, ~some)
        np.testing.assert_array_equal(dataset.counts_of(name, some) + rest, histogram.counts)


def test_bins_in_words() -> None:
    dataset = demo_dataset(100)
    neighbours = dataset.histograms["neighbours"]
    assert neighbours.phrase(0, 0).startswith("an atom with ")
    assert "to" not in neighbours.range_text(0, 0)
    assert dataset.histograms["force_norms"].range_text(0, 1).endswith("eV/Å")
    assert "\u2212" in dataset.histograms["energies_per_atom"].range_text(0, 0)


def test_findings_mark_their_frames() -> None:
    dataset = demo_dataset(100)
    assert [finding.code for finding in dataset.findings] == [
        "energy-outliers",
        "duplicates",
        "reader",
    ]
    assert np.flatnonzero(dataset.severity_of_frame == 2).tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        20,
        21,
        22,
        23,
    ]


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, gui.viewmodels.dataset, gui.viewmodels.frames, gui.core.datasets\n"
        "print([m for m in ('torch', 'openmm', 'ipi', 'e3nn', 'lightning', 'scipy', 'PySide6.QtWidgets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
