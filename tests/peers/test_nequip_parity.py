"""Our model and the official package's give the same numbers from the same weights (``pytest -s`` shows them)."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("nequip", reason="the official nequip package is not installed")

from tests.peers.nequip_peer import CASES, Case, errors, official_model, parity_row, twin

pytestmark = [
    pytest.mark.peer,
    pytest.mark.filterwarnings("ignore"),  # the peer's own
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-6)], ids=["f64", "f32"]
)
def test_same_weights_same_numbers(case: Case, dtype: torch.dtype, tolerance: float) -> None:
    """Energies, atomic energies, forces and stress of molecules and crystals.

    float64: largest deviation in eV, eV/Å, eV/Å³. float32: root mean square deviation relative to the root mean square.
    """
    found = errors(case, dtype)
    print(parity_row(case, dtype, found))
    assert {"energy", "energies", "forces", "stress"} <= found.keys()
    for name, error in found.items():
        assert error < tolerance, name


def test_start_weights_have_the_official_distribution() -> None:
    """Training starts from the same ensemble: matrix by matrix the same mean and spread."""
    config = CASES[4].config().model_copy(update={"num_features": (24, 16, 8)})
    from tests.peers import nequip_peer

    torch.manual_seed(0)
    ours = nequip_peer.NequIP(config).state_dict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nequip_peer, "randomise", lambda *_: None)
        theirs = twin(config, official_model(config), torch.float64).state_dict()
    for name, weight in ours.items():
        if weight.numel() > 300:
            assert weight.std().item() == pytest.approx(theirs[name].std().item(), rel=0.15), name
            assert abs(weight.mean() - theirs[name].mean()).item() < 0.2, name
