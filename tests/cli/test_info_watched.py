"""The info command as a window uses it: events, saved arrays, and an end that leaves nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from nequip_openmm.cli import info as info_module
from nequip_openmm.cli.app import main
from nequip_openmm.data import read_dataset


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    """Twelve rattled molecules of three compositions with made-up labels."""
    rng = np.random.default_rng(1)
    frames = []
    for name in ("CH3CH2OH", "H2O", "N2") * 4:
        atoms = molecule(name)
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        forces = rng.normal(size=atoms.positions.shape)
        labels = {
            "energy": -5.0 * len(atoms) + rng.normal(),
            "forces": forces - forces.mean(axis=0),
        }
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(atoms)
    path = tmp_path / "molecules.xyz"
    ase.io.write(path, frames)
    return path


@pytest.fixture(autouse=True)
def _watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard input that stays open, as a window's does."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w"):
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading, closefd=False))
        yield


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["info", *(str(word) for word in argv)])
    return int(stopped.value.code or 0)


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["ev"] for event in events if event["ev"] != "progress"]


def test_events_and_arrays_hold_the_data_set(
    xyz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, saved = tmp_path / "events", tmp_path / "saved"
    assert run(xyz, "--events", log, "--save", saved) == 0
    assert capsys.readouterr().out == ""
    events = events_of(log)
    assert kinds(events) == ["hello", "fields", "result", "done"]
    assert [e["text"] for e in events if e["ev"] == "progress" and e["done"] == 0] == [
        "reading molecules.xyz",
        "looking at neighbours",
        "checking",
        "saving",
    ]
    assert events[-1]["reason"] == "finished"
    result = next(event for event in events if event["ev"] == "result")
    assert result["folder"] == str(saved)
    document = json.loads((saved / "dataset.json").read_text())
    assert document["summary"] == result["summary"]
    assert document["names"] == {"energy": "energy", "forces": "forces"}
    dataset = read_dataset(xyz)
    for name in ("offsets", "numbers", "positions", "cells", "energies", "forces"):
        np.testing.assert_array_equal(np.load(saved / f"{name}.npy"), getattr(dataset, name))


def test_what_a_frame_and_an_atom_are_described_by(xyz: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    run(xyz, "--save", saved, "--cutoff", "1.3")
    dataset = read_dataset(xyz)
    document = json.loads((saved / "dataset.json").read_text())
    array = {path.stem: np.load(path, mmap_mode="r") for path in saved.glob("*.npy")}
    assert [document["formulas"][k] for k in array["formula"][:3]] == ["C2H6O", "H2O", "N2"]
    for i, frame in enumerate(dataset):
        atoms = slice(dataset.offsets[i], dataset.offsets[i + 1])
        apart = np.linalg.norm(frame.positions[:, None] - frame.positions, axis=2)
        apart[np.diag_indices(len(frame))] = np.inf
        assert array["shortest"][i] == pytest.approx(apart.min())
        np.testing.assert_allclose(array["nearest"][atoms], apart.min(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(array["neighbours"][atoms], (apart < 1.3).sum(axis=1))
        assert array["mean_neighbours"][i] == pytest.approx((apart < 1.3).sum(axis=1).mean())
        assert frame.forces is not None
        assert array["max_forces"][i] == pytest.approx(
            np.linalg.norm(frame.forces, axis=1).max(), rel=1e-6
        )
        assert frame.energy is not None
        assert array["energies_per_atom"][i] == pytest.approx(frame.energy / len(frame))


def test_histograms_count_every_finite_value_once(xyz: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    run(xyz, "--save", saved)
    histograms = json.loads((saved / "dataset.json").read_text())["histograms"]
    for name in ("energies_per_atom", "force_norms", "neighbours", "nearest"):
        values = np.load(saved / f"{name}.npy")
        edges, counts = histograms[name]["edges"], histograms[name]["counts"]
        assert sum(counts) == np.isfinite(values).sum()
        np.testing.assert_array_equal(np.histogram(values[np.isfinite(values)], edges)[0], counts)
        bins = np.load(saved / f"{name}_bins.npy")
        np.testing.assert_array_equal(np.bincount(bins[bins < 255], minlength=len(counts)), counts)
        assert ((bins == 255) == ~np.isfinite(values)).all()
        assert len(edges) == len(counts) + 1
        assert min(edges) <= np.nanmin(values)
        assert np.nanmax(values) <= max(edges)


def test_findings_lead_to_all_their_frames(xyz: Path, tmp_path: Path) -> None:
    text = xyz.read_text()
    xyz.write_text(text * 30)  # 360 frames, of which 348 repeat
    saved = tmp_path / "saved"
    run(xyz, "--save", saved)
    findings = json.loads((saved / "dataset.json").read_text())["lint"]["findings"]
    frames = np.load(saved / "finding_frames.npy")
    assert len(frames) == sum(finding["n_frames"] for finding in findings)
    first = sum(
        f["n_frames"] for f in findings[: [f["code"] for f in findings].index("duplicates")]
    )
    np.testing.assert_array_equal(frames[first : first + 348], np.arange(12, 360))


@pytest.mark.parametrize("moment", ["scan_geometry", "check_dataset", "save_arrays"])
def test_sigterm_leaves_nothing(
    xyz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*args: Any, **options: Any) -> None:
        if moment == "save_arrays":
            (args[0] / "half.npy").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setattr(info_module, moment, killed)
    handler = signal.getsignal(signal.SIGTERM)
    assert run(xyz, "--events", tmp_path / "events", "--save", tmp_path / "saved") == 143
    assert events_of(tmp_path / "events")[-1]["reason"] == "stopped"
    assert {path.name for path in tmp_path.iterdir()} == {"molecules.xyz", "events"}
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize("order", ['{"cmd": "stop"}\n', ""])
def test_it_stops_when_told_or_left_alone(
    xyz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    stdin = tmp_path / "orders"
    stdin.write_text(order)
    with stdin.open() as orders:
        monkeypatch.setattr(sys, "stdin", orders)
        assert run(xyz, "--events", tmp_path / "events", "--save", tmp_path / "saved") == 143
    assert not (tmp_path / "saved").exists()
    assert kinds(events_of(tmp_path / "events"))[-1] == "done"


def test_faults_are_told(xyz: Path, tmp_path: Path) -> None:
    log, saved = tmp_path / "events", tmp_path / "saved"
    xyz.write_text("".join(xyz.read_text().splitlines(keepends=True)[:-1]))
    assert run(xyz, "--events", log, "--save", saved) == 2
    events = events_of(log)
    assert kinds(events) == ["hello", "fields", "error", "done"]
    assert "the file ends after" in events[-2]["title"]
    assert events[-1]["reason"] == "failed"
    assert not saved.exists()


def test_a_full_disk_leaves_nothing(
    xyz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, *_: Any) -> None:
        (folder / "half.npy").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(info_module, "save_arrays", full)
    log = tmp_path / "events"
    assert run(xyz, "--events", log, "--save", tmp_path / "saved") == 2
    error = next(event for event in events_of(log) if event["ev"] == "error")
    assert error["code"] == "disk-full"
    assert "No space left on device" in error["title"]
    assert {path.name for path in tmp_path.iterdir()} == {"molecules.xyz", "events"}


def test_the_folder_must_be_new(
    xyz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(xyz, "--save", tmp_path) == 2
    assert "exists; name a folder that does not" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert run(xyz, "--save", tmp_path / "file" / "saved") == 2
    assert "cannot write to" in capsys.readouterr().err


def test_what_is_unclear_has_a_code_of_its_own(xyz: Path, tmp_path: Path) -> None:
    log = tmp_path / "events"
    xyz.write_text(xyz.read_text().replace("energy=", "REF_energy=1.0 dft_energy="))
    assert run(xyz, "--events", log) == 2
    events = events_of(log)
    assert next(e for e in events if e["ev"] == "error")["code"] == "unclear-energy"
    fields = {f["name"]: f for f in next(e for e in events if e["ev"] == "fields")["fields"]}
    assert fields["REF_energy"] == {"name": "REF_energy", "kind": "number", "example": "1"}
    assert fields["forces"]["kind"] == "vectors"


def test_units_that_an_archive_does_not_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    archive, log = tmp_path / "frames.npz", tmp_path / "events"
    np.savez(
        archive,
        positions=rng.normal(size=(4, 3, 3)),
        numbers=[8, 1, 1],
        E=rng.normal(size=4),
        F=rng.normal(size=(4, 3, 3)),
    )
    assert run(archive, "--events", log) == 2
    events = events_of(log)
    assert next(e for e in events if e["ev"] == "error")["code"] == "unclear-units"
    fields = {
        f["name"]: f["kind"] for f in next(e for e in events if e["ev"] == "fields")["fields"]
    }
    assert fields == {"E": "number", "F": "vectors"}


def test_torch_is_not_loaded(xyz: Path) -> None:
    """A window waits for this command; torch alone takes longer than reading most files."""
    code = (
        "import sys\nfrom nequip_openmm.cli.app import main\n"
        f"try:\n    main(['info', {str(xyz)!r}])\n"
        "except SystemExit:\n    print([m for m in ('torch', 'e3nn', 'openmm', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
