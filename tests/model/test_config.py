"""Settings that are refused, and how."""

from __future__ import annotations

from typing import Any

import pytest

from nequip_openmm.errors import ConfigError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.settings import validate
from tests.model import cases


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"l_max": 5}, ("l_max", "5", "≤ 4")),
        ({"l_max": -1}, ("l_max", "≥ 0")),
        ({"cutoff": -1.0}, ("cutoff", "> 0", "Å")),
        ({"cutoff": 60.0}, ("cutoff", "≤ 20")),
        ({"cutoff": float("nan")}, ("cutoff", "nan")),
        ({"num_layers": 0}, ("num_layers", "≥ 1")),
        ({"num_layers": "three"}, ("num_layers", "three")),
        ({"num_fatures": 3}, ("num_fatures", "num_features")),
        ({"num_features": (4, 4, 4)}, ("num_features", "3 entries", "needs 2")),
        ({"num_features": 0}, ("num_features",)),
        ({"species": ()}, ("species",)),
        ({"species": ("H", "Xx")}, ("Xx", "chemical symbol")),
        ({"species": ("H", "H")}, ("once",)),
        ({"avg_num_neighbors": 0.0}, ("avg_num_neighbors",)),
        ({"avg_num_neighbors": {"H": 1.0}}, ("avg_num_neighbors", "C, O")),
        ({"per_type_energy_shifts": {"H": 0.0, "C": 0.0, "O": 0.0, "N": 0.0}}, ("N",)),
        ({"per_edge_type_cutoff": {"N": 2.0}}, ("per_edge_type_cutoff", "N")),
        ({"per_edge_type_cutoff": {"H": {"C": 9.0}}}, ("per_edge_type_cutoff", "exceed")),
        ({"readout_mlp_nonlinearity": "relu"}, ("readout_mlp_nonlinearity", "silu")),
        ({"polynomial_cutoff_p": 1.0}, ("polynomial_cutoff_p", "≥ 2")),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], words: tuple[str, ...]) -> None:
    given = cases.config().model_dump() | settings
    with pytest.raises(ConfigError) as caught:
        validate(ModelConfig, given, "config.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_what_is_missing_in_pair_cutoffs_is_the_general_one() -> None:
    config = cases.config(per_edge_type_cutoff={"H": 2.0, "C": {"O": 3.0}})
    table = [[config.pair_cutoff(i, j) for j in config.species] for i in config.species]
    assert table == [[2.0, 2.0, 2.0], [3.5, 3.5, 3.0], [3.5, 3.5, 3.5]]


def test_settings_survive_json() -> None:
    config = cases.config(num_features=(5, 4), per_edge_type_cutoff={"H": {"C": 2.0}}, l_max=1)
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config
