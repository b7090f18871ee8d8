"""A folder with an input of i-PI, and the processes that work on it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import ase
import numpy as np
import pytest

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import BEADS, BRIEF, Simulation, hydrogens, write_start
from tests.ipi_driver.with_ipi.processes import Process, Processes, client_command, program

PAUSE = 6
Table = dict[str, np.ndarray]


@pytest.fixture(scope="session", autouse=True)
def _ipi_is_here() -> None:
    pytest.importorskip("ipi", reason="needs i-PI: pip install 'nequip-openmm[ipi]'")


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Children that the test starts."""
    children = Processes()
    yield children
    children.end()


class Run:
    """One simulation: its folder, its server and its clients."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes = processes
        self.folder = folder
        self.connection = Connection(prefix=f"{folder}/")
        self.children: list[Process] = []

    def write(
        self, simulation: Simulation, forcefield: str | Connection, atoms: ase.Atoms | None = None
    ) -> Run:
        """Write input and start structure; a connection is the force field its clients serve."""
        if isinstance(forcefield, Connection):
            self.connection = forcefield.at(f"{self.folder}/")
            forcefield = self.connection.forcefield()
        (self.folder / "input.xml").write_text(simulation.xml(forcefield))
        write_start(self.folder, hydrogens() if atoms is None else atoms)
        return self

    def serve(self, source: str = "input.xml") -> Process:
        """Start i-PI."""
        return self.command("i-pi", "-S", f"{self.folder}/", source)

    def client(self, evaluator: str = "harmonic", *options: str, name: str = "client") -> Process:
        """Start our client with one of the evaluators of this folder."""
        command = client_command(evaluator, *self.connection.arguments(), *options)
        return self._start(name, command)

    def command(self, name: str, *arguments: str) -> Process:
        """Start an installed command in the folder."""
        return self._start(name, [program(name), *arguments])

    def _start(self, name: str, command: list[str]) -> Process:
        child = self._processes.start(name, command, self.folder)
        self.children.append(child)
        return child

    def start(self) -> Run:
        """Start the server, and a client if one is to connect."""
        self.serve()
        if "<ffsocket" in (self.folder / "input.xml").read_text():
            self.client()
        return self

    def finish(self) -> Run:
        """Wait for the end of a run in which nothing goes wrong."""
        for child in self.children:
            assert child.wait() == 0, child.text()
        assert "I-PI reports success" in self.children[0].text()
        return self

    def paused_client(self) -> Process:
        """Start a client and return once it is in its sixth evaluation, where it waits for `let_go`."""
        client = self.client("harmonic", "--pause-at", str(PAUSE), name="paused")
        client.until("computes", lambda: len(self.evaluations()) == PAUSE)
        return client

    def let_go(self) -> None:
        """Let a paused client go on."""
        (self.folder / "go").touch()

    def evaluations(self, record: str = "calls.txt") -> list[int]:
        """Return the number of structures of every evaluation that a client has begun."""
        return self._recorded("begin", record)

    def evaluated(self, record: str = "calls.txt") -> list[int]:
        """Return the number of structures of every evaluation that a client has ended."""
        return self._recorded("end", record)

    def _recorded(self, what: str, record: str) -> list[int]:
        path = self.folder / record
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(what)]

    def error(self) -> dict[str, str]:
        """Return what the driver wrote about its failure."""
        return json.loads((self.folder / "driver_error.json").read_text())

    def table(self) -> Table:
        """Return the columns of the properties written so far; the last row may be incomplete."""
        return read_table(self.folder / "simulation.out")

    def finish_with(self, server: Process, client: Process) -> dict[str, str]:
        """Wait for these two to end in success, whatever befell others, and return the outputs."""
        assert server.wait() == 0, server.text()
        assert client.wait() == 0, client.text()
        assert "I-PI reports success" in server.text()
        return self.outputs()

    def outputs(self) -> dict[str, str]:
        """Return all that i-PI wrote about the system, as printed, by file name."""
        return {path.name: path.read_text() for path in sorted(self.folder.glob("simulation.*"))}


@pytest.fixture
def new_run(tmp_path: Path, processes: Processes) -> Callable[..., Run]:
    """Make the folder of a run; its name is short because the path of a socket must be."""
    numbers_of_runs = itertools.count()

    def make() -> Run:
        folder = tmp_path / str(next(numbers_of_runs))
        folder.mkdir()
        return Run(processes, folder)

    return make


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What i-PI writes in the brief run when nothing goes wrong."""
    children = Processes()
    run = Run(children, tmp_path_factory.mktemp("undisturbed"))
    yield run.write(BRIEF, Connection(batch_size=BEADS)).start().finish().outputs()
    children.end()


def read_table(path: Path) -> Table:
    """Read properties as i-PI wrote them."""
    from ipi import read_output

    values, _ = read_output(str(path))
    return {name: np.atleast_1d(column) for name, column in values.items()}


def numbers(text: str) -> np.ndarray:
    """Return the rows of an output without comments and symbols."""
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    rows = [row[1:] if row[0].isalpha() else row for row in rows if len(row) > 1]
    return np.array(rows, float)
