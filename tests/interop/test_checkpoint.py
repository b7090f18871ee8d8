"""Import of official checkpoints, without the official package."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nequip_openmm
from nequip_openmm.cli.app import main
from nequip_openmm.errors import ConfigError, ModelFileError
from nequip_openmm.interop.nequip_checkpoint import import_checkpoint, read_checkpoint
from nequip_openmm.potential import Potential
from nequip_openmm.units import KCAL_PER_MOL_TO_EV
from tests.interop import checkpoints
from tests.model import cases


def _energy(model: Any) -> float:
    return Potential(model).evaluate(cases.triclinic()).energy


def test_weights_and_settings_arrive(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "last.ckpt", checkpoints.content())
    info = import_checkpoint(source, tmp_path / "m.safetensors", trust=True)
    found = nequip_openmm.load(tmp_path / "m.safetensors", device="cpu")
    assert found.evaluate(cases.triclinic()).energy == _energy(checkpoints.model())
    assert found.info.config == checkpoints.model().config.model_copy(
        update={"num_features": 5, "type_embed_num_features": None}
    )
    wanted = {"imported_from": "last.ckpt", "weights": "raw", "epoch": 7, "step": 70}
    assert wanted.items() <= info.training.items()
    assert info.training["versions"]["nequip"] == "0.19.1"


def test_averaged_weights_are_taken_where_there_are_any(tmp_path: Path) -> None:
    raw, averaged = cases.build(1, l_max=1, parity=False), cases.build(2, l_max=1, parity=False)
    names = ("embed_module", "linear_1.weight", "edge_mlp", "linear_2", "sc.", "mlp_module")
    state = checkpoints.official_state(averaged)
    ema = [w for name, w in state.items() if any(part in name for part in names)]
    content = checkpoints.content(raw)
    content["state_dict"] |= {f"ema.ema_weight_{k}": w for k, w in enumerate(ema)}
    content["state_dict"]["ema._extra_state"] = {"decay": 0.9, "is_holding_ema_weights": True}
    source = checkpoints.write(tmp_path / "a.ckpt", content)
    found, origin = read_checkpoint(source, trust=True)
    assert (_energy(found), origin["weights"]) == (_energy(averaged), "ema")
    found, origin = read_checkpoint(source, trust=True, raw_weights=True)
    assert (_energy(found), origin["weights"]) == (_energy(raw), "raw")

    # Written during validation, when both are exchanged
    content["state_dict"]["ema._extra_state"]["is_holding_ema_weights"] = False
    source = checkpoints.write(tmp_path / "b.ckpt", content)
    assert _energy(read_checkpoint(source, trust=True)[0]) == _energy(raw)
    assert _energy(read_checkpoint(source, trust=True, raw_weights=True)[0]) == _energy(averaged)

    content["state_dict"]["ema._extra_state"]["is_holding_ema_weights"] = True
    del content["state_dict"]["ema.ema_weight_3"]
    source = checkpoints.write(tmp_path / "c.ckpt", content)
    with pytest.raises(ModelFileError, match="raw-weights"):
        read_checkpoint(source, trust=True)


def test_energies_in_another_unit_become_ev(tmp_path: Path) -> None:
    source = checkpoints.write(tmp_path / "a.ckpt", checkpoints.content())
    found, _ = read_checkpoint(source, trust=True, energy_unit="kcal/mol")
    a = Potential(found).evaluate(cases.triclinic())
    b = Potential(checkpoints.model()).evaluate(cases.triclinic())
    assert a.energy == pytest.approx(KCAL_PER_MOL_TO_EV * b.energy, rel=1e-13)
    np.testing.assert_allclose(a.forces, KCAL_PER_MOL_TO_EV * b.forces, rtol=1e-9, atol=1e-14)
    with pytest.raises(ConfigError, match="unknown energy unit 'parsec'"):
        read_checkpoint(source, trust=True, energy_unit="parsec")


def test_presets_and_modified_models_are_understood(tmp_path: Path) -> None:
    inner = checkpoints.content()["hyper_parameters"]["model"]
    content = checkpoints.content()
    content["hyper_parameters"]["model"] = {"_target_": "nequip.model.modify", "model": inner}
    source = checkpoints.write(tmp_path / "a.ckpt", content)
    assert _energy(read_checkpoint(source, trust=True)[0]) == _energy(checkpoints.model())

    preset = {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "s",
        **{k: inner[k] for k in ("num_layers", "num_features", "radial_mlp_width", "r_max")},
        **{k: inner[k] for k in ("model_dtype", "type_names", "avg_num_neighbors")},
        "type_embed_num_features": 5,
    }
    content["hyper_parameters"]["model"] = preset
    source = checkpoints.write(tmp_path / "b.ckpt", content)
    assert _energy(read_checkpoint(source, trust=True)[0]) == _energy(checkpoints.model())


class Marker:
    """An object of a class that plain readers of tensors refuse; opening it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_foreign_objects_are_passed_over_and_nothing_is_executed(tmp_path: Path) -> None:
    """Even with trust no code of the pickle runs: only tensors, numbers and text are read."""
    content = checkpoints.content()
    content["callbacks"] = [Marker(tmp_path / "executed"), np.arange(3), {1, 2}, tmp_path]
    source = checkpoints.write(tmp_path / "a.ckpt", content)
    assert _energy(read_checkpoint(source, trust=True)[0]) == _energy(checkpoints.model())
    assert not (tmp_path / "executed").exists()


def _without(name: str) -> dict[str, Any]:
    content = checkpoints.content()
    del content["state_dict"][checkpoints.PREFIX + name]
    return content


def _two_models() -> dict[str, Any]:
    content = checkpoints.content()
    state = content["state_dict"]
    state |= {name.replace("sole_model", "second"): w for name, w in state.items()}
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"weights": 1}, ("nequip-train",)),
        ([1, 2], ("not a Lightning checkpoint",)),
        (_two_models(), ("one NequIP model", "found 2")),
        (_without("layer1_convnet.conv.sc.weight"), ("sc.weight",)),
        (checkpoints.content(num_features=6), ("settings ask for",)),
        (checkpoints.content(radial_mlp_width=9), ("settings ask for",)),
        (checkpoints.content(num_layers=2, l_max=0), ("settings ask for",)),
        (checkpoints.content(type_names=["A", "B", "C"]), ("'A'", "chemical symbol")),
        (checkpoints.content(_target_="allegro.model.AllegroModel"), ("AllegroModel",)),
        (checkpoints.content(_target_="nequip.model.ModelFromPackage"), ("ModelFromPackage",)),
        (checkpoints.content(model_dtype="bfloat16"), ("model_dtype", "bfloat16")),
        (checkpoints.content(convnet_resnet=True), ("convnet_resnet",)),
        (checkpoints.content(shiny_option=True), ("shiny_option",)),
        (checkpoints.content(readout_mlp_nonlinearity="mish"), ("readout_mlp_nonlinearity",)),
        (checkpoints.content(pair_potential={"_target_": "x.LennardJones"}), ("pair_potential",)),
    ],
)
def test_checkpoints_without_a_twin_are_refused_in_one_line(
    content: Any, words: tuple[str, ...], tmp_path: Path
) -> None:
    source = checkpoints.write(tmp_path / "a.ckpt", content)
    with pytest.raises(ModelFileError) as caught:
        import_checkpoint(source, tmp_path / "m.safetensors", trust=True)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = checkpoints.write(tmp_path / "a.ckpt", checkpoints.content())
    target = tmp_path / "m.safetensors"
    assert _run(["import", str(source), str(target), "--trust"]) == 0
    assert "species H C O" in capsys.readouterr().out
    assert nequip_openmm.load(target, device="cpu").species == cases.SPECIES


def _run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def test_the_command_refuses_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = checkpoints.write(tmp_path / "a.ckpt", checkpoints.content())
    target = tmp_path / "m.safetensors"
    (tmp_path / "cut.ckpt").write_bytes(source.read_bytes()[:2000])
    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"a": torch.zeros(2).tolist()}))
    tries = {
        "--trust": [source, target],
        "No such file": [tmp_path / "none.ckpt", target, "--trust"],
        "cut short": [tmp_path / "cut.ckpt", target, "--trust"],
        "not a checkpoint": [tmp_path / "old.ckpt", target, "--trust"],
        "Is a directory": [tmp_path, target, "--trust"],
        "exists": [source, source, "--trust"],
        "cannot be written": [source, tmp_path / "no" / "m.safetensors", "--trust"],
    }
    for words, arguments in tries.items():
        assert _run(["import", *map(str, arguments)]) == 2
        printed = capsys.readouterr().err
        assert words in printed
        assert len(printed.strip().splitlines()) == 1
        assert "Traceback" not in printed
        assert not target.exists()
