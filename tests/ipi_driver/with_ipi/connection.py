"""Ways to connect i-PI and a client: what both sides must be told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.ipi_driver.with_ipi.inputs import ffsocket
from tests.ipi_driver.with_ipi.processes import free_port


@dataclass(frozen=True)
class Connection:
    """How a client is reached: the socket file lies in the folder of the run."""

    mode: str = "unix"
    batch_size: int = 1
    consolidate: bool = True
    connections: int = 1
    extra: str = ""
    prefix: str = ""
    port: int = 0

    def at(self, prefix: str) -> Connection:
        """Return the same at a place that nobody else uses."""
        return replace(self, prefix=prefix, port=free_port() if self.mode == "inet" else 0)

    @property
    def address(self) -> str:
        return "127.0.0.1" if self.mode == "inet" else "engine"

    def forcefield(self) -> str:
        """Return the server's side."""
        return ffsocket(
            self.address, self.mode, self.port, self.batch_size, self.consolidate, extra=self.extra
        )

    def arguments(self) -> list[str]:
        """Return the client's side, as options of ``nequip-ipi-driver``."""
        if self.mode == "inet":
            where = ["--host", self.address, "--port", str(self.port)]
        else:
            where = ["--unix", "--address", self.address, "--sockets-prefix", self.prefix]
        if self.mode == "shm":
            where.append("--shm")
        if self.connections > 1:
            where += ["--connections", str(self.connections)]
        return where
