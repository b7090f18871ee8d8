"""What the benchmarks share: architectures, structures, timing in turns, and the machine."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import ase
import ase.build
import ase.io
import numpy as np
import torch

from benchmarks.report import Table
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.potential import Potential
from tests.peers.nequip_peer import official_model, twin

DATA = Path(__file__).parent / "data"
TURNS = 7
SEED = 7
BUSY = 0.05  # of the cores: above, times are not to be trusted
COMMON: dict[str, Any] = {"species": ("H", "C", "O"), "cutoff": 5.0, "avg_num_neighbors": 50.0}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "P": {"l_max": 2, "parity": True, "num_layers": 4, "num_features": 32},
    "Q": {"l_max": 1, "parity": False, "num_layers": 3, "num_features": 32},
    "R": {"l_max": 2, "parity": False, "num_layers": 3, "num_features": (64, 32, 16)},
    "S": {
        "l_max": 1,
        "parity": False,
        "num_layers": 2,
        "num_features": (128, 64),
        "type_embed_num_features": 32,
    },
}
RADIAL = {"P": (2, 64), "Q": (2, 64), "R": (2, 64), "S": (1, 128)}
SCALES = {"P": 18.6, "Q": 14.0, "R": 14.3, "S": 9.1}
"""eV; weights are random, and these make the forces in water 1 eV/Å (root mean square), as large as real ones are."""


@cache
def config(model: str) -> ModelConfig:
    """Return the configuration of an architecture."""
    depth, width = RADIAL[model]
    return ModelConfig(
        **COMMON,
        **ARCHITECTURES[model],
        radial_mlp_depth=depth,
        radial_mlp_width=width,
        per_type_energy_scales=SCALES[model],
    )


def official(model: str, dtype: str = "float32") -> torch.nn.Module:
    """Return the peer's model, with weights that are the same in every process."""
    return official_model(config(model), dtype, SEED)


def network(model: str, dtype: str = "float32") -> NequIP:
    """Return our model with the weights of `official`, which are those of float32 always."""
    weights = official(model)
    return twin(config(model), weights, getattr(torch, dtype))


def potential(
    model: str, engine: str = "fused", dtype: str = "float32", threads: int | None = None
) -> Potential:
    """Return our potential with the weights of `official`."""
    return Potential(network(model, dtype), engine=engine, threads=threads)


def evaluate_call(
    model: str, atoms: ase.Atoms, engine: str = "fused", threads: int | None = None
) -> Callable[[], tuple[float, np.ndarray]]:
    """Return what evaluates energy (eV) and forces (N, 3) (eV/Å)."""
    return call_with(potential(model, engine, threads=threads), atoms)


def call_with(ours: Potential, atoms: ase.Atoms) -> Callable[[], tuple[float, np.ndarray]]:
    """Return what OpenMM, ASE and i-PI call, which also looks whether the neighbour list still holds."""
    evaluator = ours.evaluator(atoms.numbers, atoms.pbc)
    positions, cell = atoms.positions, cell_of(atoms)

    def call() -> tuple[float, np.ndarray]:
        found = evaluator.evaluate(positions, cell)
        return float(found.energy), found.forces

    return call


# --- structures


def cell_of(atoms: ase.Atoms) -> np.ndarray | None:
    """Return lattice vectors as rows in Å, or None where nothing repeats."""
    return atoms.cell.array if atoms.pbc.any() else None


def structure(name: str) -> ase.Atoms:
    """Return one of the `SYSTEMS`."""
    return SYSTEMS[name]()


def water(repeats: int) -> ase.Atoms:
    """Return the box of 64 molecules, replicated in every direction, all atoms moved by about 0.01 Å."""
    atoms = ase.io.read(DATA / "water_192.xyz").repeat(repeats)
    atoms.rattle(0.01, seed=SEED)
    return atoms


def toluene() -> ase.Atoms:
    """Return benzene with a methyl group, distorted as at room temperature."""
    atoms = ase.build.molecule("C6H6")
    hydrogen = next(atom.index for atom in atoms if atom.symbol == "H")
    carbon = int(np.argmin(np.linalg.norm(atoms.positions[:6] - atoms.positions[hydrogen], axis=1)))
    axis = atoms.positions[hydrogen] - atoms.positions[carbon]
    axis /= np.linalg.norm(axis)
    methyl = atoms.positions[carbon] + 1.51 * axis
    del atoms[hydrogen]
    up = np.array([0.0, 0.0, 1.0])  # the ring lies in the plane of x and y
    side = np.cross(up, axis)
    outward = [
        np.cos(angle) * up + np.sin(angle) * side for angle in np.radians([0.0, 120.0, 240.0])
    ]
    hydrogens = [methyl + 1.09 * (axis / 3.0 + np.sqrt(8.0) / 3.0 * w) for w in outward]
    return _distorted(atoms + ase.Atoms("CH3", positions=[methyl, *hydrogens]))


def _distorted(atoms: ase.Atoms) -> ase.Atoms:
    atoms.rattle(0.05, seed=SEED)
    return atoms


SYSTEMS: dict[str, Callable[[], ase.Atoms]] = {
    "methanol": lambda: _distorted(ase.build.molecule("CH3OH")),
    "ethanol": lambda: _distorted(ase.build.molecule("CH3CH2OH")),
    "toluene": toluene,
    "water-192": lambda: water(1),
    "water-1536": lambda: water(2),
    "water-12288": lambda: water(4),
}


# --- time


@dataclass(frozen=True)
class Timing:
    """Times of one call, in seconds, one for every turn."""

    times: np.ndarray

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.times))

    def __str__(self) -> str:
        """Return median and quartiles in ms."""
        low, high = np.percentile(self.times, [25.0, 75.0])
        return f"{milliseconds(self.median)} ({milliseconds(low)}-{milliseconds(high)})"


def milliseconds(seconds: float) -> str:
    """Return three digits."""
    value = 1e3 * seconds
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def in_turns(
    calls: dict[str, Callable[[], Any]], seconds: float, turns: int = TURNS
) -> dict[str, Timing]:
    """Time several things that do the same, one after the other again and again, so that a busy machine disturbs all alike.

    Everything is called until it has been compiled, and once unmeasured at the beginning of every turn.

    Parameters
    ----------
    seconds
        For all together, about. Every turn of something that takes longer is one call.
    """
    counts = {name: _count(call, seconds / (turns * len(calls))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            if counts[name] > 1:
                call()
            times[name].append(_timed(call, counts[name]))
    return {name: Timing(np.array(values)) for name, values in times.items()}


def _count(call: Callable[[], Any], seconds: float) -> int:
    for _ in range(3):  # TorchScript compiles in the first calls
        last = _timed(call, 1)
    return max(1, int(seconds / max(last, 1e-7)))


def _timed(call: Callable[[], Any], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


# --- machine and command line


def announce(options: argparse.Namespace, benchmark: str) -> None:
    """Print machine and versions, and what else the machine does, and put them into the page."""
    names = ("torch", "nequip", "e3nn", "openmm", "ziglang")
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    others = load_of_others()
    table = Table("machine", ("processor", "cores", "software"), 1, options.markdown)
    table.add(_processor(), os.cpu_count(), f"Python {platform.python_version()}, {packages}")
    runs = Table("runs", ("run", "threads", "other work", "date"), 1, options.markdown)
    models = "" if options.models == list(ARCHITECTURES) else f" {' '.join(options.models)}"
    for section in options.only:
        busy = f"{100 * others:.0f} % of the cores" + (": provisional" if others > BUSY else "")
        run = f"{benchmark}: {section}{models}"
        runs.add(run, options.threads, busy, time.strftime("%Y-%m-%d"))


def load_of_others(seconds: float = 2.0) -> float:
    """Return the share of all cores that others use; threads that wait for each other suffer most from that."""

    def ticks() -> np.ndarray:
        try:
            line = Path("/proc/stat").read_text().splitlines()[0]
        except OSError:
            return np.zeros(8)
        return np.array(line.split()[1:9], dtype=float)

    before = ticks()
    time.sleep(seconds)
    spent = ticks() - before
    return float(1.0 - spent[3:5].sum() / spent.sum()) if spent.sum() else float("nan")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    flags = found.get("flags", "").split()
    width = next((f for f in ("avx512f", "avx2", "avx") if f in flags), "no AVX")
    return f"{found.get('model name', platform.machine())}, {float(found.get('cpu MHz', 0)) / 1000:.1f} GHz, {width}"


def parser(
    description: str | None, sections: Sequence[str], models: Sequence[str]
) -> argparse.ArgumentParser:
    """Return the options that all benchmarks have."""
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--models", nargs="+", choices=list(models), default=list(models))
    made.add_argument("--only", nargs="+", choices=sections, default=list(sections))
    made.add_argument("--threads", type=int, default=os.cpu_count())
    made.add_argument("--seconds", type=float, default=20.0, help="of timing per line, about")
    made.add_argument("--turns", type=int, default=TURNS)
    made.add_argument(
        "--markdown", type=Path, help="file whose tables take the new lines, docs/performance.md"
    )
    return made
