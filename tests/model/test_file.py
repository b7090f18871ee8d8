"""The model file: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import errno
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from nequip_openmm.errors import DiskFull, ModelFileError
from nequip_openmm.model import file
from nequip_openmm.model.file import (
    HEADER_KEY,
    ModelInfo,
    model_from_bytes,
    model_to_bytes,
    read_model,
    save_model,
)
from nequip_openmm.potential import Potential
from tests.model import cases


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", cases.MODELS)
def test_a_model_comes_back_bit_by_bit(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = cases.build(dtype=dtype, **cases.MODELS[name])
    save_model(tmp_path / "m.safetensors", model)
    found, info = read_model(tmp_path / "m.safetensors")
    assert info.config == model.config
    assert found.state_dict().keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value)
        assert found.state_dict()[key].dtype == value.dtype
    frame = cases.frame("triclinic")
    a, b = Potential(model).evaluate(frame), Potential(found).evaluate(frame)
    assert a.energy == b.energy
    assert np.array_equal(a.forces, b.forces)


def test_information_comes_back(tmp_path: Path) -> None:
    training = {"dataset": Path("data.xyz"), "seed": 1, "loss": np.float32(0.5), "lr": float("nan")}
    metrics = {"forces_mae_mev_per_angstrom": np.array([1.5, 2.5])}
    metadata = {"training": training, "metrics": metrics}
    written = save_model(tmp_path / "m.safetensors", cases.build(), metadata)
    _, info = read_model(tmp_path / "m.safetensors")
    assert info.training == {"dataset": "data.xyz", "seed": 1, "loss": 0.5, "lr": None}
    assert info.metrics == {"forces_mae_mev_per_angstrom": [1.5, 2.5]}
    assert info.units == {"energy": "eV", "length": "Å", "force": "eV/Å"}
    assert (info.format_version, info.dtype) == (1, "float64")
    assert isinstance(written, ModelInfo)
    with pytest.raises(ValueError, match="training and metrics, not note"):
        save_model(tmp_path / "n.safetensors", cases.build(), {"note": 1})


def test_precision_may_be_chosen_and_reading_draws_no_random_numbers() -> None:
    content = model_to_bytes(cases.build(dtype=torch.float32))
    state = torch.get_rng_state()
    model, info = model_from_bytes(content, dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), state)
    assert (model.dtype, info.dtype) == (torch.float64, "float32")
    assert not model.training


def test_header_length_that_looks_like_a_pickle_is_read() -> None:
    """The file begins with the length of its header; the byte 0x80 also begins a pickle."""
    model = cases.build()
    lengths = set()
    for padding in range(0, 256, 4):
        content = model_to_bytes(model, {"training": {"note": "x" * padding}})
        lengths.add(content[0])
        assert model_from_bytes(content)[1].config == model.config
    assert 0x80 in lengths


def _rewritten(content: bytes, change: Any) -> bytes:
    """Return a model file whose JSON document went through ``change``."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    document = json.loads(header["__metadata__"][HEADER_KEY])
    change(document)
    tensors = safetensors.torch.load(content)
    return safetensors.torch.save(tensors, {HEADER_KEY: json.dumps(document)})


def _with_weights(content: bytes, change: Any) -> bytes:
    """Return a model file with other tensors and a fingerprint that fits them."""
    tensors = safetensors.torch.load(content)
    change(tensors)
    size = int.from_bytes(content[:8], "little")
    document = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][HEADER_KEY])
    document["weights_sha256"] = file._fingerprint(tensors)
    return safetensors.torch.save(tensors, {HEADER_KEY: json.dumps(document)})


CONTENT = model_to_bytes(cases.build(dtype=torch.float32))
FIRST = "type_embedding.weight"


def _flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("not a model file",)),
        (b"hello", ("not a model file",)),
        (CONTENT[:4], ("not a model file",)),
        (CONTENT[:100], ("cut short", "copy it again")),
        (CONTENT[:-1], ("cut short", "copy it again")),
        (CONTENT + b"x", ("damaged or cut short",)),
        (_flip(CONTENT, len(CONTENT) - 5), ("fingerprint",)),
        (CONTENT[:8] + b"{" + b"!" * (len(CONTENT) - 9), ("damaged header",)),
        (b"PK\x03\x04" + b"0" * 200, ("checkpoint", "nequip-openmm import")),
        (pickle.dumps({"a": list(range(100))}), ("checkpoint", "nequip-openmm import")),
        (safetensors.torch.save({"x": torch.zeros(3)}), ("not one of nequip-openmm",)),
        (safetensors.torch.save({"x": torch.zeros(3)}, {HEADER_KEY: "["}), ("damaged header",)),
        (safetensors.torch.save({"x": torch.zeros(3)}, {HEADER_KEY: "[]"}), ("damaged header",)),
        (_rewritten(CONTENT, lambda d: d.update(format_version=99)), ("format 99", "upgrade")),
        (_rewritten(CONTENT, lambda d: d.pop("format_version")), ("damaged header",)),
        (_rewritten(CONTENT, lambda d: d.pop("model")), ("damaged header", "model")),
        (_rewritten(CONTENT, lambda d: d.update(dtype="int8")), ("damaged header", "dtype")),
        (_rewritten(CONTENT, lambda d: d.update(units={"energy": "J"})), ("units", "J")),
        (_rewritten(CONTENT, lambda d: d["model"].update(l_max=9)), ("l_max", "9")),
        (_rewritten(CONTENT, lambda d: d["model"].update(colour=1)), ("colour",)),
        (_rewritten(CONTENT, lambda d: d["model"].update(num_layers=2)), ("do not fit",)),
        (_rewritten(CONTENT, lambda d: d["model"].update(num_features=4)), ("asks for",)),
        (_with_weights(CONTENT, lambda t: t.pop(FIRST)), ("do not fit", FIRST)),
        (_with_weights(CONTENT, lambda t: t.update(extra=torch.zeros(1))), ("extra",)),
        (_with_weights(CONTENT, lambda t: t.update({FIRST: torch.zeros(2)})), (FIRST, "(2,)")),
        (_with_weights(CONTENT, lambda t: t[FIRST].fill_(torch.nan)), (FIRST, "not finite")),
    ],
)
def test_what_is_not_a_model_file_is_refused_in_one_line(
    content: bytes, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none.safetensors: cannot be read: No such file"):
        read_model(tmp_path / "none.safetensors")
    with pytest.raises(ModelFileError, match="cannot be read: Is a directory"):
        read_model(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be written: No such file"):
        save_model(tmp_path / "none" / "m.safetensors", cases.build())


def test_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, cases.build(seed=1))
    before = path.read_bytes()

    def fail(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DiskFull, match=r"the disk is full \(.*m\.safetensors\)") as caught:
        save_model(path, cases.build(seed=2))
    assert caught.value.code == "disk-full"
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_reading_executes_nothing(tmp_path: Path) -> None:
    """A pickle hidden behind the name of a model file is not opened."""

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    path = tmp_path / "m.safetensors"
    torch.save({"weights": Bomb()}, path)
    with pytest.raises(ModelFileError, match="checkpoint"):
        read_model(path)
    assert not (tmp_path / "executed").exists()
