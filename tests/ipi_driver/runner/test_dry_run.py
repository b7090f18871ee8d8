"""``nequip-openmm pimd --dry-run``: what a window shows before a run starts; nothing is left on disk."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import pytest

from tests.ipi_driver.runner.test_command import _call, here, model

__all__ = ["here", "model"]  # fixtures


def _dry_run(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    options = ("--model", "model.safetensors", "--structure", "methanol.xyz", "--steps", "4000")
    assert _call(*options, "--dry-run", "--json", *more) == 0
    return json.loads(capsys.readouterr().out)


def test_it_says_what_the_run_would_be(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.iterdir())
    found = _dry_run(capsys, "--beads", "4")
    assert found["elements"] == {"C": 1, "O": 1, "H": 4}
    assert found["duration_ps"] == pytest.approx(1.0)
    assert found["beads"]["n"] == 4
    assert found["beads"]["suggested"] >= 1
    assert set(found["files"]) == {"input.xml", "start.xyz", "template.xyz"}
    assert "pile_g" in found["files"]["input.xml"]
    assert found["commands"][0] == "i-pi input.xml"
    assert sorted(here.iterdir()) == before


def test_a_person_reads_sentences(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--model", "model.safetensors", "--structure", "methanol.xyz", "--steps", "10")
    assert _call(*options, "--dry-run") == 0
    text = capsys.readouterr().out
    assert "6 atoms" in text
    assert "can be run" in text


def test_what_cannot_run_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ase.io.write(here / "salt.xyz", ase.build.molecule("NaCl"))
    arguments = ("--model", "model.safetensors", "--structure", "salt.xyz", "--steps", "10")
    assert _call(*arguments, "--dry-run", "--json") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Na" in told.err


def test_a_window_hears_the_result_or_the_refusal(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, _ = os.pipe()  # whoever listens is there as long as the standard input is open
    monkeypatch.setattr(sys, "stdin", os.fdopen(reader))
    arguments = ("--model", "model.safetensors", "--steps", "10", "--dry-run", "--events", "told")
    assert _call(*arguments, "--structure", "methanol.xyz") == 0
    told = [json.loads(line) for line in (here / "told").read_text("utf-8").splitlines()]
    assert [event["ev"] for event in told] == ["hello", "result", "done"]
    assert told[1]["beads"]["n"] == 32
    (here / "told").unlink()
    assert _call(*arguments, "--structure", "missing.xyz") == 2
    told = [json.loads(line) for line in (here / "told").read_text("utf-8").splitlines()]
    assert "missing.xyz" in told[1]["title"]
    assert told[-1]["reason"] == "failed"
