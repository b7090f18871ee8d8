"""The part of the demo that needs i-PI: what it leaves out and why; ``tests/cli/test_demo.py`` runs it."""

from __future__ import annotations

from pathlib import Path

import ase.build
import ase.io
import pytest
from rich.console import Console

from ipi_driver import demo
from ipi_driver.runner import plan


def test_it_is_left_out_without_i_pi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: None)
    assert demo.path_integrals(tmp_path, tmp_path, tmp_path / "new", 10, Console()) == []
    assert "left out: i-PI is not installed" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_it_is_left_out_for_large_systems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ipi")
    start = tmp_path / "start.xyz"
    ase.io.write(start, ase.build.bulk("Cu", cubic=True).repeat(2))
    assert demo.path_integrals(tmp_path, start, tmp_path / "new", 10, Console()) == []
    assert "left out: 32 atoms" in capsys.readouterr().out
