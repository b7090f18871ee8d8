"""Time of a path-integral step in i-PI: what comes on top of the evaluator, and our driver beside i-PI's stock driver.

First table: 32 beads of 64 atoms in a harmonic potential, which costs next to nothing; i-PI's time per step less the time
within the evaluator, for every way to it, the least of several turns. Second table: the same numbers of beads and atoms (H₂O₂)
with a NequIP model, our driver in batches against i-PI's own driver with an ASE calculator, the official nequip package
compiled to TorchScript, with the same weights; both on one thread, in single precision.

Needs i-PI and nequip (``pip install nequip-openmm[ipi,dev]``); run from the root of the repository:

    python -m benchmarks.ipi_step [--steps 300] [--turns 3] [--models Q P] [--device cpu]
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ase
import ase.build
import ase.io
import numpy as np
import torch

from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from tests.ipi_driver.with_ipi import custom_pes
from tests.ipi_driver.with_ipi.connection import Connection
from tests.ipi_driver.with_ipi.inputs import (
    Simulation,
    ffdirect,
    hydrogens,
    start_file,
    thermostat,
)
from tests.ipi_driver.with_ipi.pes import SPRING
from tests.ipi_driver.with_ipi.processes import Process, Processes
from tests.ipi_driver.with_ipi.run import Run
from tests.peers.nequip_peer import official_model, twin

BEADS, ATOMS = 32, 64
PACE = 100  # steps between two times that i-PI prints
SIMULATION = Simulation(
    motion=thermostat("pile_g", "<tau units='femtosecond'>100</tau>", splitting="baoab"),
    beads=BEADS,
    columns=("step", "potential"),
    stride=PACE,
    trajectories=(),
    safe_stride=10**6,
)
DIRECT = ffdirect("custom", f"{{n_atoms: {ATOMS}}}", Path(custom_pes.__file__), BEADS)
OURS = {
    "unix, batched": Connection(batch_size=BEADS),
    "inet, batched": Connection("inet", batch_size=BEADS),
    "shared memory, batched": Connection("shm", batch_size=BEADS),
    "unix, 32 connections": Connection(connections=BEADS),
    "unix, bead by bead": Connection(),
}
STOCK = {
    "stock driver, unix, batched": Connection(batch_size=BEADS),
    "stock driver, unix, bead by bead": Connection(),
}
COMMON: dict[str, Any] = {
    "species": ("H", "C", "O"),
    "cutoff": 5.0,
    "num_features": 32,
    "radial_mlp_depth": 2,
    "radial_mlp_width": 64,
    "avg_num_neighbors": 50.0,
    "per_type_energy_scales": 0.01,  # weights are random: a weak force keeps the run quiet
}
MODELS: dict[str, dict[str, Any]] = {
    "Q": {"l_max": 1, "parity": False, "num_layers": 3},
    "P": {"l_max": 2, "parity": True, "num_layers": 4},
}


# --- what comes on top of the evaluator -----------------------------------------------------------------------------------


def overheads(steps: int, turns: int) -> dict[str, tuple[float, float]]:
    """Return, for every way, the least time per step and the time within the evaluator, in ms."""
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "in process (ffdirect)": partial(_harmonic, steps, DIRECT)
    }
    for name, way in OURS.items():
        ways[name] = partial(_harmonic, steps, way)
    for name, way in STOCK.items():
        ways[name] = partial(_harmonic, steps, way, is_stock=True)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(turns):  # in turns, so that a busy machine disturbs all alike
        for name, measure in ways.items():
            found[name].append(measure())
    return {name: min(times) for name, times in found.items()}


def _harmonic(steps: int, way: str | Connection, *, is_stock: bool = False) -> tuple[float, float]:
    with _new_run() as run:
        run.write(replace(SIMULATION, steps=steps), way, hydrogens(ATOMS))
        run.edit("verbosity='low'", "verbosity='medium'")
        server = run.serve()
        if is_stock:
            _stock_driver(run, server, "-m", "harmonic", "-o", str(SPRING))
        elif isinstance(way, Connection):
            run.client("harmonic", "--atoms", str(ATOMS))
        run.finish()
        per_step = 1e3 * min(_step_times(server)[1:])
        return per_step, 0.0 if is_stock else _evaluator_time(run, steps)


def _evaluator_time(run: Run, steps: int) -> float:
    """Return the time within the evaluator per step, in ms."""
    times = [float(line.split()[2]) for line in (run.folder / "calls.txt").read_text().splitlines()]
    return 1e3 * (sum(times[1::2]) - sum(times[0::2])) / steps


# --- with a model ---------------------------------------------------------------------------------------------------------


def with_model(name: str, device: str, steps: int, peer_steps: int) -> str:
    """Return a line of the second table."""
    with tempfile.TemporaryDirectory(prefix="ipi-") as folder:
        ours, theirs = _write_models(ModelConfig(**COMMON, **MODELS[name]), Path(folder))
        options = ("--model", str(ours), "--template", start_file(0), "--device", device)
        mine, energy = _model_run(steps, lambda run, _: run.driver(*options), batch_size=BEADS)
        template = Path(folder) / "template.xyz"
        ase.io.write(template, peroxide(), format="extxyz")  # which says that it is periodic
        parameters = f"template={template},model={theirs}"
        pes = str(Path(__file__).with_name("ipi_peer.py"))
        stock = ("-m", "custom", "-P", pes, "-o", parameters)
        peer, energy_of_peer = _model_run(
            peer_steps, lambda run, server: _stock_driver(run, server, *stock)
        )
    deviation = abs(energy / energy_of_peer - 1.0)
    return f"{name:6s} {mine:12.1f} {peer:14.1f} {peer / mine:9.1f} {deviation:16.1e}"


def _write_models(config: ModelConfig, folder: Path) -> tuple[Path, Path]:
    """Write the same weights as our file and as the official package's compiled one."""
    from nequip.model.inference_models.torchscript import save_torchscript_model

    official = official_model(config, "float32")
    ours, theirs = folder / "model.safetensors", folder / "model.nequip.pth"
    save_model(ours, twin(config, official, torch.float32), {})
    save_torchscript_model(official, {**official.metadata, "allow_tf32": "0"}, str(theirs), "cpu")
    return ours, theirs


def _model_run(
    steps: int, start_driver: Callable[[Run, Process], Process], batch_size: int = 1
) -> tuple[float, float]:
    """Return the median time per step in ms, the first three left out, and the first potential energy."""
    with _new_run() as run:
        connection = Connection(batch_size=batch_size)
        run.write(replace(SIMULATION, steps=steps, stride=1), connection, peroxide())
        run.edit("verbosity='low'", "verbosity='high'")  # i-PI prints the time of every step
        server = run.serve()
        driver = start_driver(run, server)
        server.wait(3600.0)
        run.finish_with(server, driver)
        return 1e3 * float(np.median(_step_times(server)[3:])), float(run.table()["potential"][0])


def peroxide() -> ase.Atoms:
    """Return 16 molecules of H₂O₂ at about the density of the liquid."""
    molecule = ase.build.molecule("H2O2", vacuum=0.0)
    molecule.set_cell([3.4, 3.4, 3.4])
    molecule.pbc = True
    box = molecule.repeat((2, 2, 4))
    box.rattle(0.05, seed=1)
    return box


# --- i-PI -----------------------------------------------------------------------------------------------------------------


def _stock_driver(run: Run, server: Process, *options: str) -> Process:
    server.says("Starting the polling thread")  # this driver does not wait for a server
    where = ("-u", "-a", run.connection.address, "-S", f"{run.folder}/")
    return run.command("i-pi-driver-py", *where, *options)


def _step_times(server: Process) -> list[float]:
    """Return the times per step in s that i-PI has printed."""
    return [float(found) for found in re.findall(r"t/step: (\S+)", server.text())]


@contextmanager
def _new_run() -> Iterator[Run]:
    """Return a run in a folder that vanishes, with all its processes."""
    processes = Processes()
    with tempfile.TemporaryDirectory(prefix="ipi-") as folder:
        try:
            yield Run(processes, Path(folder))
        finally:
            processes.end()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=300, help="of the first table")
    parser.add_argument("--turns", type=int, default=3, help="of the first table")
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=["Q"])
    parser.add_argument(
        "--model-steps", type=int, nargs=2, default=(30, 7), metavar=("OURS", "PEER")
    )
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.steps < 3 * PACE - 1:
        parser.error(f"--steps: at least {3 * PACE}, i-PI prints a time every {PACE}")
    print(f"{BEADS} beads x {ATOMS} atoms, harmonic potential")
    print(f"{'way':34s} {'ms per step':>12s} {'evaluator':>10s} {'beyond it':>10s}")
    for name, (total, inside) in overheads(given.steps, given.turns).items():
        parts = f"{inside:10.2f} {total - inside:10.2f}" if inside else f"{'':10s} {total:10.2f}"
        print(f"{name:34s} {total:12.2f} {parts}", flush=True)
    print(f"\n{BEADS} beads x {ATOMS} atoms of H2O2, NequIP, ms per step")
    print("model    our driver   stock driver     ratio   |dE/E| at start")
    for name in given.models:
        print(with_model(name, given.device, *given.model_steps), flush=True)


if __name__ == "__main__":
    main()
