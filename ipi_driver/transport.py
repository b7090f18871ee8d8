"""Where the server listens, and getting through to it."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from nequip_openmm.errors import UserError

__all__ = ["Address", "Connecting", "InetAddress", "UnixAddress"]

LONGEST_PATH = 107
"""Bytes that the kernel takes for the path of a unix socket."""

SEND_SECONDS = 600.0
"""A server that reads nothing for so long is taken for dead; one that was suspended may come back before."""

KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""A machine that vanishes without a word is noticed after two minutes."""

_NOT_YET = {errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN, errno.ETIMEDOUT, errno.EHOSTUNREACH}
_NOT_YET |= {errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED}


@dataclass(frozen=True)
class UnixAddress:
    """A socket of this machine, named as i-PI does.

    Attributes
    ----------
    name
        The ``<address>`` of i-PI's input.
    prefix
        What i-PI puts before it: its option ``-S``, or ``sockets_prefix`` in the input.
    """

    name: str
    prefix: str = "/tmp/ipi_"

    def __post_init__(self) -> None:
        size = len(self.path.encode())
        if not self.name or size > LONGEST_PATH:
            raise UserError(
                f"--address: {self.path!r} has {size} bytes; the name must not be empty and the path of a socket has "
                f"at most {LONGEST_PATH}; choose a shorter --address or --sockets-prefix"
            )

    @property
    def path(self) -> str:
        """Path of the socket."""
        return self.prefix + self.name

    @property
    def target(self) -> tuple[socket.AddressFamily, str]:
        """Family and address as the operating system wants them."""
        return socket.AF_UNIX, self.path

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class InetAddress:
    """A TCP port.

    Attributes
    ----------
    host
        Name or number of the machine.
    port
        The ``<port>`` of i-PI's input.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        if not (self.host and 0 < self.port < 65536):
            raise UserError(f"--host {self.host!r} --port {self.port}: expected 1 to 65535")

    @property
    def target(self) -> tuple[socket.AddressFamily, tuple[str, int]]:
        """Family and address as the operating system wants them.

        Raises
        ------
        UserError
            If there is no machine of that name.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:  # the name service is down for a moment
                raise OSError(errno.EHOSTUNREACH, str(error)) from error
            raise UserError(f"--host {self.host}: no such machine ({error.strerror})") from error
        family, *_, address = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)[0]
        return family, address  # type: ignore[return-value]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Address = UnixAddress | InetAddress


class Connecting:
    """One attempt to connect, which never blocks.

    i-PI takes new connections while it waits for the answers of earlier ones, so whoever opens several must go on talking
    in the meantime.

    Attributes
    ----------
    reason
        Why the last attempt came to nothing.
    """

    def __init__(self, address: Address) -> None:
        self.reason = "nothing listens there"
        self._address = address
        self._socket: socket.socket | None = None

    def attempt(self) -> socket.socket | None:
        """Return the connected socket, or None if it is too early.

        Raises
        ------
        UserError
            If trying again is of no use, as without permission.
        """
        try:
            code = self._connect()
        except OSError as error:
            code = error.errno or errno.EIO
        if code in (errno.EINPROGRESS, errno.EALREADY):
            return None
        connected, self._socket = self._socket, None
        if code in (0, errno.EISCONN) and connected is not None:
            return _prepared(connected)
        if connected is not None:
            connected.close()
        self.reason = os.strerror(code)
        if code not in _NOT_YET:
            raise UserError(f"cannot connect to {self._address}: {self.reason}")
        return None

    def close(self) -> None:
        """Give up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> int:
        family, target = self._address.target
        if self._socket is None:
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
        return self._socket.connect_ex(target)


def _prepared(connected: socket.socket) -> socket.socket:
    connected.settimeout(SEND_SECONDS)
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connected
