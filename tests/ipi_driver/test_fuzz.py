"""Ten thousand messages, random, out of order or damaged, besides those that are in order: the client never hangs, never fails in a way of its own, never answers wrongly."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from ipi_driver.client import Client, ConnectionSettings
from ipi_driver.protocol import AtomicResults, Request, message
from ipi_driver.rounds import answer_requests
from ipi_driver.transport import Connecting, UnixAddress
from nequip_openmm.errors import RunFailed
from tests.ipi_driver.fake import Harmonic, in_atomic_units, init, posdata, structures

N_ATOMS = 2
Random = np.random.Generator


def _conversation(random: Random) -> list[bytes]:
    """Return what a server says in a run of a few steps, either protocol, either order of messages."""
    n = int(random.choice([1, 1, 2, 3]))
    said = [message("STATUS"), init(f"batch_size:{n}" if n > 1 else "x"), message("STATUS")]
    for step in range(int(random.integers(1, 4))):
        positions, h = structures(n, N_ATOMS, seed=step)
        between = [message("STATUS")] * int(random.integers(0, 2))
        said += [posdata(positions, h, n > 1), *between, message("GETFORCE"), message("STATUS")]
    return [*said, message("EXIT")]


def _flip(data: bytearray, random: Random) -> None:
    for k in random.integers(0, len(data), size=random.integers(1, 4)):
        data[k] ^= 1 << int(random.integers(0, 8))


def _cut(data: bytearray, random: Random) -> None:
    first = int(random.integers(0, len(data)))
    del data[first : first + int(random.integers(1, 40))]


def _insert(data: bytearray, random: Random) -> None:
    at = int(random.integers(0, len(data)))
    data[at:at] = random.bytes(int(random.integers(1, 40)))


def _replace(data: bytearray, random: Random) -> None:
    at = int(random.integers(0, len(data)))
    extreme = [-1, 0, 2**31 - 1, -(2**31), N_ATOMS + 1]
    data[at : at + 4] = np.int32(random.choice(extreme)).tobytes()


def _truncate(data: bytearray, random: Random) -> None:
    del data[int(random.integers(0, len(data))) :]


DAMAGES: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip,
    _cut,
    _insert,
    _replace,
    _truncate,
)


def _damaged(random: Random) -> tuple[bytes, int]:
    """Return a stream of messages that are random, in another order, repeated, missing, or changed in bytes, and how many are."""
    kind = random.integers(0, 8)
    if kind == 0:
        return random.bytes(int(random.integers(1, 500))), 1
    said = _conversation(random)
    if kind == 1:
        random.shuffle(said)  # type: ignore[arg-type]
    elif kind == 2:
        said = [said[k] for k in random.integers(0, len(said), size=len(said))]
    data = bytearray(b"".join(said))
    if kind <= 2:
        return bytes(data), len(said)
    random.choice(np.array(DAMAGES, dtype=object))(data, random)
    return bytes(data), 1


def _read_all(ours: socket.socket) -> bytes:
    ours.settimeout(0.0)
    said = b""
    while True:
        try:
            piece = ours.recv(1 << 16)
        except BlockingIOError:
            return said
        if not piece:
            return said
        said += piece


def _serve(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, RunFailed | None]:
    """Run a client on a server that has said all it says before it listens, and has closed its end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(60.0)
    monkeypatch.setattr(Connecting, "attempt", lambda self: theirs)
    client = Client(Harmonic(N_ATOMS), ConnectionSettings(UnixAddress("fuzz")))
    ours.sendall(stream)
    ours.shutdown(socket.SHUT_WR)
    failure = None
    with ours:
        try:
            client.run()
        except RunFailed as error:
            failure = error
        return _read_all(ours), failure


def _checked(stream: bytes) -> Callable[..., tuple[list[AtomicResults], int]]:
    """Return `answer_requests` that also holds request against stream, and answer against request."""

    def answer(engine: Harmonic, requests: Sequence[Request]) -> tuple[list[AtomicResults], int]:
        answers, n_structures = answer_requests(engine, requests)
        for request, found in zip(requests, answers):
            assert request.positions.tobytes() in stream
            assert all(h.tobytes() in stream for h in request.h)
            energies, forces, virials = in_atomic_units(request.positions, request.h)
            np.testing.assert_allclose(found.energies, energies, rtol=1e-12, atol=1e-300)
            np.testing.assert_allclose(found.forces, forces, rtol=1e-12, atol=1e-300)
            np.testing.assert_allclose(found.virials, virials, rtol=1e-12, atol=1e-300)
        return answers, n_structures

    return answer


def test_damaged_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    n_messages = n_refused = n_answered = 0
    while n_messages < 10_000:
        stream, n_damaged = _damaged(random)
        n_messages += n_damaged
        monkeypatch.setattr("ipi_driver.client.answer_requests", _checked(stream))
        said, failure = _serve(stream, monkeypatch)
        n_answers = said.count(message("FORCEREADY"))
        assert n_answers <= stream.count(message("GETFORCE"))
        n_answered += n_answers
        n_refused += failure is not None
        if failure is not None:
            assert failure.code in {"protocol", "atom-count", "cell", "positions", "non-finite"}
            assert "\n" not in str(failure)
    assert n_refused > 500
    assert n_answered > 500


def test_an_answer_is_that_to_the_structure_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single bytes of one request are changed: what comes back is a refusal or the answer to what was sent."""
    random = np.random.default_rng(6)
    positions, h = structures(1, N_ATOMS)
    request = posdata(positions, h, False)
    start = init() + message("STATUS")
    first = len(request) - positions.nbytes
    n_right = 0
    for k in range(first, len(request)):
        damaged = bytearray(request)
        damaged[k] ^= 1 << int(random.integers(0, 8))
        sent = np.frombuffer(damaged, offset=first).reshape(positions.shape)
        stream = start + bytes(damaged) + message("GETFORCE") + message("EXIT")
        said, failure = _serve(stream, monkeypatch)
        if failure is not None:
            assert failure.code in {"positions", "non-finite"}
            continue
        answer = said[said.index(message("FORCEREADY")) + 12 :]
        energies, forces, virials = in_atomic_units(sent, h)
        values = np.frombuffer(answer[:8] + answer[12 : 12 + 8 * (forces.size + 9)])
        wanted = np.concatenate([energies, forces.ravel(), virials.ravel()])
        np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-300)
        n_right += 1
    assert n_right > positions.nbytes // 2
