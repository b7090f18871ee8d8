"""How often the model is called: i-PI sends batches that are incomplete and padded, above all with large systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest

from ipi_driver.inputs import Address, PimdSpec, input_xml, read_start
from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, hydrogens, thermostat
from tests.ipi_driver.with_ipi.run import Run

pytestmark = pytest.mark.peer

BEADS, STEPS = 32, 40
BATCHED = Connection(batch_size=BEADS)


def test_padding_is_not_computed(new_run: Callable[..., Run]) -> None:
    """With the default latency; at the start all beads are equal, so up to 32 of the first ones are padding too."""
    simulation = Simulation(
        motion=thermostat("pile_g"), beads=BEADS, steps=STEPS, columns=("step",), trajectories=()
    )
    run = new_run().write(simulation, BATCHED, hydrogens(192))
    run.finish_with(run.serve(), run.client("harmonic", "--atoms", "192"))
    structures = sum(run.evaluated())
    assert BEADS * STEPS < structures <= BEADS * (STEPS + 1)


@pytest.mark.parametrize("n_atoms", [6, 64, 192])
def test_our_input_fills_the_batches(n_atoms: int, new_run: Callable[..., Run]) -> None:
    run = new_run().write(Simulation(), BATCHED, hydrogens(n_atoms))
    structure = run.folder / "structure.xyz"
    ase.io.write(structure, hydrogens(n_atoms, width=1.0))
    spec = PimdSpec(
        model=Path("model.safetensors"),
        structure=structure,
        beads=BEADS,
        steps=STEPS,
        thermo_interval=10,
    )
    start = read_start(structure)
    start.write(run.folder)
    (run.folder / "input.xml").write_text(input_xml(spec, start, Address(BATCHED.address)))
    run.finish_with(run.serve(), run.client("harmonic", "--atoms", str(n_atoms)))
    fill = np.mean(run.evaluated()[1:]) / BEADS  # at the start all beads are equal
    assert fill >= 0.95
