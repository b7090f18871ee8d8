"""The guard: a small process that shares the driver's connections, so that the driver's death never resets one.

When a process is killed while something it was sent lies unread, the kernel resets its connections, and i-PI 3.3, whose polling
thread does not survive that, waits for ever. A connection that another process holds too stays open instead. The guard holds
them, does nothing while the driver lives, and hangs up in order once it is gone, however it ended: i-PI then gives the
structures to another driver. No data passes through it, so it costs no time.

It runs as a script of its own, which imports nothing but the standard library: small enough for the kernel to look elsewhere
when memory runs out, and started before the first connection is there.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["Guard", "hang_up"]

PATIENCE_S = 60.0
"""How long the guard waits for a server to close; i-PI looks at its drivers only when it has something to ask."""

FAREWELL_S = 1.0
"""How long the driver does, which answers nothing any more."""


class Guard:
    """The driver's end: a context within which connections may be handed to the guard."""

    def __enter__(self) -> Guard:
        self._link, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-IS", __file__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # Ctrl-C is not meant for it
            )
        return self

    def hold(self, connected: socket.socket) -> None:
        """Share a connection. Until the guard is up the kernel keeps it."""
        with suppress(BrokenPipeError):  # it was killed; the driver can do without
            socket.send_fds(self._link, [b"+"], [connected.fileno()])

    def __exit__(self, *_: object) -> None:
        self._link.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(FAREWELL_S)


def hang_up(connected: Iterable[socket.socket], seconds: float = FAREWELL_S) -> None:
    """Close so that the server sees an ordinary end of the stream.

    The end is announced, and what is still on its way is read until the server closes, or for some seconds in all.
    """
    sockets = list(connected)
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + seconds
    for one in sockets:
        with suppress(OSError):
            one.settimeout(max(deadline - time.monotonic(), 1e-3))
            while one.recv(1 << 16):
                pass
        one.close()


def _main() -> None:
    """Run ``guard.py DESCRIPTOR``: hold what comes until the driver is gone."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a whole job may be sent these; the driver is to act
    link = socket.socket(fileno=int(sys.argv[1]))
    held: list[socket.socket] = []
    is_there = True
    while is_there:
        data, descriptors, _, _ = socket.recv_fds(link, 1, 1)
        held += [socket.socket(fileno=descriptor) for descriptor in descriptors]
        is_there = bool(data)
    hang_up(held, PATIENCE_S)


if __name__ == "__main__":
    _main()
