"""``nequip-openmm pimd`` as a user calls it, with a real (small, untrained) model: exit codes, one-line errors, what is printed."""

from __future__ import annotations

from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
import torch
import yaml

from ipi_driver.runner import plan
from nequip_openmm.cli.app import main
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from tests.ipi_driver.runner.conftest import events_of, frame_steps, steps_of

pytest.importorskip("ipi", reason="needs i-PI: pip install 'nequip-openmm[ipi]'")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    config = ModelConfig(
        species=("H", "C", "O"),
        cutoff=4.0,
        l_max=1,
        num_layers=1,
        num_features=2,
        radial_mlp_width=4,
        avg_num_neighbors=5.0,
        per_type_energy_scales=0.05,
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, NequIP(config, torch.float64), {})
    return path


@pytest.fixture
def here(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a structure and the model."""
    ase.io.write(tmp_path / "methanol.xyz", ase.build.molecule("CH3OH"))
    (tmp_path / "model.safetensors").write_bytes(model.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["pimd", *arguments])
    return int(ended.value.code or 0)


def _options(*more: str) -> list[str]:
    return [
        *("--model", "model.safetensors", "--structure", "methanol.xyz", "--steps", "20"),
        *("--beads", "4", "thermo_interval=5", "trajectory_interval=5", *more),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("how", [["--processes", "2"], ["--ffdirect"]])
def test_a_run_with_a_model(how: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(*_options(*how, "--output", "run")) == 0
    shown = capsys.readouterr().err
    assert "finished at step 20" in shown
    assert "nequip-openmm pimd-report run" in shown
    spec = yaml.safe_load((here / "run" / "spec.yaml").read_text())
    assert (spec["kind"], spec["beads"]) == ("pimd", 4)
    table = np.loadtxt(here / "run" / "simulation.out")
    assert np.isfinite(table).all()
    conserved = table[:, 2]
    np.testing.assert_allclose(conserved, conserved[0], atol=5e-3)
    assert _call("--resume", "run", "--steps", "30") == 0
    assert steps_of(here / "run") == list(range(0, 31, 5))
    assert frame_steps(here / "run" / "simulation.pos_1.xyz") == list(range(0, 31, 5))
    assert len(events_of(here / "run", "hello")) == 2


def test_prepare_and_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(*_options("--output", "run", "--prepare")) == 0
    shown = capsys.readouterr().out
    assert "i-pi input.xml" in shown
    assert "nequip-ipi-driver --model model.safetensors --template template.xyz --unix" in shown
    against = ("--model", "model.safetensors", "--structure", "run/template.xyz")
    assert _call("--check", "run/input.xml", *against) == 0
    assert "can be run" in capsys.readouterr().out
    path = here / "run" / "input.xml"
    path.write_text(path.read_text().replace("kinetic_td{", "kinetic_dt{"))
    assert _call("--check", "run/input.xml") == 2
    assert "did you mean 'kinetic_td'" in capsys.readouterr().out


def test_too_few_beads_are_warned_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    atoms = ase.build.molecule("CH3OH")
    atoms.positions[3] += 0.2  # away from where the random model happens to be soft
    ase.io.write(here / "methanol.xyz", atoms)
    options = _options("--temperature", "1", "--beads", "2", "--output", "run", "--prepare")
    assert _call(*options) == 0
    shown = capsys.readouterr().err
    assert "with 2 beads the fastest vibration" in shown
    assert "of its energy at 1 K" in shown


@pytest.mark.parametrize(
    ("installed", "message"),
    [(None, "i-PI is not installed; pip install"), ("3.2.0", "pip install 'ipi>=3.3.1'")],
)
def test_i_pi_has_to_be_there(
    installed: str | None,
    message: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if installed is None:
        monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(plan, "version", lambda name: installed)
    assert _call(*_options("--output", "run")) == 2
    assert message in capsys.readouterr().err
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "0"), "steps = 0: must be a whole number ≥ 1"),
        (("--mode", "pimdd"), "mode = 'pimdd'"),
        (("--mode", "classical"), "beads = 4: mode classical has one bead"),
        (("temprature=3",), "unknown key 'temprature' (did you mean 'temperature'?)"),
        (("--mode", "npt"), "no pressure"),
        (("--model", "no.safetensors"), "no.safetensors"),
        (("--structure", "no.xyz"), "no.xyz: no such file"),
        (("--structure", "sulfur.xyz"), "not S"),
        (("--resume", "no-folder"), "is not a run folder"),
        (("no.yaml",), "no.yaml: cannot be read"),
        (("--output", "full"), "exists and is not an empty folder"),
        (("--events", "/nonexistent/e.jsonl"), "events /nonexistent/e.jsonl"),
        (("max_force=1e-9",), "above max_force = 1e-09"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ase.io.write(here / "sulfur.xyz", ase.build.molecule("SH2"))
    (here / "full").mkdir()
    (here / "full" / "file").touch()
    options = list(arguments) if "--resume" in arguments else _options(*arguments)
    assert _call(*options) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (here / "runs").exists()
