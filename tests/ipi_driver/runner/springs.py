"""A driver that starts at once: springs between all atoms instead of a network, and faults on request.

Run as a child of the runner in the place of ``ipi_driver.runner.client``. ``SPRINGS_FAULT`` names a fault and the evaluation
at which it comes, such as ``die:20``; with ``SPRINGS_ONCE``, the path of a file that it leaves, only the first process has it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
from numpy.typing import NDArray

from ipi_driver.client import ConnectionSettings
from ipi_driver.driver import run
from ipi_driver.evaluator import Results
from ipi_driver.runner.link import Link, LogReports
from ipi_driver.transport import InetAddress, UnixAddress

STIFFNESS = 20.0  # eV/Å²
RESTING = 1.02  # lengths at rest, relative to those of the start


class Springs:
    def __init__(self, template: Path) -> None:
        self.rest = RESTING * ase.io.read(template).get_all_distances()
        self.n_atoms = len(self.rest)
        self.calls = 0
        fault, _, at = os.environ.get("SPRINGS_FAULT", ":0").partition(":")
        once = os.environ.get("SPRINGS_ONCE")
        self.fault = "" if once and Path(once).exists() else fault
        self.at = int(at)
        if once:
            Path(once).touch()

    def evaluate(self, positions: NDArray[np.float64], cells: NDArray[np.float64]) -> Results:
        self.calls += 1
        if self.fault and self.calls >= self.at:
            positions = self._misbehave(positions)
        vectors = positions[:, :, None] - positions[:, None]  # (n, N, N, 3)
        distances = np.linalg.norm(vectors, axis=-1)
        stretch = np.where(self.rest > 0, distances - self.rest, 0.0)
        pull = STIFFNESS * stretch / np.where(distances > 0, distances, 1.0)
        energies = 0.25 * STIFFNESS * (stretch**2).sum(axis=(1, 2))
        forces = -(pull[..., None] * vectors).sum(axis=2)
        virials = -0.5 * np.einsum("nij,nijx,nijy->nxy", pull, vectors, vectors)
        return Results(energies, forces, virials, [""] * len(positions))

    def _misbehave(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.fault == "slow":
            time.sleep(0.05)
        elif self.fault == "nan":
            return positions * np.nan
        elif self.fault == "hot":
            return positions * 1.5
        return positions


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    descriptor, folder, *arguments = sys.argv[1:]
    os.chdir(folder)
    logging.getLogger("ipi_driver").addHandler(LogReports(Link(int(descriptor))))
    options = dict(zip(arguments, [*arguments[1:], ""]))
    address = (
        UnixAddress(options["--address"], "/tmp/ipi_")
        if "--unix" in options
        else InetAddress(options["--host"], int(options["--port"]))
    )
    settings = ConnectionSettings(address, retry=60.0)
    sys.exit(run(Springs(Path(options["--template"])), settings, Path(options["--error-file"])))


if __name__ == "__main__":
    main()
