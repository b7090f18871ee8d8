"""A folder with an input of i-PI, and the processes that work on it."""

from __future__ import annotations

import json
from pathlib import Path

import ase
import numpy as np

from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import Simulation, hydrogens, start_file, write_start
from tests.ipi_driver.with_ipi.processes import Process, Processes, client_command, program

PAUSE = 6
"""Number of the evaluation at which a client waits that is to be disturbed."""


class Run:
    """One simulation: its folder, its server and its clients."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes = processes
        self._started: list[Process] = []
        self.folder = folder
        self.connection = Connection(prefix=f"{folder}/")

    def write(
        self, simulation: Simulation, forcefield: str | Connection, *starts: ase.Atoms
    ) -> Run:
        """Write the input and a start structure for every system; a connection is what its clients serve."""
        starts = starts or (hydrogens(),)
        if isinstance(forcefield, Connection):
            self.connection = forcefield.at(f"{self.folder}/")
            forcefield = self.connection.forcefield()
        (self.folder / "input.xml").write_text(simulation.xml(forcefield, len(starts)))
        for k, atoms in enumerate(starts):
            write_start(self.folder / start_file(k), atoms)
        return self

    @property
    def serving(self) -> Process:
        """What was started first: i-PI."""
        return self._started[0]

    # --- processes ----------------------------------------------------------------------------------------------------

    def serve(self, source: str = "input.xml", **options: object) -> Process:
        """Start i-PI."""
        return self._start("i-pi", [program("i-pi"), "-S", f"{self.folder}/", source], **options)

    def client(self, evaluator: str = "harmonic", *options: str, name: str = "client") -> Process:
        """Start our client with one of the evaluators of this folder."""
        return self._start(name, client_command(evaluator, *self.connection.arguments(), *options))

    def driver(self, *options: str, name: str = "driver") -> Process:
        """Start the installed driver."""
        command = [program("nequip-ipi-driver"), *self.connection.arguments(), *options]
        return self._start(name, command)

    def command(self, name: str, *arguments: str) -> Process:
        """Start any other installed command."""
        return self._start(name, [program(name), *arguments])

    def edit(self, old: str, new: str) -> None:
        """Change the input."""
        path = self.folder / "input.xml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def paused_client(self) -> Process:
        """Start a client and return once it is in its sixth evaluation, where it waits for `let_go`."""
        client = self.client("harmonic", "--pause-at", str(PAUSE), name="paused")
        client.until("computes", lambda: len(self.evaluations()) == PAUSE)
        return client

    def let_go(self) -> None:
        """Let a paused client go on."""
        (self.folder / "go").touch()

    def start(self) -> Run:
        """Start the server, and a client if one is to connect."""
        self.serve()
        if "<ffsocket" in (self.folder / "input.xml").read_text():
            self.client()
        return self

    def finish(self) -> dict[str, str]:
        """Wait for the end of a run in which nothing goes wrong, and return the outputs."""
        return self.finish_with(*self._started)

    def finish_with(self, server: Process, *clients: Process) -> dict[str, str]:
        """Wait for these to end in success, whatever befell others, and return the outputs."""
        assert server.wait() == 0, server.text()
        assert "I-PI reports success" in server.text()
        for client in clients:
            assert client.wait() == 0, client.text()
        return self.outputs()

    def _start(self, name: str, command: list[str], **options: object) -> Process:
        child = self._processes.start(name, command, self.folder, **options)
        self._started.append(child)
        return child

    # --- what they wrote ----------------------------------------------------------------------------------------------

    def outputs(self) -> dict[str, str]:
        """Return all that i-PI wrote about the system, as printed, by file name."""
        return {path.name: path.read_text() for path in sorted(self.folder.glob("simulation.*"))}

    def table(self, system: str = "") -> dict[str, np.ndarray]:
        """Return the columns of properties of a system."""
        from ipi import read_output

        name = f"{system}_simulation.out" if system else "simulation.out"
        values, _ = read_output(str(self.folder / name))
        return {name: np.atleast_1d(column) for name, column in values.items()}

    def error(self) -> dict[str, str]:
        """Return what the driver wrote about its failure."""
        return json.loads((self.folder / "driver_error.json").read_text())

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


def numbers(text: str) -> np.ndarray:
    """Return the rows of an output without comments and symbols."""
    rows = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    rows = [row[1:] if row[0].isalpha() else row for row in rows if len(row) > 1]
    return np.array(rows, float)
