"""The wire protocol of i-PI without a socket: bytes in, bytes out.

A header is 12 ASCII bytes, upper case, padded with blanks; integers are int32 and reals float64 in the machine's own byte
order. The server sends::

    STATUS
    INIT      rid int32, length int32, text
    POSDATA   h (9), h⁻¹ (9), N int32, positions (3 N)                     base protocol
    POSDATA   N int32, n x [h (9), h⁻¹ (9)], positions (n, 3 N)            after the token batch_size:n in the INIT text
    POSDATA   N int32, at first six names of segments (int32, text)        shared memory, see `segments`
    GETFORCE
    EXIT

and the client answers STATUS with NEEDINIT, READY or HAVEDATA, and GETFORCE with::

    FORCEREADY  energies (n), N int32, forces (n, 3 N), virials (n, 9), n x [length int32, extras]

i-PI sends GETFORCE either together with POSDATA (``consolidate_messages``, the default since 3.2) or after STATUS was
answered with HAVEDATA. Everything is in atomic units; lattice vectors are the columns of h.

Source: ipi/interfaces/sockets.py of i-PI 3.3.1 (https://github.com/i-pi/i-pi), V. Kapil et al., Comput. Phys. Commun. 236,
214 (2019), doi:10.1016/j.cpc.2018.09.020.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipi_driver.segments import KINDS, Segments
from nequip_openmm.errors import RunFailed

__all__ = ["AtomicResults", "Conversation", "Request", "message"]

FloatArray = NDArray[np.float64]
Reading = Generator[int, bytes, None]
"""Yields how many bytes it needs next and is sent just those."""

HEADER_LENGTH = 12
LONGEST_TEXT = 1 << 20
"""Bytes of an INIT text beyond which the message is damaged."""

MOST_STRUCTURES = 1 << 16
"""Batch size beyond which the INIT text is damaged."""


def message(name: str) -> bytes:
    """Return a header."""
    return name.ljust(HEADER_LENGTH).encode("ascii")


@dataclass(frozen=True, eq=False)
class Request:
    """Structures that the server wants evaluated, atomic units.

    Attributes
    ----------
    positions
        (n, N, 3) bohr, not wrapped into the cell.
    h
        (n, 3, 3) bohr, lattice vectors as columns.
    inverse_h
        (n, 3, 3) what the server says the inverse of ``h`` is; None if it has not said.
    """

    positions: FloatArray
    h: FloatArray
    inverse_h: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class AtomicResults:
    """Answer to a request, atomic units.

    Attributes
    ----------
    energies
        (n,) hartree.
    forces
        (n, N, 3) hartree/bohr.
    virials
        (n, 3, 3) -dE/dε in hartree.
    extras
        n texts: a JSON object each, or empty.
    """

    energies: FloatArray
    forces: FloatArray
    virials: FloatArray
    extras: Sequence[str]


class Conversation:
    """The client's side of one connection.

    Parameters
    ----------
    n_atoms
        Number of atoms that every structure must have.
    uses_shared_memory
        Whether the server was started with mode 'shm'; nothing on the wire says so.

    Attributes
    ----------
    request
        What is to be evaluated, or None.
    batch_size
        Structures per request; None before INIT.
    has_ended
        Whether the server has said EXIT.
    """

    def __init__(self, n_atoms: int, uses_shared_memory: bool = False) -> None:
        self.n_atoms = n_atoms
        self.request: Request | None = None
        self.batch_size: int | None = None
        self.has_ended = False
        self._segments = Segments() if uses_shared_memory else None
        self._answer: bytes | None = None
        self._owed: str | None = None  # STATUS or GETFORCE, which waits for the evaluation
        self._replies: list[bytes] = []
        self._buffer = bytearray()
        self._reading = self._read()
        self._needed = next(self._reading)

    @property
    def is_waiting(self) -> bool:
        """Whether the request should be evaluated now.

        The message after POSDATA, which every server sends without being asked, has been read by then. Were GETFORCE
        unread when this process dies, the kernel would reset the connection and i-PI 3.3 would never accept another.
        """
        return self._owed is not None

    @property
    def is_busy(self) -> bool:
        """Whether the server is within a message or waits for an answer."""
        is_within = self._needed != HEADER_LENGTH or bool(self._buffer)
        return not self.has_ended and (is_within or self.request is not None)

    def receive(self, data: bytes | memoryview) -> bytes:
        """Take what has arrived and return what is to be sent at once.

        Raises
        ------
        RunFailed
            If the messages are not those of the protocol, or the number of atoms differs.
        """
        self._buffer += data
        while len(self._buffer) >= self._needed and not (self.has_ended or self.is_waiting):
            piece = bytes(memoryview(self._buffer)[: self._needed])
            del self._buffer[: self._needed]
            self._needed = self._reading.send(piece)
        return self._take_replies()

    def answer(self, results: AtomicResults) -> bytes:
        """Take the results of the request and return what is to be sent at once."""
        self._answer = self._encode(results)
        owed, self._owed = self._owed, None
        if owed == "STATUS":
            self._reply_status()
        else:
            self._reply_forces()
        return self.receive(b"")  # what came in the meantime

    def close(self) -> None:
        """Let go of shared memory."""
        if self._segments is not None:
            self._segments.close()

    # --- what the server says -----------------------------------------------------------------------------------------

    def _read(self) -> Reading:
        readers: dict[bytes, Callable[[], Reading]] = {
            message("STATUS"): self._read_status,
            message("INIT"): self._read_init,
            message("POSDATA"): self._read_positions,
            message("GETFORCE"): self._read_getforce,
            message("EXIT"): self._read_exit,
        }
        while True:
            header = yield HEADER_LENGTH
            if header not in readers:
                raise _violation(f"the server sent {header!r}, which is no message of i-PI")
            yield from readers[header]()

    def _read_status(self) -> Reading:
        if self.request is not None and self._answer is None:
            self._owed = "STATUS"
        else:
            self._reply_status()
        yield from ()

    def _read_init(self) -> Reading:
        self._refuse_within_request("INIT")
        yield 4  # uid of the request that happens to come first: of no use
        length = _int32((yield 4))
        if not 0 <= length <= LONGEST_TEXT:
            raise _violation(f"the server announced an INIT text of {length} bytes")
        text = (yield length) if length else b""
        self.batch_size = _batch_size(text.decode("utf-8", errors="replace"))

    def _read_positions(self) -> Reading:
        self._refuse_within_request("POSDATA")
        if self.batch_size is None:
            raise _violation("the server sent POSDATA before INIT")
        if self._segments is not None:
            yield from self._read_shared(self._segments, self.batch_size)
        elif self.batch_size == 1:
            yield from self._read_single()
        else:
            yield from self._read_batch(self.batch_size)

    def _read_single(self) -> Reading:
        cells = _reals((yield 2 * 72), 1, 2, 3, 3)
        self._check_atoms(_int32((yield 4)))
        positions = _reals((yield 24 * self.n_atoms), 1, self.n_atoms, 3)
        self.request = Request(positions, cells[:, 0], cells[:, 1])

    def _read_batch(self, n: int) -> Reading:
        self._check_atoms(_int32((yield 4)))
        cells = _reals((yield n * 2 * 72), n, 2, 3, 3)
        positions = _reals((yield n * 24 * self.n_atoms), n, self.n_atoms, 3)
        self.request = Request(positions, cells[:, 0], cells[:, 1])

    def _read_shared(self, segments: Segments, n: int) -> Reading:
        self._check_atoms(_int32((yield 4)))
        if not segments.is_open:
            names = []
            for _ in KINDS:
                length = _int32((yield 4))
                if not 0 < length < 256:
                    raise _violation(f"a shared-memory name of {length} bytes; {_OTHER_MODE}")
                names.append((yield length).decode("utf-8", errors="replace"))
            segments.open(names, n, self.n_atoms)
        self.request = Request(*segments.read())

    def _read_getforce(self) -> Reading:
        if self.request is None:
            raise _violation("the server sent GETFORCE without POSDATA")
        if self._answer is None:
            self._owed = "GETFORCE"
        else:
            self._reply_forces()
        yield from ()

    def _read_exit(self) -> Reading:
        self.has_ended = True
        yield from ()

    def _check_atoms(self, n_atoms: int) -> None:
        if n_atoms != self.n_atoms:
            raise RunFailed(
                f"the server sent {n_atoms} atoms, the template has {self.n_atoms}",
                code="atom-count",
                hint=f"Give the structure of i-PI's input as --template, with its atoms in the same order; {_OTHER_MODE}.",
            )

    def _refuse_within_request(self, name: str) -> None:
        if self.request is not None:
            raise _violation(f"the server sent {name} before it had the answer to its last request")

    # --- what is said to it -------------------------------------------------------------------------------------------

    def _take_replies(self) -> bytes:
        replies, self._replies = self._replies, []
        return b"".join(replies)

    def _reply_status(self) -> None:
        if self.batch_size is None:
            state = "NEEDINIT"
        else:
            state = "READY" if self._answer is None else "HAVEDATA"
        self._replies.append(message(state))

    def _reply_forces(self) -> None:
        self._replies.append(self._answer or b"")
        self._answer = self.request = None

    def _encode(self, results: AtomicResults) -> bytes:
        texts = [text.encode("utf-8") for text in results.extras]
        extras = b"".join(np.int32(len(text)).tobytes() + text for text in texts)
        if self._segments is not None:
            self._segments.write(results.energies, results.forces, results.virials)
            return message("FORCEREADY") + extras
        parts = (results.energies, np.int32(self.n_atoms), results.forces, results.virials)
        return message("FORCEREADY") + b"".join(part.tobytes() for part in parts) + extras


_OTHER_MODE = "--shm must be given if, and only if, i-PI has <ffsocket mode='shm'>"


def _violation(what: str) -> RunFailed:
    return RunFailed(
        what,
        code="protocol",
        hint="Is the other end i-PI 2.0 or later? If so, this is a fault of the driver.",
    )


def _batch_size(text: str) -> int:
    """Return n of the token ``batch_size:n`` in an INIT text, 1 if there is none."""
    for token in text.split(","):
        key, _, value = token.partition(":")
        if key.strip() == "batch_size":
            if not (value.strip().isdecimal() and 0 < int(value) <= MOST_STRUCTURES):
                raise _violation(f"the server announced a batch size of {value.strip()!r}")
            return int(value)
    return 1


def _int32(data: bytes) -> int:
    return int(np.frombuffer(data, np.int32)[0])


def _reals(data: bytes, *shape: int) -> FloatArray:
    return np.frombuffer(data, np.float64).reshape(shape)
