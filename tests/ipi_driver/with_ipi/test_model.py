"""A NequIP model in i-PI, by the installed commands and files: every way to it, committees, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import (
    Simulation,
    ffdirect,
    start_file,
    thermostat,
    write_start,
)
from tests.ipi_driver.with_ipi.processes import ENVIRONMENT, program
from tests.ipi_driver.with_ipi.run import Run, numbers

pytestmark = pytest.mark.peer

Runs = Callable[..., Run]

BEADS = 4
TEMPLATE = start_file(0)
SIMULATION = Simulation(motion=thermostat("pile_g"), beads=BEADS, steps=5)


def test_every_way_gives_the_same_trajectory(new_run: Runs, model_file: Path) -> None:
    """No driver, ours, and i-PI's own with our PES file."""
    model, pes = f"model={model_file},template={TEMPLATE}", _pes_file()
    parameters = f"{{{model.replace('=', ': ')}}}"
    batched = Connection(batch_size=BEADS)
    direct = new_run().write(SIMULATION, ffdirect("custom", parameters, pes, BEADS), _methanol())
    ours, stock = (new_run().write(SIMULATION, batched, _methanol()) for _ in range(2))
    for run in (direct, ours, stock):
        run.serve()
    ours.driver("--model", str(model_file), "--template", TEMPLATE)
    stock.serving.says("Starting the polling thread")  # this driver does not wait for a server
    where = ("-u", "-a", batched.address, "-S", f"{stock.folder}/")
    stock.command("i-pi-driver-py", *where, "-m", "custom", "-P", str(pes), "-o", model)
    expected = direct.finish()
    _same(ours.finish(), expected)
    _same(stock.finish(), expected)


def test_committee_reaches_ipi(new_run: Runs, model_files: tuple[Path, Path]) -> None:
    """i-PI reads the members from our extras, and their mean is what we send as the potential."""
    plain = new_run().write(SIMULATION, Connection(batch_size=BEADS), _methanol())
    # a socket within another force field ignores the prefix of socket files, so it is one of TCP
    committee = new_run().write(SIMULATION, Connection("inet", batch_size=BEADS), _methanol())
    socket = committee.connection.forcefield()
    members = f"<ffcommittee name='engine'><parse_json>True</parse_json>{socket}</ffcommittee>"
    committee.edit(socket, members.replace("<ffsocket name='engine'", "<ffsocket name='members'"))
    committee.edit(
        "</output>",
        "<trajectory filename='members' extra_type='committee_pot' stride='1'> extras </trajectory></output>",
    )
    models = [word for path in model_files for word in ("--model", str(path))]
    for run in (plain, committee):
        run.serve()
        run.driver(*models, "--template", TEMPLATE)
    expected = plain.finish()
    found = committee.finish()
    energies = np.array(
        [numbers(found.pop(f"simulation.members_{bead}")) for bead in range(BEADS)]
    )  # (P, steps, 2)
    _same(found, expected)
    potential = committee.table()["potential"]
    np.testing.assert_allclose(energies.mean(axis=(0, 2)), potential, rtol=1e-7)
    assert np.abs(energies[..., 0] - energies[..., 1]).min() > 1e-3


@pytest.mark.parametrize(
    ("symbols", "exit_code", "code", "words"),
    [("CNH4", 2, "user-error", "N"), ("OCH4", 3, "atom-order", "order")],
    ids=["unknown element", "another order"],
)
def test_wrong_template(
    symbols: str, exit_code: int, code: str, words: str, new_run: Runs, model_file: Path
) -> None:
    """i-PI knows no elements, the driver does: it goes away, and i-PI waits for a better one."""
    run = new_run().write(SIMULATION, Connection(batch_size=BEADS), _methanol())
    wrong = _methanol()
    if code == "atom-order":
        wrong = wrong[[1, 0, 2, 3, 4, 5]]
    wrong.symbols = symbols
    write_start(run.folder / "wrong.xyz", wrong)
    server = run.serve()
    driver = run.driver("--model", str(model_file), "--template", "wrong.xyz")
    assert driver.wait() == exit_code
    assert run.error()["code"] == code
    assert words in run.error()["title"]
    assert "Traceback" not in driver.text()
    assert server.is_running


def _methanol() -> ase.Atoms:
    atoms = ase.build.molecule("CH3OH", vacuum=4.0)
    atoms.pbc = True
    return atoms


def _pes_file() -> Path:
    """Return the file that the driver names."""
    shown = subprocess.run(
        [program("nequip-ipi-driver"), "--pes-path"],
        check=True, capture_output=True, text=True, timeout=60, env=ENVIRONMENT,
    )  # fmt: skip
    return Path(shown.stdout.strip())


def _same(found: dict[str, str], expected: dict[str, str]) -> None:
    """Batches of other sizes are summed in another order, which the last digits may show."""
    assert list(found) == list(expected)
    for name in expected:
        here, there = numbers(found[name]), numbers(expected[name])
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-7, err_msg=name)
