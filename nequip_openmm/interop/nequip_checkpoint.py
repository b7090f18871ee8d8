"""Lightning checkpoints of the official nequip package (0.7 to 0.19) as model files of this one.

nequip need not be installed: of the checkpoint only tensors, numbers and text are read.
"""

from __future__ import annotations

import pickle
import types
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nequip_openmm.errors import ConfigError, ModelFileError
from nequip_openmm.interop.nequip_settings import translate_settings
from nequip_openmm.interop.nequip_weights import load_official_weights
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import ModelInfo, save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.settings import validate
from nequip_openmm.units import energy_factor

__all__ = ["import_checkpoint", "read_checkpoint"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Checkpoint:
    """What matters in an official checkpoint.

    Attributes
    ----------
    settings
        Arguments of the model builder.
    raw
        Weights of the last training step, by name.
    ema
        Their moving averages where the run kept them, in the order of the model's parameters; else None.
    is_exchanged
        Whether ``raw`` holds the averages and ``ema`` the weights, as in a checkpoint written during validation.
    origin
        Versions, epoch and step.
    """

    settings: dict[str, Any]
    raw: dict[str, Tensor]
    ema: list[Tensor] | None
    is_exchanged: bool
    origin: dict[str, Any]


def import_checkpoint(
    source: Path | str,
    target: Path | str,
    *,
    trust: bool = False,
    raw_weights: bool = False,
    energy_unit: str = "eV",
) -> ModelInfo:
    """Turn a checkpoint into a model file.

    Parameters
    ----------
    source, target
        The checkpoint and the model file to write.
    trust
        Must be true: the caller knows where the checkpoint comes from.
    raw_weights
        Take the weights of the last step although the run kept averaged ones, which the official package uses for
        inference.
    energy_unit
        Unit of energy in the data the model was trained on; lengths must have been in Å.

    Raises
    ------
    ModelFileError
        If the checkpoint cannot be read or its model has no twin here; nothing is written.
    """
    model, training = read_checkpoint(
        source, trust=trust, raw_weights=raw_weights, energy_unit=energy_unit
    )
    return save_model(target, model, {"training": training})


def read_checkpoint(
    source: Path | str,
    *,
    trust: bool = False,
    raw_weights: bool = False,
    energy_unit: str = "eV",
) -> tuple[NequIP, dict[str, Any]]:
    """Return the model of a checkpoint and where it comes from; see `import_checkpoint`."""
    if not trust:
        raise ModelFileError(
            f"{source}: a checkpoint is a pickle, which may run code when it is opened; "
            "if you know where it comes from, allow it with --trust (trust=True)"
        )
    factor = energy_factor(energy_unit)
    checkpoint = _load(Path(source))
    settings, dtype = translate_settings(checkpoint.settings, str(source))
    try:
        config = validate(ModelConfig, settings, str(source))
    except ConfigError as error:
        raise ModelFileError(f"{error}; the model has no twin here") from error
    if config.zbl and factor != 1.0:
        raise ModelFileError(f"{source}: a model with ZBL can only be imported in eV")
    use_ema = checkpoint.ema is not None and not raw_weights
    from_list = checkpoint.ema is not None and use_ema != checkpoint.is_exchanged
    weights = _with_ema(checkpoint, config, str(source)) if from_list else checkpoint.raw
    model = _build(config, weights, DTYPES[dtype], factor)
    origin = {
        "imported_from": Path(source).name,
        "weights": "ema" if use_ema else "raw",
        "energy_unit_of_training": energy_unit,
        **checkpoint.origin,
    }
    return model, origin


def _build(
    config: ModelConfig, weights: Mapping[str, Tensor], dtype: torch.dtype, factor: float
) -> NequIP:
    model = NequIP(config, dtype)
    load_official_weights(model, weights)
    model.scale_shift.scales.data *= factor
    model.scale_shift.shifts.data *= factor
    # The settings in the file shall say what the weights say, also after fine-tuning or a change of unit.
    values = {
        f"per_type_energy_{name}": dict(zip(config.species, tensor.tolist()))
        for name, tensor in (
            ("scales", model.scale_shift.scales),
            ("shifts", model.scale_shift.shifts),
        )
    }
    model.config = config.model_copy(update=values)
    return model


# --- what is in the file --------------------------------------------------------------------------------------------------


def _load(path: Path) -> Checkpoint:
    content = _unpickle(path)
    try:
        settings = dict(content["hyper_parameters"]["model"])
        state = dict(content["state_dict"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: is not a checkpoint of nequip-train 0.7 or later (no hyper_parameters.model or state_dict)"
        ) from error
    prefixes = {name.partition("type_embed.")[0] for name in state if "type_embed." in name}
    if len(prefixes) != 1:
        raise ModelFileError(
            f"{path}: expected one NequIP model in the checkpoint, found {len(prefixes)}"
        )
    prefix = prefixes.pop()
    raw = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix) and isinstance(tensor, Tensor)
    }
    ema = [state[name] for name in sorted(_ema_names(state), key=_number)]
    extra = state.get("ema._extra_state")
    holds_ema = not isinstance(extra, dict) or bool(extra.get("is_holding_ema_weights", True))
    return Checkpoint(settings, raw, ema or None, not holds_ema, _origin(content))


def _ema_names(state: Mapping[str, Any]) -> list[str]:
    return [name for name in state if name.startswith("ema.ema_weight_")]


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _origin(content: Mapping[str, Any]) -> dict[str, Any]:
    info = content["hyper_parameters"].get("info_dict") or {}
    versions = info.get("versions") if isinstance(info, dict) else None
    return {
        "versions": {str(k): str(v) for k, v in dict(versions or {}).items()},
        "epoch": content.get("epoch"),
        "step": content.get("global_step"),
    }


def _with_ema(checkpoint: Checkpoint, config: ModelConfig, name: str) -> dict[str, Tensor]:
    """Replace the model's parameters, which are a part of its tensors, by their averages."""
    parameters = [key for key in checkpoint.raw if _is_parameter(key, config)]
    ema = checkpoint.ema or []
    shapes = [checkpoint.raw[key].shape for key in parameters]
    if shapes != [tensor.shape for tensor in ema]:
        raise ModelFileError(
            f"{name}: {len(ema)} averaged tensors do not fit the {len(parameters)} parameters; use --raw-weights"
        )
    return {**checkpoint.raw, **dict(zip(parameters, ema))}


def _is_parameter(key: str, config: ModelConfig) -> bool:
    last = key.rpartition(".")[2]
    if last == "bessel_weights":
        return config.bessel_trainable
    if last == "scales":
        return config.per_type_energy_scales_trainable
    if last == "shifts":
        return config.per_type_energy_shifts_trainable
    holders = ("embed_module", "linear_1", "edge_mlp", "linear_2", "sc", "mlp_module")
    return any(part in holders for part in key.split(".")) and "weight" in key


# --- a pickle without its code ----------------------------------------------------------------------------------------------


def _unpickle(path: Path) -> Mapping[str, Any]:
    """Read a checkpoint with torch's own safe reader, or else with one that puts placeholders for unknown classes."""
    try:
        is_archive = zipfile.is_zipfile(path)
        path.open("rb").close()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_archive:
        raise ModelFileError(f"{path}: is cut short or not a checkpoint of torch")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - the second reader judges
        content = _load_inert(path)
    if not isinstance(content, Mapping):
        raise ModelFileError(f"{path}: is not a Lightning checkpoint")
    return content


def _load_inert(path: Path) -> Any:
    try:
        return torch.load(
            path, map_location="cpu", weights_only=False, pickle_module=_inert_pickle()
        )
    except Exception as error:  # a damaged pickle can raise anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelFileError(f"{path}: is damaged or not a checkpoint ({reason})") from error


class _Placeholder(dict[object, object]):
    """Stands for an object of any class, keeps what a dictionary would and swallows the rest."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def __call__(self, *args: object, **kwargs: object) -> _Placeholder:
        return _Placeholder()

    def __setstate__(self, state: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class _InertUnpickler(pickle.Unpickler):
    """Knows tensors and plain containers; everything else becomes a placeholder."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"),
            ("torch", "Size"),
            ("torch", "device"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch._utils", "_rebuild_parameter"),
        }
        if (module, name) in known or (module == "torch" and name.endswith("Storage")):
            return super().find_class(module, name)
        return _Placeholder


def _inert_pickle() -> types.ModuleType:
    module = types.ModuleType("inert_pickle")
    module.Unpickler = _InertUnpickler  # type: ignore[attr-defined]
    module.load = pickle.load  # type: ignore[attr-defined]
    return module
