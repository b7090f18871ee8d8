"""The harmonic cases of i-PI's regression tests that an external client can run; i-PI's own potential is the oracle.

Inputs are our own. i-PI computes the oracle in its process (ffdirect), our client over a socket; i-PI compares its
references at a relative tolerance of 1e-7 as well.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, ffdirect, optimiser, thermostat
from tests.ipi_driver.with_ipi.pes import SPRING
from tests.ipi_driver.with_ipi.run import Run, numbers

pytestmark = pytest.mark.peer

TOLERANCE = 1e-7
BEADS = (1, 2, 6)
OPTIMISERS = ("bfgs", "bfgstrm", "cg", "lbfgs")
BOSONS = "<normal_modes propagator='bab'><bosons id='index'>[0, 1, 2]</bosons></normal_modes>"
BOSON_COLUMNS = ("step", "conserved", "kinetic_md", "kinetic_td", "potential")
OPTIMISATION_COLUMNS = ("step", "potential")

FAMILIES: dict[str, dict[str, Simulation]] = {
    "NVE": {f"{beads} beads": Simulation(beads=beads) for beads in BEADS},
    "NVT, 1 bead": {
        mode: Simulation(motion=thermostat(mode)) for mode in ("langevin", "svr", "pile_l", "pile_g")
    },
    "NVT, beads": {
        f"{mode}, {beads} beads": Simulation(motion=thermostat(mode), beads=beads)
        for mode in ("pile_l", "pile_g", "svr")
        for beads in (2, 6)
    },
    "exchange": {
        "bosons": Simulation(
            motion=thermostat("pile_l"), beads=4, temperature=50.0, normal_modes=BOSONS, columns=BOSON_COLUMNS
        )
    },
    "optimisation": {
        mode: Simulation(
            motion=optimiser(mode), columns=OPTIMISATION_COLUMNS, velocities=False, steps=15
        )
        for mode in OPTIMISERS
    },
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_client_agrees_with_ipi(family: str, new_run: Callable[..., Run]) -> None:
    oracle = ffdirect("harmonic", f"{{k1: {SPRING}}}")
    pairs = {
        case: (
            new_run().write(simulation, oracle).start(),
            new_run().write(simulation, Connection()).start(),
        )
        for case, simulation in FAMILIES[family].items()
    }
    for case, (direct, client) in pairs.items():
        _compare(case, direct.finish(), client.finish())


def _compare(case: str, expected: dict[str, str], found: dict[str, str]) -> None:
    assert list(found) == list(expected)
    assert len(expected) >= 3, "properties, positions, forces"
    for name in expected:
        here, there = numbers(found[name]), numbers(expected[name])
        scale = np.abs(there).max(
            axis=0
        )  # an optimisation ends in rounding: relative to where it began
        assert here.shape == there.shape
        assert len(there) > 1
        np.testing.assert_allclose(
            here, there, rtol=TOLERANCE, atol=1e-10 * scale.max(), err_msg=f"{case}: {name}"
        )
