"""Arguments of the official package's model builders as settings of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nequip_openmm.errors import ModelFileError

__all__ = ["translate_settings"]

SAME = (
    "num_layers",
    "l_max",
    "parity",
    "num_features",
    "type_embed_num_features",
    "radial_mlp_depth",
    "radial_mlp_width",
    "readout_mlp_nonlinearity",
    "num_bessels",
    "bessel_trainable",
    "polynomial_cutoff_p",
    "per_edge_type_cutoff",
    "avg_num_neighbors",
    "per_type_energy_scales",
    "per_type_energy_shifts",
    "per_type_energy_scales_trainable",
    "per_type_energy_shifts_trainable",
)
RENAMED = {
    "r_max": "cutoff",
    "type_names": "species",
    "readout_mlp_hidden_layers_depth": "readout_mlp_depth",
    "readout_mlp_hidden_layers_width": "readout_mlp_width",
}
WITHOUT_EFFECT = {"_target_", "seed", "model_dtype", "compile_mode", "do_derivatives", "preset"}
WITH_ONE_CHOICE: dict[str, Any] = {  # what else can be set there has no twin here
    "categorical_graph_field_embed": None,
    "convnet_sc": True,
    "learnable_shift": False,
    "convnet_resnet": False,
    "convnet_nonlinearity_type": "gate",
    "convnet_nonlinearity_scalars": {"e": "silu", "o": "tanh"},
    "convnet_nonlinearity_gates": {"e": "silu", "o": "tanh"},
}

# `PresetNequIPGNNModel`: shared values, then by size
PRESET: dict[str, Any] = {
    "parity": False,
    "type_embed_num_features": 32,
    "radial_mlp_depth": 1,
    "radial_mlp_width": 128,
}
PRESETS: dict[str, dict[str, Any]] = {
    "S": {"num_layers": 2, "l_max": 1, "num_features": [128, 64]},
    "M": {"num_layers": 4, "l_max": 2, "num_features": [128, 64, 32]},
    "L": {"num_layers": 6, "l_max": 3, "num_features": [128, 64, 32, 32]},
    "XL": {"num_layers": 6, "l_max": 4, "num_features": [320, 96, 64, 32, 32]},
}


def translate_settings(official: Mapping[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Return settings for `ModelConfig` and the name of the network's dtype.

    Parameters
    ----------
    official
        ``hyper_parameters["model"]`` of a checkpoint.
    name
        Of the checkpoint; begins error messages.

    Raises
    ------
    ModelFileError
        If the model is of another kind, or has an option without a twin here.
    """
    given = _builder_arguments(official, name)
    settings: dict[str, Any] = {"zbl": _has_zbl(given, name)}
    for key, value in given.items():
        if key in SAME or key in RENAMED:
            settings[RENAMED.get(key, key)] = tuple(value) if isinstance(value, list) else value
        elif key in WITH_ONE_CHOICE:
            if value != WITH_ONE_CHOICE[key]:
                raise ModelFileError(f"{name}: {key} = {value!r} has no twin here")
        elif key not in WITHOUT_EFFECT and key != "pair_potential":
            raise ModelFileError(f"{name}: does not know the model option {key!r}")
    dtype = given.get("model_dtype")
    if dtype not in ("float32", "float64"):
        raise ModelFileError(f"{name}: model_dtype = {dtype!r}, expected float32 or float64")
    return settings, dtype


def _builder_arguments(official: Mapping[str, Any], name: str) -> dict[str, Any]:
    given = dict(official)
    builder = str(given.get("_target_", "")).rpartition(".")[2]
    if builder == "modify" and isinstance(given.get("model"), Mapping):
        # Modifiers exchange kernels or the scale and shift, which are read from the weights.
        return _builder_arguments(given["model"], name)
    if builder == "PresetNequIPGNNModel":
        size = str(given.get("preset", "")).upper()
        if size not in PRESETS:
            raise ModelFileError(f"{name}: unknown preset {size!r}")
        return {**PRESET, **PRESETS[size], **given}
    if builder != "NequIPGNNModel":
        raise ModelFileError(
            f"{name}: its model was built by {builder or 'an unknown builder'}; only NequIPGNNModel can be imported"
        )
    return given


def _has_zbl(given: Mapping[str, Any], name: str) -> bool:
    """Return whether there is a pair term; the only one with a twin here is ZBL in eV and Å with the model's envelope."""
    pair = given.get("pair_potential")
    if pair is None:
        return False
    p = float(given.get("polynomial_cutoff_p", 6.0))
    is_ours = (
        isinstance(pair, Mapping)
        and str(pair.get("_target_", "")).rpartition(".")[2] == "ZBL"
        and pair.get("units") == "metal"
        and list(pair.get("chemical_species", [])) == list(given.get("type_names", []))
        and float(pair.get("polynomial_cutoff_p", 6.0)) == p
    )
    if not is_ours:
        raise ModelFileError(
            f"{name}: pair_potential {pair!r} has no twin here, only ZBL in metal units has"
        )
    return True
