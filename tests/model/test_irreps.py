"""Which features and paths a model has."""

from __future__ import annotations

from itertools import pairwise

from e3nn.o3 import Irreps

from nequip_openmm.model.irreps import plan_layers
from tests.model import cases


def test_features_of_the_uneven_example_of_the_definition() -> None:
    """Four layers, parity, l_max 2, features 7, 5, 3: worked out by hand in the definition of the official package."""
    config = cases.config(l_max=2, num_layers=4, num_features=(7, 5, 3), type_embed_num_features=6)
    plans = plan_layers(config, keep_dead=True)
    assert plans[0].irreps_in == Irreps("6x0e")
    second = plans[1]
    assert second.irreps_in == Irreps("7x0e+5x1o+3x2e")
    assert second.after_product == Irreps("15x0e+20x1o+8x1e+8x2o+18x2e")
    assert second.before_gate == Irreps("23x0e+5x1o+5x1e+3x2o+3x2e")
    assert second.irreps_out == Irreps("7x0e+5x1e+5x1o+3x2e+3x2o")
    assert plans[2].irreps_out == Irreps("7x0e+7x0o+5x1e+5x1o+3x2e+3x2o")
    assert plans[3].irreps_out == Irreps("7x0e")


def test_features_without_a_path_to_the_energy_are_left_out() -> None:
    config = cases.config(l_max=2, num_layers=4, num_features=4)
    plans = plan_layers(config)
    natural = Irreps("4x0e+4x1o+4x2e")
    assert plans[-1].irreps_in == natural
    assert plans[-2].irreps_out == natural
    assert plans[-2].irreps_in == Irreps("4x0e+4x1e+4x1o+4x2e+4x2o")
    full = plan_layers(config, keep_dead=True)
    assert sum(len(p.paths) for p in plans) <= 0.75 * sum(len(p.paths) for p in full)


def test_two_layers_do_not_know_parity() -> None:
    even, both = (cases.config(l_max=3, num_layers=2, parity=p) for p in (False, True))
    assert plan_layers(even) == plan_layers(both)


def test_neighbouring_layers_fit_and_the_last_gives_scalars() -> None:
    for settings in cases.MODELS.values():
        config = cases.config(**settings)
        plans = plan_layers(config)
        for earlier, later in pairwise(plans):
            assert earlier.irreps_out == later.irreps_in
        assert plans[-1].irreps_out == Irreps([(config.features_by_l[0], "0e")])


def test_parameter_count_of_the_definition() -> None:
    """Table of the definition: r_max 5, 2 layers, 8 features, radial width 16, three species."""
    for l_max, wanted in ((1, 1824), (2, 2336)):
        model = cases.build(l_max=l_max, num_layers=2, num_features=8, radial_mlp_width=16)
        weights = [w for n, w in model.named_parameters() if not n.startswith("scale_shift")]
        assert sum(w.numel() for w in weights) == wanted
