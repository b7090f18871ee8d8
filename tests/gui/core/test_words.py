"""Small pure functions: numbers in words, finding commands, kinds of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gui.core.fuzzy import score
from gui.core.kinds import FileKind, kind_of_file
from gui.core.wording import count, duration, measured, size
from nequip_openmm.examples import METHANOL


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3540, "59 min"), (3600, "1 h"), (7800, "2 h 10 min"), (90000, "1 d 1 h"), (None, "–"), (float("inf"), "–")],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(152.04, 0.71, "152.0 ± 0.7"), (152.04, 0.031, "152.040 ± 0.031"), (-3140.81234, 0.0, "-3140.8"), (1e4, 120, "10,000 ± 120"), (5.0, float("nan"), "5"), (float("nan"), 1.0, "–")],
)  # fmt: skip
def test_what_was_measured(value: float, error: float, text: str) -> None:
    assert measured(value, error) == text


def test_counts_and_sizes() -> None:
    assert count(1234567) == "1,234,567"
    assert [size(n) for n in (0, 999, 1500, 2.5e6, 3e9, 5e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
        "5.0 TB",
    ]


def test_letters_in_order_fit() -> None:
    assert score("opn", "Open…") is not None
    assert score("npo", "Open…") is None
    assert score("", "anything") is not None


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [("log", "Log", "Light or dark log"), ("st", "Stop the job", "Shortcuts"), ("nw", "Next warning", "Unwanted")],
)  # fmt: skip
def test_beginnings_and_neighbours_count_more(query: str, better: str, worse: str) -> None:
    assert score(query, better) > (score(query, worse) or -1)


FILES = {
    "model.safetensors": ("x", FileKind.MODEL),
    "water.pdb": ("ATOM", FileKind.STRUCTURE),
    "POSCAR": ("water\n1.0\n", FileKind.STRUCTURE),
    "OUTCAR": ("vasp", FileKind.DATASET),
    "frames.npz": ("PK", FileKind.DATASET),
    "one.xyz": ("1\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\n", FileKind.STRUCTURE),
    "plain.xyz": ("1\ncomment\nH 0 0 0\n" * 3, FileKind.STRUCTURE),
    "many.xyz": ("1\nProperties=species:S:1:pos:R:3 energy=1\nH 0 0 0\n" * 3, FileKind.DATASET),
    "config.yaml": ("data:\n  path: a.xyz\ntraining:\n  lr: 0.01\n", FileKind.TRAINING_SETTINGS),
    "md.yaml": ("model: m.safetensors\nstructure: a.pdb\nsteps: 5\n", FileKind.SIMULATION_SETTINGS),
    "shopping.yaml": ("milk: 2\n", FileKind.UNKNOWN),
    "letter.txt": ("Dear Sir,\n", FileKind.UNKNOWN),
    "broken.xyz": ("\x00\x01", FileKind.UNKNOWN),
}


@pytest.mark.parametrize("name", FILES)
def test_kinds_of_files(tmp_path: Path, name: str) -> None:
    content, kind = FILES[name]
    (tmp_path / name).write_text(content)
    assert kind_of_file(tmp_path / name) is kind


def test_kinds_of_folders(tmp_path: Path) -> None:
    assert kind_of_file(tmp_path) is FileKind.UNKNOWN
    assert kind_of_file(tmp_path / "missing") is FileKind.MISSING
    (tmp_path / "spec.yaml").write_text("kind: md\n")
    assert kind_of_file(tmp_path) is FileKind.RUN


def test_the_example_is_a_data_set() -> None:
    assert kind_of_file(Path(METHANOL)) is FileKind.DATASET
