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
    """A busy machine may interrupt i-PI while it queues the beads, so the best of a few runs counts."""
    fill = 0.0
    for _ in range(5):
        fill = max(fill, _mean_fill(n_atoms, new_run()))
        if fill >= 0.95:
            return
    pytest.fail(f"batches are filled to {fill:.0%} at best")


def _mean_fill(n_atoms: int, run: Run) -> float:
    run.write(Simulation(), BATCHED, hydrogens(n_atoms))
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
    return float(np.mean(run.evaluated()[1:])) / BEADS  # at the start all beads are equal
