"""The client against a server that speaks as i-PI does: all modes, both orders of messages, many connections."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import numpy as np
import pytest

from ipi_driver.client import Client, ConnectionSettings, Ending
from ipi_driver.evaluator import Results
from ipi_driver.failures import NoServer
from ipi_driver.protocol import message
from ipi_driver.transport import InetAddress, UnixAddress
from nequip_openmm.errors import RunFailed, UserError
from tests.ipi_driver.fake import (
    DEADLINE,
    Harmonic,
    Server,
    in_atomic_units,
    init,
    int32,
    is_right,
    posdata,
    structures,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("is_consolidated", [True, False])
@pytest.mark.parametrize("family", ["unix", "inet"])
def test_one_structure_at_a_time(tmp_path: Path, family: str, is_consolidated: bool) -> None:
    server, engine = Server(tmp_path, family), Harmonic()
    with server.client(engine) as outcome:
        peer = server.accept()
        peer.greet("some parameters")
        for k in range(5):
            positions, h = structures(1, seed=k)
            reply = peer.ask(positions, h, False, is_consolidated)
            assert is_right(reply, positions, h)
            assert json.loads(reply.extras[0]).keys() == {"label"}
        peer.send(message("EXIT"))
    assert outcome.ending is Ending.EXIT
    assert engine.sizes == [1] * 5
    server.close()


@pytest.mark.parametrize("family", ["unix", "inet"])
def test_a_batch_is_one_evaluation(tmp_path: Path, family: str) -> None:
    server, engine = Server(tmp_path, family), Harmonic()
    with server.client(engine) as outcome:
        peer = server.accept()
        peer.greet("a:b, batch_size:8")
        for k in range(5):
            positions, h = structures(8, seed=k)
            reply = peer.ask(positions, h, True)
            assert is_right(reply, positions, h)
        peer.send(message("EXIT"))
    assert outcome.ending is Ending.EXIT
    assert engine.sizes == [8] * 5
    server.close()


@pytest.mark.parametrize("n_real", [1, 2, 5, 7, 8])
def test_padding_is_answered_but_not_computed(server: Server, n_real: int) -> None:
    engine = Harmonic()
    with server.client(engine):
        peer = server.accept()
        peer.greet("batch_size:8")
        positions, h = structures(8)
        positions[n_real:], h[n_real:] = positions[n_real - 1], h[n_real - 1]
        reply = peer.ask(positions, h, True)
        assert is_right(reply, positions, h)
        assert len(set(reply.extras)) == n_real
        peer.send(message("EXIT"))
    assert engine.sizes == [n_real]


def test_structures_in_different_cells_are_not_padding(server: Server) -> None:
    engine = Harmonic()
    with server.client(engine):
        peer = server.accept()
        peer.greet("batch_size:4")
        positions, h = structures(4)
        positions[:] = positions[0]
        assert is_right(peer.ask(positions, h, True), positions, h)
        peer.send(message("EXIT"))
    assert engine.sizes == [4]


@pytest.mark.parametrize("is_consolidated", [True, False])
@pytest.mark.parametrize("n", [1, 4])
def test_shared_memory(server: Server, n: int, is_consolidated: bool) -> None:
    engine, n_atoms = Harmonic(), 3
    sizes = {"pos": 3 * n_atoms, "h": 9, "ih": 9, "pot": 1, "force": 3 * n_atoms, "vir": 9}
    memory = {
        kind: shared_memory.SharedMemory(create=True, size=8 * n * size)
        for kind, size in sizes.items()
    }
    views = {kind: np.ndarray((n, size), buffer=memory[kind].buf) for kind, size in sizes.items()}
    names = b"".join(int32(len(m.name)) + m.name.encode() for m in memory.values())
    with server.client(engine, uses_shared_memory=True) as outcome:
        peer = server.accept()
        peer.greet(f"batch_size:{n}" if n > 1 else "")
        for k in range(3):
            positions, h = structures(n, seed=k)
            views["pos"][:] = positions.reshape(n, -1)
            views["h"][:], views["ih"][:] = h.reshape(n, 9), np.linalg.inv(h).reshape(n, 9)
            peer.send(message("POSDATA"), int32(n_atoms), b"" if k else names)
            if not is_consolidated:
                assert peer.status() == "HAVEDATA"
            peer.send(message("GETFORCE"))
            assert peer.header() == "FORCEREADY"
            assert len(peer.extras(n)) == n
            found = views["pot"][:, 0], views["force"].reshape(n, n_atoms, 3)
            energies, forces, virials = in_atomic_units(positions, h)
            np.testing.assert_allclose(found[0], energies, rtol=1e-13)
            np.testing.assert_allclose(found[1], forces, rtol=1e-13)
            np.testing.assert_allclose(views["vir"].reshape(n, 3, 3), virials, rtol=1e-13)
            assert peer.status() == "READY"
        peer.send(message("EXIT"))
    assert outcome.ending is Ending.EXIT
    views.clear()
    del found
    for segment in memory.values():  # it is still the server's to remove
        segment.close()
        if sys.version_info < (3, 13):  # where server and client are one process
            resource_tracker.register(f"/{segment.name}", "shared_memory")
        segment.unlink()


def test_many_connections_are_one_evaluation(server: Server) -> None:
    """A server with room for four waiting connections that accepts only in between, as i-PI does."""
    engine = Harmonic()
    with server.client(engine, connections=12, gather=0.5) as outcome:
        peers = []
        for _ in range(12):
            peers.append(server.accept())
            peers[-1].greet()
        for k in range(3):
            positions, h = structures(12, seed=k)
            for j, peer in enumerate(peers):
                peer.send(posdata(positions[j : j + 1], h[j : j + 1], False), message("GETFORCE"))
            for j, peer in enumerate(peers):
                assert is_right(peer.result(1, 3), positions[j : j + 1], h[j : j + 1])
        for peer in peers:
            peer.send(message("EXIT"))
    assert outcome.ending is Ending.EXIT
    assert engine.sizes == [12] * 3


def test_a_connection_that_does_not_ask_delays_the_others_only_shortly(server: Server) -> None:
    engine = Harmonic()
    with server.client(engine, connections=3, gather=0.01):
        peers = [server.accept() for _ in range(3)]
        for peer in peers:
            peer.greet()
        positions, h = structures(1)
        for peer in peers[:2]:
            peer.send(posdata(positions, h, False), message("GETFORCE"))
        for peer in peers[:2]:
            assert is_right(peer.result(1, 3), positions, h)
        for peer in peers:
            peer.socket.close()
    assert engine.sizes == [2]


def test_the_request_for_forces_is_read_before_they_are_computed(server: Server) -> None:
    """Were it unread, the death of the driver would reset the connection and i-PI would hang."""
    server_may_go_on: list[bytes] = []

    class Slow(Harmonic):
        def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
            server_may_go_on.append(b"")
            return super().evaluate(positions, cells)

    with server.client(Slow()):
        peer = server.accept()
        peer.greet()
        positions, h = structures(1)
        peer.send(posdata(positions, h, False))
        time.sleep(0.2)
        assert not server_may_go_on  # STATUS or GETFORCE must come first
        peer.send(message("GETFORCE"))
        assert is_right(peer.result(1, 3), positions, h)
        peer.socket.close()


def test_messages_may_arrive_in_any_pieces(server: Server) -> None:
    positions, h = structures(2)
    data = posdata(positions, h, True) + message("GETFORCE")
    with server.client(Harmonic()):
        peer = server.accept()
        peer.greet("batch_size:2")
        for size in (1, 7, 13, 100):
            for k in range(0, len(data), size):
                peer.send(data[k : k + size])
            assert is_right(peer.result(2, 3), positions, h)
        peer.send(message("EXIT"))


def test_the_end_of_the_stream_ends_the_client(server: Server) -> None:
    with server.client(Harmonic()) as outcome:
        peer = server.accept()
        peer.greet()
        peer.socket.close()
    assert outcome.ending is Ending.LOST


def test_a_server_that_dies_within_a_message_ends_the_client(server: Server) -> None:
    with server.client(Harmonic()) as outcome:
        peer = server.accept()
        peer.greet()
        peer.send(posdata(*structures(1), False)[:100])
        peer.socket.close()
    assert outcome.ending is Ending.LOST


def test_reconnecting(server: Server) -> None:
    with server.client(Harmonic(), reconnect=True) as outcome:
        for _ in range(3):
            peer = server.accept()
            peer.greet()
            peer.socket.close()
        server.accept().send(message("EXIT"))
    assert outcome.ending is Ending.EXIT


def test_waiting_for_a_server_that_comes_later(tmp_path: Path) -> None:
    server = Server(tmp_path, listens=False)
    with server.client(Harmonic(), retry=DEADLINE) as outcome:
        time.sleep(0.3)
        server.listen()
        peer = server.accept()
        peer.greet()
        peer.send(message("EXIT"))
    assert outcome.ending is Ending.EXIT


@pytest.mark.parametrize("family", ["unix", "inet"])
def test_no_server_within_the_deadline(tmp_path: Path, family: str) -> None:
    server = Server(tmp_path, family)
    server.close()  # the unix socket's file stays, as after kill -9
    start = time.monotonic()
    with pytest.raises(NoServer, match="no i-PI at") as error:
        Client(Harmonic(), ConnectionSettings(server.address, retry=0.3)).run()
    assert time.monotonic() - start >= 0.3
    assert error.value.exit_code == 4
    assert "refused" in str(error.value)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"HELLO WORLD!"], "protocol"),
        ([message("GETFORCE")], "protocol"),
        ([posdata(*structures(1), False)], "protocol"),
        ([init(), posdata(*structures(1, 4), False)], "atom-count"),
        ([init("batch_size:2"), posdata(*structures(2, 2), True)], "atom-count"),
        ([init(), posdata(*structures(2), True)], "atom-count"),  # batched, but not announced
        ([init("batch_size:0")], "protocol"),
        ([init("batch_size:x")], "protocol"),
        ([init("batch_size:99999999")], "protocol"),
        ([message("INIT"), int32(0), int32(-1)], "protocol"),
        ([message("INIT"), int32(0), int32(2**31 - 1)], "protocol"),
        ([init(), posdata(*structures(1), False), message("STATUS"), init()], "protocol"),
        ([init(), posdata(*structures(1), False), posdata(*structures(1), False)], "protocol"),
    ],
)
def test_what_is_not_the_protocol_is_refused(
    server: Server, messages: list[bytes], code: str
) -> None:
    with server.client(Harmonic()) as outcome:
        peer = server.accept()
        peer.send(*messages)
        with pytest.raises(EOFError):  # at once: it does not wait for bytes that were announced
            peer.read(1000)
        peer.socket.close()
    assert isinstance(outcome.error, RunFailed)
    assert outcome.error.code == code
    assert outcome.error.exit_code == 3


@pytest.mark.parametrize("what", ["positions", "cell", "inverse"])
def test_numbers_that_make_no_sense_are_refused(server: Server, what: str) -> None:
    positions, h = structures(1)
    data = bytearray(posdata(positions, h, False))
    at = {"cell": 12, "inverse": 12 + 72, "positions": 12 + 144 + 4}[what]
    data[at : at + 8] = np.float64(np.nan).tobytes()
    engine = Harmonic()
    with server.client(engine) as outcome:
        peer = server.accept()
        peer.greet()
        peer.send(bytes(data), message("GETFORCE"))
        with pytest.raises(EOFError):  # an ordinary end, and no answer
            peer.header()
        peer.socket.close()
    assert isinstance(outcome.error, RunFailed)
    assert outcome.error.code == ("positions" if what == "positions" else "cell")
    assert engine.sizes == []


class Failing(Harmonic):
    """Fails as told."""

    failure: Exception | str = ""

    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        found = super().evaluate(positions, cells)
        if isinstance(self.failure, Exception):
            raise self.failure
        getattr(found, self.failure)[-1:] = np.inf
        return found


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        ("energies", "non-finite"),
        ("forces", "non-finite"),
        ("virials", "non-finite"),
        (UserError("atoms overlap"), "structure"),
        (RunFailed("gone", code="mine"), "mine"),
        (MemoryError("out of memory"), "evaluation"),
        (RuntimeError("CUDA\nerror"), "evaluation"),
    ],
)
def test_a_failed_evaluation_is_never_sent(
    server: Server, failure: Exception | str, code: str
) -> None:
    engine = Failing()
    engine.failure = failure
    with server.client(engine) as outcome:
        peer = server.accept()
        peer.greet("batch_size:2")
        peer.send(posdata(*structures(2), True), message("GETFORCE"))
        with pytest.raises(EOFError):
            peer.header()
        peer.socket.close()
    assert isinstance(outcome.error, RunFailed)
    assert (outcome.error.code, outcome.error.exit_code) == (code, 3)
    assert "\n" not in str(outcome.error)


@pytest.mark.parametrize("name", ["", "x" * 110])
def test_addresses_that_cannot_be(name: str) -> None:
    with pytest.raises(UserError, match="--address"):
        UnixAddress(name)


def test_ports_and_hosts_that_cannot_be() -> None:
    for port in (0, -1, 65536):
        with pytest.raises(UserError, match="1 to 65535"):
            InetAddress("localhost", port)
    settings = ConnectionSettings(InetAddress("no-such-host.invalid", 31415), retry=0.2)
    with pytest.raises((UserError, NoServer), match="no-such-host"):
        Client(Harmonic(), settings).run()
    with pytest.raises(UserError, match="--shm"):
        ConnectionSettings(InetAddress("localhost", 1), uses_shared_memory=True)
    with pytest.raises(UserError, match="--connections"):
        ConnectionSettings(UnixAddress("a"), connections=0)
