"""``nequip-ipi-driver`` with an analytic potential in place of a model; run as a module.

Everything but the evaluator is the driver's own.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from ipi_driver.client import ConnectionSettings
from ipi_driver.driver import run
from ipi_driver.transport import Address, InetAddress, UnixAddress
from tests.ipi_driver.with_ipi.pes import SPRING, Harmonic, OfVolume, Recorded


def main() -> int:
    """Serve; returns the exit code."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.evaluator == "harmonic":
        inner = Harmonic(given.atoms, given.spring)
    else:
        inner = OfVolume(given.atoms)
    evaluator = Recorded(inner, Path(given.record), given.pause_at, given.nan_at)
    settings = ConnectionSettings(
        _address(given), given.connections, given.shm, given.retry, given.reconnect
    )
    return run(evaluator, settings)


def _address(given: argparse.Namespace) -> Address:
    if given.unix:
        return UnixAddress(given.address, given.sockets_prefix)
    return InetAddress(given.host, given.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("evaluator", choices=("harmonic", "volume"))
    parser.add_argument("--atoms", type=int, default=8)
    parser.add_argument("--spring", type=float, default=SPRING)
    parser.add_argument("--record", default="calls.txt")
    parser.add_argument("--pause-at", type=int, default=0)
    parser.add_argument("--nan-at", type=int, default=0)
    parser.add_argument("--unix", action="store_true")
    parser.add_argument("--address", default="")
    parser.add_argument("--sockets-prefix", default="/tmp/ipi_")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shm", action="store_true")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--retry", type=float, default=60.0)
    parser.add_argument("--reconnect", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
