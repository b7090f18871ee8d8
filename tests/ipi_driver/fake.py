"""A harmonic evaluator, and a server that speaks as i-PI does, in both orders of messages."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipi_driver.client import Client, ConnectionSettings, Ending
from ipi_driver.evaluator import Evaluator, Results
from ipi_driver.protocol import message
from ipi_driver.transport import InetAddress, UnixAddress
from nequip_openmm.errors import RunFailed
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

FloatArray = NDArray[np.float64]

STIFFNESS = 0.7  # eV/Å²
DEADLINE = 120.0  # s, for what takes milliseconds on a machine at rest


@dataclass
class Harmonic:
    """E = k/2 Σ r², whose virial is taken as Σ r f; remembers how many structures each call had."""

    n_atoms: int = 3
    sizes: list[int] = field(default_factory=list)

    def evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        assert positions.shape[1:] == (self.n_atoms, 3)
        assert cells.shape == (len(positions), 3, 3)
        self.sizes.append(len(positions))
        forces = -STIFFNESS * positions
        with np.errstate(over="ignore"):
            energies = 0.5 * STIFFNESS * (positions**2).sum(axis=(1, 2)) + cells[:, 0, 1]
        virials = np.einsum("nai,naj->nij", positions, forces)
        texts = [f'{{"label": {positions[k, 0, 0]:.6f}}}' for k in range(len(positions))]
        return Results(energies, forces, virials, texts)


def in_atomic_units(positions: FloatArray, h: FloatArray) -> tuple[FloatArray, ...]:
    """Return what the harmonic engine must answer, derived here by hand: energies, forces, virials."""
    r = positions * BOHR_TO_ANGSTROM
    energy = 0.5 * STIFFNESS * (r**2).sum(axis=(1, 2)) + h[:, 1, 0] * BOHR_TO_ANGSTROM
    forces = -STIFFNESS * r / HARTREE_TO_EV * BOHR_TO_ANGSTROM
    virials = -STIFFNESS * np.einsum("nai,naj->nij", r, r) / HARTREE_TO_EV
    return energy / HARTREE_TO_EV, forces, virials


def structures(n: int, n_atoms: int = 3, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Return random positions (n, N, 3) and upper triangular cells h (n, 3, 3), bohr."""
    random = np.random.default_rng(seed)
    h = np.triu(random.normal(size=(n, 3, 3))) + 12.0 * np.eye(3)
    return random.normal(scale=3.0, size=(n, n_atoms, 3)), h


def int32(value: int) -> bytes:
    """Return an integer as it travels."""
    return np.int32(value).tobytes()


def posdata(positions: FloatArray, h: FloatArray, is_batched: bool) -> bytes:
    """Return POSDATA with all that belongs to it."""
    cells = np.stack([h, np.linalg.inv(h)], axis=1).tobytes()
    n_atoms = int32(positions.shape[1])
    head = n_atoms + cells if is_batched else cells + n_atoms
    return message("POSDATA") + head + positions.tobytes()


def init(text: str = "") -> bytes:
    """Return INIT."""
    return message("INIT") + int32(7) + int32(len(text)) + text.encode()


@dataclass(frozen=True, eq=False)
class Reply:
    """What came back for n structures."""

    energies: FloatArray
    forces: FloatArray
    virials: FloatArray
    extras: list[str]


class Peer:
    """The server's end of one connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.settimeout(DEADLINE)

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def header(self) -> str:
        return self.read(12).decode().strip()

    def status(self) -> str:
        self.send(message("STATUS"))
        return self.header()

    def greet(self, text: str = "") -> None:
        """Go through the handshake."""
        assert self.status() == "NEEDINIT"
        self.send(init(text))
        assert self.status() == "READY"

    def result(self, n: int, n_atoms: int) -> Reply:
        assert self.header() == "FORCEREADY"
        energies = np.frombuffer(self.read(8 * n))
        assert self.read(4) == int32(n_atoms)
        forces = np.frombuffer(self.read(24 * n * n_atoms)).reshape(n, n_atoms, 3)
        virials = np.frombuffer(self.read(72 * n)).reshape(n, 3, 3)
        return Reply(energies, forces, virials, self.extras(n))

    def extras(self, n: int) -> list[str]:
        sizes_and_texts = []
        for _ in range(n):
            size = int(np.frombuffer(self.read(4), np.int32)[0])
            sizes_and_texts.append(self.read(size).decode())
        return sizes_and_texts

    def ask(
        self, positions: FloatArray, h: FloatArray, is_batched: bool, is_consolidated: bool = True
    ) -> Reply:
        """Ask for a batch in the order of i-PI 3.2 and later, or in the older one."""
        data = posdata(positions, h, is_batched)
        if is_consolidated:
            self.send(data, message("GETFORCE"))
        else:
            self.send(data)
            assert self.status() == "HAVEDATA"
            self.send(message("GETFORCE"))
        reply = self.result(*positions.shape[:2])
        assert self.status() == "READY"
        return reply


@dataclass
class Outcome:
    """How a client that ran in a thread has ended."""

    ending: Ending | None = None
    error: Exception | None = None


class Server:
    """Listens, and runs a client in another thread."""

    def __init__(self, folder: Path, family: str = "unix", listens: bool = True) -> None:
        if family == "unix":
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.address: UnixAddress | InetAddress = UnixAddress("test", f"{folder}/ipi_")
        else:
            self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.listener.bind(("127.0.0.1", 0))
            self.address = InetAddress("127.0.0.1", self.listener.getsockname()[1])
        if listens:
            self.listen()

    def listen(self) -> None:
        if isinstance(self.address, UnixAddress):
            self.listener.bind(self.address.path)
        self.listener.listen(4)
        self.listener.settimeout(DEADLINE)

    def accept(self) -> Peer:
        return Peer(self.listener.accept()[0])

    @contextmanager
    def client(self, evaluator: Evaluator, **settings: object) -> Iterator[Outcome]:
        """Run a client that must have ended, by itself, after the block."""
        outcome = Outcome()
        client = Client(evaluator, ConnectionSettings(self.address, **settings))  # type: ignore[arg-type]

        def run() -> None:
            try:
                outcome.ending = client.run()
            except RunFailed as error:
                outcome.error = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield outcome
        thread.join(DEADLINE)
        assert not thread.is_alive(), "the client hangs"

    def close(self) -> None:
        self.listener.close()


def is_right(reply: Reply, positions: FloatArray, h: FloatArray) -> bool:
    """Return whether a reply is what the harmonic engine says of the structures."""
    wanted = in_atomic_units(positions, h)
    found = (reply.energies, reply.forces, reply.virials)
    return all(np.allclose(a, b, rtol=1e-13, atol=1e-15) for a, b in zip(found, wanted))
