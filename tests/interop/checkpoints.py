"""Checkpoints like those of the official package, written without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nequip_openmm.model.nequip import NequIP
from tests.model import cases

PREFIX = "model.sole_model.model.func."
SETTINGS: dict[str, Any] = {
    "_target_": "nequip.model.NequIPGNNModel",
    "seed": 1,
    "model_dtype": "float64",
    "type_names": list(cases.SPECIES),
    "r_max": 3.5,
    "num_layers": 3,
    "l_max": 1,
    "parity": False,
    "num_features": 5,
    "radial_mlp_depth": 1,
    "radial_mlp_width": 8,
    "avg_num_neighbors": 5.0,
    "per_type_energy_scales": {"H": 1.1, "C": 0.8, "O": 1.4},
    "per_type_energy_shifts": {"H": -0.3, "C": 0.7, "O": 0.2},
}


def model() -> NequIP:
    """Return the model of `SETTINGS`; without parity no feature is dead, so both packages have the same weights."""
    return cases.build(l_max=1, parity=False)


def official_state(network: NequIP) -> dict[str, Tensor]:
    """Return the weights under the names and in the shapes of the official package."""
    ours = network.state_dict()

    def flat(prefix: str) -> Tensor:
        return torch.cat([w.reshape(-1) for name, w in ours.items() if name.startswith(prefix)])

    state = {
        "type_embed.embed_module.weight": ours["type_embedding.weight"],
        "edge_norm._rmax_recip": torch.tensor(1.0 / 3.5),
        "bessel_encode.bessel_weights": ours["edge_embedding.bessel_frequencies"][None],
    }
    for k in range(network.config.num_layers):
        mine, theirs = f"layers.{k}.", f"layer{k}_convnet.conv."
        state[f"{theirs}linear_1.weight"] = flat(f"{mine}linear_in")
        state[f"{theirs}linear_1.bias"] = torch.empty(0)
        for n in range(2):
            weight = ours[f"{mine}convolution.radial.layers.{n}.weight"]
            state[f"{theirs}edge_mlp.mlp.{2 * n}.weight"] = weight
        state[f"{theirs}linear_2.weight"] = flat(f"{mine}linear_out")
        if k > 0:
            state[f"{theirs}sc.weight"] = flat(f"{mine}self_connection")
    state["per_atom_energy_readout.mlp_module.mlp.0.weight"] = ours["readout.layers.0.weight"]
    for name in ("scales", "shifts"):
        state[f"per_type_energy_scale_shift.{name}"] = ours[f"scale_shift.{name}"][:, None]
    return {PREFIX + name: tensor.clone() for name, tensor in state.items()}


def content(network: NequIP | None = None, **settings: Any) -> dict[str, Any]:
    """Return what a checkpoint holds, with some of `SETTINGS` replaced."""
    versions = {"nequip": "0.19.1", "torch": "2.9.1"}
    hyper_parameters = {
        "model": {**SETTINGS, **settings},
        "info_dict": {"versions": versions},
    }
    state = official_state(network or model())
    return {
        "epoch": 7,
        "global_step": 70,
        "state_dict": state,
        "hyper_parameters": hyper_parameters,
    }


def write(path: Path, what: Any) -> Path:
    """Save a checkpoint."""
    torch.save(what, path)
    return path
