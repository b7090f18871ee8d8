"""The model file: weights as safetensors, everything else as one JSON document in its header.

Reading it parses two length-checked formats and executes nothing, so that a file from a stranger can do no more harm than
give wrong numbers; a fingerprint of the weights finds damage. ``docs/model-file.md`` describes the format.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nequip_openmm._version import __version__
from nequip_openmm.errors import ConfigError, DiskFull, ModelFileError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.runs import atomic_write
from nequip_openmm.runs.failures import write_failure
from nequip_openmm.settings import validate

__all__ = [
    "FORMAT_VERSION",
    "ModelInfo",
    "model_from_bytes",
    "model_to_bytes",
    "read_model",
    "save_model",
]

FORMAT_VERSION = 1
HEADER_KEY = "nequip-openmm"
MAX_HEADER_BYTES = 10_000_000
UNITS = {"energy": "eV", "length": "Å", "force": "eV/Å"}
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about its model.

    Attributes
    ----------
    config
        Architecture, species, cutoff.
    dtype
        ``"float32"`` or ``"float64"``: the precision of the network when it was saved.
    format_version
        Of the file.
    package_version
        Of the nequip-openmm that wrote the file.
    units
        Of what the model takes and gives.
    training
        Where the weights come from: data set, settings, seed, epochs, ...
    metrics
        Errors on data, with the unit in every key.
    """

    config: ModelConfig
    dtype: str
    format_version: int = FORMAT_VERSION
    package_version: str = __version__
    units: dict[str, str] = field(default_factory=lambda: dict(UNITS))
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: NequIP, metadata: Mapping[str, Any] | None = None) -> ModelInfo:
        """Describe a model in memory; ``metadata`` may hold ``training`` and ``metrics``."""
        given = dict(metadata or {})
        training, metrics = given.pop("training", {}), given.pop("metrics", {})
        if given:
            raise ValueError(f"metadata may hold training and metrics, not {', '.join(given)}")
        dtype = str(model.dtype).removeprefix("torch.")
        return cls(model.config, dtype, training=dict(training), metrics=dict(metrics))


def save_model(
    path: Path | str, model: NequIP, metadata: Mapping[str, Any] | None = None
) -> ModelInfo:
    """Write a model file; a reader sees the old file or the new one, never half of one.

    Parameters
    ----------
    metadata
        ``{"training": {...}, "metrics": {...}}``, both of values that JSON knows; either may be missing.

    Raises
    ------
    ModelFileError
        If the place cannot be written to.
    DiskFull
        If it is full.
    """
    path = Path(path)
    content = model_to_bytes(model, metadata)
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        failure = write_failure(error, path)
        if isinstance(failure, DiskFull):
            raise failure from error
        raise ModelFileError(f"{path}: cannot be written: {error.strerror}") from error
    return ModelInfo.of(model, metadata)


def read_model(
    path: Path | str,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[NequIP, ModelInfo]:
    """Read a model file.

    Parameters
    ----------
    device
        Where to put the model; None is the CPU.
    dtype
        Precision of the network; None keeps that of the file.

    Raises
    ------
    ModelFileError
        If the file is missing, cut short, damaged, of another kind or of a newer format.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    return model_from_bytes(content, device, dtype, name=str(path))


def model_to_bytes(model: NequIP, metadata: Mapping[str, Any] | None = None) -> bytes:
    """Return the contents of a model file; see `save_model`."""
    info = ModelInfo.of(model, metadata)
    weights = {name: w.detach().cpu().contiguous() for name, w in model.state_dict().items()}
    document = {
        "format_version": info.format_version,
        "package_version": info.package_version,
        "model": info.config.model_dump(mode="json"),
        "dtype": info.dtype,
        "units": info.units,
        "weights_sha256": _fingerprint(weights),
        "training": info.training,
        "metrics": info.metrics,
    }
    text = json.dumps(_plain(document), ensure_ascii=False, allow_nan=False)
    content: bytes = safetensors.torch.save(weights, {HEADER_KEY: text})
    return content


def model_from_bytes(
    content: bytes,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    *,
    name: str = "model",
) -> tuple[NequIP, ModelInfo]:
    """Read the contents of a model file; ``name`` begins error messages. See `read_model`."""
    document = _document(content, name)
    info = _info(document, name)
    try:
        weights = safetensors.torch.load(content)
    except SafetensorError as error:
        raise ModelFileError(f"{name}: is damaged or cut short ({error}); copy it again") from error
    if _fingerprint(weights) != document.get("weights_sha256"):
        raise ModelFileError(f"{name}: the weights do not match their fingerprint; copy it again")
    model = _build(info, weights, name)
    if dtype is not None:
        model.to_dtype(dtype)
    return model.to(device or "cpu").eval(), info


def _document(content: bytes, name: str) -> dict[str, Any]:
    """Return our JSON document from the header of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    # A safetensors file begins with a length, whose bytes may be anything, and then "{".
    if content[8:9] != b"{" and (content[:2] == b"PK" or content[:1] == b"\x80"):
        raise ModelFileError(
            f"{name}: is a pickled checkpoint, not a model file; if it is one of the official nequip package, "
            "convert it with: nequip-openmm import"
        )
    if len(content) < 8 or content[8:9] != b"{" or size > MAX_HEADER_BYTES:
        raise ModelFileError(f"{name}: is not a model file (expected .safetensors)")
    if len(content) < 8 + size:
        raise ModelFileError(f"{name}: is cut short ({len(content)} bytes); copy it again")
    try:
        header = json.loads(content[8 : 8 + size])
        text = header.get("__metadata__", {}).get(HEADER_KEY)
        document = None if text is None else json.loads(text)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{name}: has a damaged header; copy it again") from error
    if text is None:
        raise ModelFileError(f"{name}: is a safetensors file, but not one of nequip-openmm")
    if not isinstance(document, dict):
        raise ModelFileError(f"{name}: has a damaged header; copy it again")
    return document


def _info(document: dict[str, Any], name: str) -> ModelInfo:
    version = document.get("format_version")
    if not isinstance(version, int):
        raise ModelFileError(f"{name}: has a damaged header (no format version); copy it again")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{name}: has format {version}, written by nequip-openmm {document.get('package_version')}; "
            f"this version reads up to {FORMAT_VERSION}: upgrade nequip-openmm"
        )
    tables = {key: document.get(key) for key in ("model", "units", "training", "metrics")}
    wrong = [key for key, table in tables.items() if not isinstance(table, dict)]
    if wrong or document.get("dtype") not in DTYPES:
        raise ModelFileError(f"{name}: has a damaged header ({', '.join(wrong) or 'dtype'})")
    if tables["units"] != UNITS:
        raise ModelFileError(f"{name}: has units {tables['units']}, expected {UNITS}")
    try:
        config = validate(ModelConfig, tables["model"] or {}, f"{name}: architecture")
    except ConfigError as error:
        raise ModelFileError(str(error)) from error
    return ModelInfo(
        config=config,
        dtype=document["dtype"],
        format_version=version,
        package_version=str(document.get("package_version")),
        units=dict(UNITS),
        training=tables["training"] or {},
        metrics=tables["metrics"] or {},
    )


def _build(info: ModelInfo, weights: dict[str, Tensor], name: str) -> NequIP:
    with torch.random.fork_rng(devices=[]):  # initial weights are thrown away: draw them aside
        model = NequIP(info.config, DTYPES[info.dtype])
    wanted = model.state_dict()
    if different := sorted(set(wanted) ^ set(weights)):
        raise ModelFileError(f"{name}: tensors do not fit the architecture ({different[0]}, ...)")
    for key, tensor in weights.items():
        if tensor.shape != wanted[key].shape or tensor.dtype != wanted[key].dtype:
            raise ModelFileError(
                f"{name}: {key} is {_describe(tensor)}, the architecture asks for {_describe(wanted[key])}"
            )
        if not torch.isfinite(tensor).all():
            raise ModelFileError(f"{name}: {key} holds values that are not finite; train again")
    model.load_state_dict(weights)
    return model


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names and bytes of all tensors, by name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return what JSON can hold: numpy scalars as numbers, paths as text, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy and torch
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
