"""One seed, one potential, every way to reach it: the same digits.

The evaluator sums every structure by itself, so that nothing but the way differs. That the digits are also those of i-PI's own
potential is the business of ``test_regression.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, ffdirect, thermostat
from tests.ipi_driver.with_ipi.run import Run

pytestmark = pytest.mark.peer

BEADS = 6
SIMULATION = Simulation(motion=thermostat("pile_g", splitting="baoab"), beads=BEADS, steps=40)
CUSTOM = Path(__file__).with_name("custom_pes.py")

DIRECT = {
    "direct": ffdirect("custom", "{n_atoms: 8}", CUSTOM),
    "direct, batched": ffdirect("custom", "{n_atoms: 8}", CUSTOM, batch_size=BEADS),
    "direct, batched, threaded": ffdirect("custom", "{n_atoms: 8}", CUSTOM, 4, threaded=True),
}
SOCKETS = {
    "base": Connection(),
    "base, messages one by one": Connection(consolidate=False),
    "batched": Connection(batch_size=BEADS),
    "batched, padded": Connection(batch_size=4),
    "inet": Connection("inet"),
    "inet, messages one by one": Connection("inet", consolidate=False),
    "inet, batched": Connection("inet", batch_size=BEADS),
    "shm": Connection("shm"),
    "shm, batched": Connection("shm", batch_size=BEADS),
    "many connections": Connection(connections=BEADS),
    "many connections, messages one by one": Connection(connections=BEADS, consolidate=False),
    "many connections, batched": Connection(connections=3, batch_size=2),
}
WAYS: dict[str, str | Connection] = {**DIRECT, **SOCKETS}


def test_printed_digits_are_the_same(new_run: Callable[..., Run]) -> None:
    runs = {name: new_run().write(SIMULATION, way).start() for name, way in WAYS.items()}
    outputs = {name: run.finish() for name, run in runs.items()}
    expected = outputs["base"]
    assert len(expected) == 1 + 2 * BEADS, "properties, positions and forces of every bead"
    assert expected["simulation.out"].count("\n") > SIMULATION.steps
    different = [name for name in WAYS if outputs[name] != expected]
    assert not different


@pytest.mark.parametrize(
    ("connection", "n_clients"),
    [(Connection(batch_size=2), 2), (Connection("inet"), 3)],
    ids=["two, batched", "three over TCP, as on three machines"],
)
def test_clients_share_the_beads(
    connection: Connection, n_clients: int, new_run: Callable[..., Run]
) -> None:
    alone = new_run().write(SIMULATION, Connection()).start()
    shared = new_run().write(SIMULATION, connection)
    shared.serve()
    shared.client("harmonic", "--pause-at", "1").until("computes", shared.evaluations)
    records = [f"{k}.txt" for k in range(1, n_clients)]
    for record in records:  # i-PI takes them once the first has answered
        shared.client("harmonic", "--record", record, name=record).says("connected to i-PI")
    shared.let_go()
    assert shared.finish() == alone.finish()
    assert all(shared.evaluated(record) for record in records)
