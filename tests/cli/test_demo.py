"""The demo, shortened: every file that it promises, and folders that are not overwritten."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.cli import demo as demo_module
from nequip_openmm.cli.demo import Demo
from nequip_openmm.errors import UserError
from nequip_openmm.potential import load

pytest.importorskip("openmm")

SETTINGS = ("data.n_train=200", "data.n_valid=5", "data.n_test=5", "training.max_epochs=12")


@pytest.mark.slow
def test_demo_leaves_model_metrics_trajectory_plots_and_report(
    methanol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    console = Console(stderr=True, soft_wrap=True)
    Demo(folder, methanol, console, settings=SETTINGS, steps=40).run()

    config = load(folder / "model.safetensors").info.config
    assert config.species == ("H", "C", "O")
    assert config.per_type_energy_shifts == json.loads(
        methanol.with_name("isolated_atoms.json").read_text()
    )
    errors = json.loads((folder / "evaluation.json").read_text())
    assert errors["frames"] == 5
    assert errors["forces_mae_mev_per_angstrom"] > 0
    assert len(read_thermo(folder / "md" / "thermo.csv")["step"]) == 4
    for name in ("learning-curves", "parity", "thermo"):
        assert (folder / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    report = (folder / "report.html").read_text()
    has_ipi = find_spec("ipi") is not None
    assert report.count("data:image/png;base64,") == 3 + has_ipi
    assert ("Quantum kinetic energy per atom with 32 beads" in report) == has_ipi
    assert f"{errors['forces_mae_mev_per_angstrom']:.1f} meV/Å" in report
    shown = capsys.readouterr().err
    assert "Summary" in shown
    assert "report.html" in shown


def test_demo_takes_the_next_free_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert demo_module._new_folder(None) == Path("demo-run")
    (tmp_path / "demo-run").mkdir()
    assert demo_module._new_folder(None) == Path("demo-run-2")


def test_demo_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="exists"):
        demo_module._new_folder(tmp_path)
