"""Folders that vanish with the window, even with one that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gui.core.scratch import new_scratch, remove_scratch, remove_stale

CODE = "import os, signal\nfrom gui.core.scratch import new_scratch\nprint(new_scratch(), flush=True)\n"


def made_by(code: str, temporary: Path) -> tuple[Path, int]:
    environment = {"TMPDIR": str(temporary), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return Path(done.stdout.strip()), done.returncode


def test_a_folder_vanishes_with_its_process(tmp_path: Path) -> None:
    folder, code = made_by(CODE, tmp_path)
    assert code == 0
    assert folder.parent == tmp_path
    assert not folder.exists()


def test_a_killed_process_leaves_it_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, code = made_by(CODE + "os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    assert code == -signal.SIGKILL
    assert folder.is_dir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours, other = new_scratch(), tmp_path / "another-folder"
    other.mkdir()
    remove_stale()
    assert not folder.exists()
    assert ours.is_dir()
    remove_scratch(other)  # not made here
    assert other.is_dir()
    remove_scratch(ours)
    assert not ours.exists()
