"""What cannot be simulated is refused, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import pytest
from ase import Atoms

from nequip_openmm import engines
from nequip_openmm.errors import BackendError, ConfigError, StructureError, UserError
from nequip_openmm.runs import read_events
from nequip_openmm.simulation import run_simulation

from .outputs import MakeSpec


def _one_atom(path: Path) -> None:
    ase.io.write(path, Atoms("H"))


def _unknown_element(path: Path) -> None:
    ase.io.write(path, Atoms("HSH", [[0, 0, 0], [0, 0, 1.3], [0, 1.3, 1.3]]))


def _overlapping(path: Path) -> None:
    ase.io.write(path, Atoms("H3", [[0, 0, 0], [0, 0, 1], [0, 0, 1.2]]))


def _missing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_one_atom, "has 1 atom; molecular dynamics with a potential needs two or more"),
        (_unknown_element, r"knows H, C, O but not S \(atoms 1"),
        (
            _overlapping,
            r"atoms 1 \(H\) and 2 \(H\), counted from 0, overlap: they are 0.200 Å apart",
        ),
        (_missing, "no such file"),
    ],
)
def test_structures_that_cannot_run_leave_nothing(
    make_spec: MakeSpec, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "start.xyz"
    make(path)
    with pytest.raises(StructureError, match=message) as caught:
        run_simulation(make_spec(structure=path), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_settings_that_cannot_run_leave_nothing(make_spec: MakeSpec, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], type[UserError], str]] = [
        ({"ensemble": "npt"}, ConfigError, "has no periodic cell, so no pressure"),
        ({"platform": "HIP"}, BackendError, "platform HIP: this OpenMM has"),
        ({"model": tmp_path / "no.safetensors"}, UserError, "no.safetensors"),
        ({"max_force": 1e-6}, StructureError, "above max_force = 1e-06 eV/Å; relax it first"),
        ({"device": "cuda:77"}, UserError, "cuda:77"),
    ]
    for changes, kind, message in cases:
        with pytest.raises(kind, match=message):
            run_simulation(make_spec(**changes), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_an_engine_that_cannot_be_made_leaves_nothing(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise BackendError("there is no compiler")

    monkeypatch.setattr(engines, "FusedEngine", broken)
    with pytest.raises(BackendError, match="there is no compiler"):
        run_simulation(make_spec(engine="fused"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run_simulation(make_spec(engine="auto", steps=2), tmp_path / "run")
    assert "engine reference: there is no compiler" in (tmp_path / "run" / "log.txt").read_text()


def test_an_existing_folder_is_not_touched(make_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("x")
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        run_simulation(make_spec(), tmp_path / "run")
    assert os.listdir(tmp_path / "run") == ["precious"]


def test_who_listens_hears_why_nothing_began(make_spec: MakeSpec, tmp_path: Path) -> None:
    path = tmp_path / "start.xyz"
    _unknown_element(path)
    with pytest.raises(StructureError):
        run_simulation(make_spec(structure=path), tmp_path / "run", events=str(tmp_path / "events"))
    told = list(read_events(tmp_path / "events"))
    assert [event["ev"] for event in told] == ["status", "status", "error", "done"]
    assert [event["state"] for event in told[:2]] == ["loading", "checking"]
    assert "not S" in told[2]["title"]
    assert told[3]["reason"] == "failed"
    assert not (tmp_path / "run").exists()
