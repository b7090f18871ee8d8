"""Run folders: never overwritten, never half a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder, atomic_write


def test_create_writes_what_was_asked_and_open_finds_it(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "a" / "run", "md", {"steps": 5, "model": "Å.safetensors"})
    folder = RunFolder.open(tmp_path / "a" / "run", "md")
    assert folder.read_spec() == {"kind": "md", "steps": 5, "model": "Å.safetensors"}


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert RunFolder.create(tmp_path / "run", "md", {}).path.is_dir()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_exists_is_not_touched(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run"
    if kind == "folder":
        path.mkdir()
        (path / "precious.txt").write_text("x")
    else:
        path.write_text("x")
    with pytest.raises(
        UserError, match="exists and is not an empty folder; choose another --output"
    ):
        RunFolder.create(path, "md", {})
    assert not (path / "spec.yaml").exists()


def test_a_place_without_permission_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write to /proc/run"):
        RunFolder.create(Path("/proc/run"), "md", {})


def test_open_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        RunFolder.open(tmp_path, "md")
    RunFolder.create(tmp_path / "t", "training", {})
    with pytest.raises(UserError, match="is the folder of a 'training' run, not of 'md'"):
        RunFolder.open(tmp_path / "t", "md")
    (tmp_path / "t" / "spec.yaml").write_text("a: [")
    with pytest.raises(UserError, match="cannot be read"):
        RunFolder.open(tmp_path / "t", "md")


def test_atomic_write_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        _fail_halfway(path)
    assert path.read_text() == "old"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["x.json"]


def _fail_halfway(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
