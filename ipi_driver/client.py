"""The client: connects to i-PI, serves until i-PI ends or a signal comes, and never leaves i-PI hanging."""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum

from ipi_driver.channel import Channel
from ipi_driver.evaluator import Evaluator
from ipi_driver.failures import NoServer
from ipi_driver.fill import BatchFill
from ipi_driver.guard import Guard, hang_up
from ipi_driver.protocol import Conversation
from ipi_driver.rounds import answer_requests
from ipi_driver.transport import Address, Connecting, UnixAddress
from nequip_openmm.errors import UserError
from nequip_openmm.runs.signals import StopSignals

__all__ = ["Client", "ConnectionSettings", "Ending"]

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""How long a server may take to fetch its last answer once the driver was told to stop."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # s between attempts to connect
FURTHER_PAUSE = (
    0.02  # s between attempts to open one more connection, while earlier ones are served
)


class Ending(Enum):
    """Why the client has stopped, in words for the log."""

    EXIT = "i-PI has sent EXIT"
    LOST = "i-PI has closed the connection without EXIT: it has ended, was killed, or has dropped this driver"
    SIGNAL = "stopped by a signal"


@dataclass(frozen=True)
class ConnectionSettings:
    """How to reach i-PI.

    Attributes
    ----------
    address
        Where it listens.
    connections
        How many connections to open; their requests are evaluated together.
    uses_shared_memory
        Whether i-PI has mode 'shm'.
    retry
        Seconds to wait for a server that is not there.
    reconnect
        Whether to wait for another server when one has closed without EXIT.
    gather
        Seconds to wait for the requests of further connections.
    """

    address: Address
    connections: int = 1
    uses_shared_memory: bool = False
    retry: float = 60.0
    reconnect: bool = False
    gather: float = 3e-3

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise UserError(f"--connections {self.connections}: expected 1 or more")
        if not self.retry >= 0.0 or not self.gather >= 0.0:
            raise UserError("--retry and --gather are times in seconds, 0 or more")
        if self.uses_shared_memory and not isinstance(self.address, UnixAddress):
            raise UserError("--shm: shared memory goes with --unix --address, as i-PI's mode 'shm'")


class Client:
    """Serves one i-PI at a time.

    Parameters
    ----------
    evaluator
        What computes.
    settings
        How to reach i-PI.
    guard
        What holds the connections too, lest this process's death reset them.

    Attributes
    ----------
    fill
        How full the batches were.
    """

    def __init__(
        self, evaluator: Evaluator, settings: ConnectionSettings, guard: Guard | None = None
    ) -> None:
        self.evaluator = evaluator
        self.settings = settings
        self._guard = guard
        self.fill = BatchFill(settings.connections)
        self._stop = StopSignals()
        self._channels: list[Channel] = []
        self._connecting: Connecting | None = None
        self._n_opened = 0
        self._has_worked = False  # for this server
        self._buffer = bytearray(1 << 20)

    def run(self) -> Ending:
        """Connect and serve to the end.

        Raises
        ------
        NoServer
            If nobody listens within the time to retry.
        RunFailed
            If the server breaks the protocol, asks for something that makes no sense, or the evaluation fails.
        """
        with self._stop, _selector_that_signals_wake() as selector:
            pause = FIRST_PAUSE
            while True:
                n_before = self.fill.n_calls
                ending = self._serve(selector)
                log.info("%s", ending.value)
                if ending is not Ending.LOST or not self.settings.reconnect:
                    return ending
                # a server that takes connections and drops them is not asked in a rush
                is_fruitful = self.fill.n_calls > n_before
                pause = FIRST_PAUSE if is_fruitful else min(2.0 * pause, LONGEST_PAUSE)
                _drain_wake_up(selector.select(pause))

    # --- connections --------------------------------------------------------------------------------------------------

    def _serve(self, selector: selectors.BaseSelector) -> Ending:
        """Connect, serve until all connections have ended, and close what is left."""
        self._n_opened, self._has_worked = 0, False
        try:
            if not self._connect(selector):
                return Ending.SIGNAL
            return self._talk(selector)
        finally:
            self._close(selector)

    def _connect(self, selector: selectors.BaseSelector) -> bool:
        """Open the first connection; false if a signal came first."""
        address, deadline = self.settings.address, time.monotonic() + self.settings.retry
        self._connecting, pause = Connecting(address), FIRST_PAUSE
        log.info("waiting for i-PI at %s", address, extra={"state": "waiting"})
        while self._stop.received is None:
            if self._open(selector):
                log.info("connected to i-PI at %s", address, extra={"state": "connected"})
                return True
            if time.monotonic() >= deadline:
                raise _no_server(address, self._connecting.reason, self.settings.retry)
            _drain_wake_up(selector.select(min(pause, max(deadline - time.monotonic(), 0.0))))
            pause = min(1.5 * pause, LONGEST_PAUSE)
        return False

    def _open(self, selector: selectors.BaseSelector) -> bool:
        """Try to open one more connection."""
        connecting = self._connecting or Connecting(self.settings.address)
        self._connecting = connecting
        connected = connecting.attempt()
        if connected is None:
            return False
        if self._guard is not None:
            self._guard.hold(connected)
        conversation = Conversation(self.evaluator.n_atoms, self.settings.uses_shared_memory)
        channel = Channel(connected, conversation)
        self._channels.append(channel)
        selector.register(connected, selectors.EVENT_READ, channel)
        self._connecting, self._n_opened = None, self._n_opened + 1
        return True

    def _drop(self, selector: selectors.BaseSelector, channel: Channel) -> None:
        selector.unregister(channel.socket)
        channel.socket.close()
        channel.conversation.close()
        self._channels.remove(channel)

    def _close(self, selector: selectors.BaseSelector) -> None:
        if self._connecting is not None:
            self._connecting.close()
            self._connecting = None
        for channel in self._channels:
            selector.unregister(channel.socket)
            channel.conversation.close()
        hang_up(channel.socket for channel in self._channels)
        self._channels.clear()

    # --- the conversation ---------------------------------------------------------------------------------------------

    def _talk(self, selector: selectors.BaseSelector) -> Ending:
        ending, last_arrival, stop_deadline = Ending.LOST, 0.0, float("inf")
        while self._channels:
            if self._stop.received is not None:
                stop_deadline = min(stop_deadline, time.monotonic() + STOP_SECONDS)
                if self._may_stop(stop_deadline):
                    return Ending.SIGNAL
            elif self._n_opened < self.settings.connections:
                self._open(selector)
            ready = selector.select(self._patience(last_arrival, stop_deadline))
            channels = _drain_wake_up(ready)
            for channel in channels:
                channel.receive(self._buffer)
                last_arrival = time.monotonic()
            while self._answer_if_gathered(last_arrival):
                pass
            for channel in [c for c in self._channels if c.has_ended]:
                ending = Ending.EXIT if channel.conversation.has_ended else Ending.LOST
                self._drop(selector, channel)
        return ending

    def _may_stop(self, deadline: float) -> bool:
        is_busy = any(channel.conversation.is_busy for channel in self._channels)
        return not is_busy or time.monotonic() > deadline

    def _patience(self, last_arrival: float, stop_deadline: float) -> float | None:
        """Return how long to wait for messages, None for as long as it takes."""
        limits = []
        if any(channel.conversation.is_waiting for channel in self._channels):
            limits.append(last_arrival + self.settings.gather - time.monotonic())
        if self._n_opened < self.settings.connections:
            limits.append(FURTHER_PAUSE)
        if self._stop.received is not None:
            limits.append(stop_deadline - time.monotonic())
        return max(min(limits), 0.0) if limits else None

    def _answer_if_gathered(self, last_arrival: float) -> bool:
        """Evaluate once every connection has asked, or no further one does so in time; false if it is too early."""
        waiting = [c for c in self._channels if c.conversation.is_waiting and not c.has_ended]
        is_late = time.monotonic() - last_arrival >= self.settings.gather
        if not waiting or (len(waiting) < len(self._channels) and not is_late):
            return False
        requests = [c.conversation.request for c in waiting if c.conversation.request is not None]
        answers, n_structures = answer_requests(self.evaluator, requests)
        self.fill.note(n_structures, max(len(request.positions) for request in requests))
        for channel, answer in zip(waiting, answers):
            channel.send(channel.conversation.answer(answer))
        self._tell_of_work()
        return True

    def _tell_of_work(self) -> None:
        if not self._has_worked:
            self._has_worked = True
            log.info("has answered the first request", extra={"state": "computing"})
        if (text := self.fill.warning()) is not None:
            log.warning("%s", text, extra={"code": "low-fill"})


def _no_server(address: Address, reason: str, seconds: float) -> NoServer:
    return NoServer(
        f"no i-PI at {address} within {seconds:g} s ({reason})",
        code="no-server",
        hint="Start i-PI, compare address and port with its input, or wait longer with --retry. A socket file that is left "
        "of an i-PI that was killed must be removed.",
    )


@contextmanager
def _selector_that_signals_wake() -> Iterator[selectors.BaseSelector]:
    """Return a selector whose waiting ends when a signal comes."""
    with selectors.DefaultSelector() as selector:
        if threading.current_thread() is not threading.main_thread():
            yield selector
            return
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.setblocking(False)
            selector.register(ours, selectors.EVENT_READ)
            previous = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
            try:
                yield selector
            finally:
                signal.set_wakeup_fd(previous)


def _drain_wake_up(ready: list[tuple[selectors.SelectorKey, int]]) -> list[Channel]:
    """Return the channels that have something to say, and forget what woke the selector up besides."""
    for key, _ in ready:
        if key.data is None and isinstance(key.fileobj, socket.socket):
            with suppress(OSError):
                key.fileobj.recv(4096)
    return [key.data for key, _ in ready if key.data is not None]
