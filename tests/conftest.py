"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data sets that lies beside a checkout; absent in a user's clone."""
    if not SHARED.is_dir():
        pytest.skip("reference data sets are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def methanol() -> Path:
    """The methanol CCSD(T) data set of the examples."""
    return ROOT / "examples" / "methanol_ccsd_t" / "methanol_ccsd_t.xyz"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
