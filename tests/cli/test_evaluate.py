"""``nequip-openmm evaluate`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch

from nequip_openmm.data import read_dataset
from nequip_openmm.data.split import split_indices
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.potential import load
from nequip_openmm.training.prepare import fingerprint
from tests.cli.test_train import run
from tests.training.conftest import clusters

KEYS = (
    "energy_mae_mev_per_atom",
    "energy_rmse_mev_per_atom",
    "forces_mae_mev_per_angstrom",
    "forces_rmse_mev_per_angstrom",
)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    config = ModelConfig(
        species=("H", "O"),
        cutoff=4.0,
        avg_num_neighbors=3.6,
        l_max=1,
        num_layers=2,
        num_features=4,
        radial_mlp_width=8,
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, NequIP(config, torch.float64))
    return path


def reference(model_file: Path, frames) -> dict[str, float]:
    """Compute the errors with `Potential` and numpy alone."""
    potential = load(model_file, device="cpu")
    energy, forces = [], []
    for frame in frames:
        found = potential.evaluate(frame)
        energy.append((found.energy - frame.energy) / len(frame) * 1e3)
        forces.append((found.forces - frame.forces).ravel() * 1e3)
    e, f = np.array(energy), np.concatenate(forces)
    return dict(
        zip(
            KEYS,
            (np.abs(e).mean(), np.sqrt((e**2).mean()), np.abs(f).mean(), np.sqrt((f**2).mean())),
        )
    )


def test_json_has_the_errors(model_file, cluster_file, capsys):
    assert run("evaluate", model_file, cluster_file, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    wanted = reference(model_file, read_dataset(cluster_file))
    assert found["frames"] == 28
    assert {key: found[key] for key in KEYS} == pytest.approx(wanted, rel=1e-10)
    assert set(found["per_species"]) == {"H", "O"}


def test_batches_do_not_matter(model_file, cluster_file, capsys):
    found = []
    for size in ("1", "7"):
        assert run("evaluate", model_file, cluster_file, "--json", "--batch-size", size) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert {k: found[0][k] for k in KEYS} == pytest.approx(
        {k: found[1][k] for k in KEYS}, rel=1e-10
    )


def test_engines_agree(model_file, cluster_file, capsys):
    found = []
    for engine in ("fused", "reference"):
        assert run("evaluate", model_file, cluster_file, "--json", "--engine", engine) == 0
        found.append(json.loads(capsys.readouterr().out))
    for key in KEYS:
        assert found[0][key] == pytest.approx(found[1][key], rel=1e-6)


def test_table(model_file, cluster_file, capsys):
    assert run("evaluate", model_file, cluster_file) == 0
    table = capsys.readouterr().out
    assert "28 frames" in table
    assert "forces on O" in table
    assert "meV/Å" in table


def test_only_some_frames(model_file, cluster_file, tmp_path, capsys):
    split = split_indices(28, 18, 5, 5, seed=1)
    split.save(tmp_path / "split.json")
    assert (
        run(
            "evaluate",
            model_file,
            cluster_file,
            "--json",
            "--indices",
            f"{tmp_path}/split.json:test",
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    wanted = reference(model_file, read_dataset(cluster_file).subset(split.test))
    assert {key: found[key] for key in KEYS} == pytest.approx(wanted, rel=1e-10)


def test_predictions_can_be_read_back(model_file, cluster_file, tmp_path):
    path = tmp_path / "predictions.xyz"
    assert run("evaluate", model_file, cluster_file, "--json", "--predictions", path) == 0
    potential = load(model_file, device="cpu")
    for atoms, frame in zip(ase.io.read(path, ":"), read_dataset(cluster_file)):
        found = potential.evaluate(frame)
        assert atoms.get_potential_energy() == pytest.approx(found.energy, abs=1e-7)
        assert np.allclose(atoms.get_forces(), found.forces, atol=1e-7)
        assert atoms.info["ref_energy"] == pytest.approx(frame.energy)
        assert np.allclose(atoms.arrays["ref_forces"], frame.forces, atol=1e-7)


def test_folder_with_everything(model_file, cluster_file, tmp_path, capsys):
    pytest.importorskip("nequip_openmm.analysis.plots")
    assert run("evaluate", model_file, cluster_file, "--output", tmp_path / "out") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "errors.json",
        "parity.png",
        "predictions.xyz",
    }
    assert (tmp_path / "out" / "parity.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert run("evaluate", model_file, cluster_file, "--output", tmp_path / "out") == 2
    assert "--resume" not in capsys.readouterr().err


def test_units_are_converted(model_file, tmp_path, capsys):
    frames = clusters(4)
    ev_per_kcal = 0.0433641153
    for atoms in frames:
        for name in ("energy", "forces"):
            atoms.calc.results[name] = atoms.calc.results[name] / ev_per_kcal
    ase.io.write(tmp_path / "kcal.xyz", frames, format="extxyz")
    ase.io.write(tmp_path / "ev.xyz", clusters(4), format="extxyz")
    assert (
        run("evaluate", model_file, tmp_path / "kcal.xyz", "--json", "--units", "kcal/mol/Å") == 0
    )
    first = json.loads(capsys.readouterr().out)
    assert run("evaluate", model_file, tmp_path / "ev.xyz", "--json") == 0
    second = json.loads(capsys.readouterr().out)
    assert first[KEYS[2]] == pytest.approx(second[KEYS[2]], rel=1e-5)


def foreign_element(path: Path) -> Path:
    frames = clusters(3)
    frames[1].symbols[2] = "Fe"
    ase.io.write(path, frames, format="extxyz")
    return path


def no_labels(path: Path) -> Path:
    frames = clusters(3)
    for atoms in frames:
        atoms.calc = None
    ase.io.write(path, frames, format="extxyz")
    return path


def not_a_number(path: Path) -> Path:
    frames = clusters(3)
    frames[2].calc.results["forces"][0, 0] = np.nan
    ase.io.write(path, frames, format="extxyz")
    return path


def overlapping(path: Path) -> Path:
    frames = clusters(3)
    frames[1].positions[3] = frames[1].positions[2]
    ase.io.write(path, frames, format="extxyz")
    return path


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (overlapping, "atoms 2 and 3 of frame 1 "),
        (foreign_element, "frame 1: "),
        (foreign_element, "not Fe"),
        (no_labels, "no frame has an energy or forces"),
        (not_a_number, "frame 2"),
    ],
)
def test_bad_data(model_file, tmp_path, capsys, make, part):
    assert (
        run("evaluate", model_file, make(tmp_path / "bad.xyz"), "--output", tmp_path / "out") == 2
    )
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--indices", "split.json"], "expected SPLIT.json:SET"),
        (["--indices", "nowhere.json:test"], "nowhere.json"),
        (["--device", "warp"], "warp"),
        (["--dtype", "float16"], "float16"),
        (["--engine", "fusde"], "did you mean 'fused'?"),
        (["--units", "furlong"], "furlong"),
    ],
)
def test_bad_options(model_file, cluster_file, capsys, options, part):
    assert run("evaluate", model_file, cluster_file, *options) == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--plot", "--predictions"])
@pytest.mark.parametrize("name", ["nowhere/file", "mine"])
def test_files_are_tried_before_the_evaluation(
    model_file, cluster_file, tmp_path, capsys, monkeypatch, option, name
):
    (tmp_path / "mine").write_text("mine")
    monkeypatch.setattr("nequip_openmm.potential.load", lambda *_: pytest.fail("too late"))
    assert run("evaluate", model_file, cluster_file, option, tmp_path / name) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"'{tmp_path / name}'" in error
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_full_disk_is_one_line(model_file, cluster_file, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nequip_openmm.analysis.plots.plot_parity", fail)
    assert run("evaluate", model_file, cluster_file, "--plot", tmp_path / "p.png") == 2
    error = capsys.readouterr().err
    assert "No space left" in error
    assert error.count("\n") == 1


def test_training_frames_are_not_measured_in_silence(model_file, cluster_file, tmp_path, capsys):
    potential = load(model_file, device="cpu")
    trained = tmp_path / "trained.safetensors"
    save_model(trained, potential.model, {"training": {"dataset": fingerprint(cluster_file)}})
    split_indices(28, 18, 5, 5).save(tmp_path / "split.json")
    assert run("evaluate", trained, cluster_file, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: ")
    assert "--indices" in captured.err
    assert json.loads(captured.out)["frames"] == 28
    chosen = ["--indices", f"{tmp_path}/split.json:test", "--json"]
    for arguments in ([trained, cluster_file, *chosen], [model_file, cluster_file, "--json"]):
        assert run("evaluate", *arguments) == 0
        assert capsys.readouterr().err == ""


def test_a_split_of_other_data(model_file, cluster_file, tmp_path, capsys):
    split_indices(100, 50, 10, 10).save(tmp_path / "split.json")
    assert (
        run("evaluate", model_file, cluster_file, "--indices", f"{tmp_path}/split.json:test") == 2
    )
    assert "100 frames" in capsys.readouterr().err


def test_a_damaged_model(model_file, cluster_file, tmp_path, capsys):
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(model_file.read_bytes()[:-100])
    assert run("evaluate", damaged, cluster_file) == 2
    assert capsys.readouterr().err.count("\n") == 1
