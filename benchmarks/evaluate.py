"""Energy and forces: our engine beside the official nequip package, in the same run, for the same structures and weights.

Ours is `Evaluator.evaluate`, which OpenMM, ASE and i-PI call: it checks the input and whether its neighbour list still holds, and gives
energy, forces, virial and energies of atoms. The peer is given its neighbour list, whose cost is not counted. Weights are
random. All times are medians with quartiles; everything is called in turns. Run from the root of the repository:

    python -m benchmarks.evaluate [--only speed threads ...] [--models P Q] [--systems toluene water-192] [--markdown docs/performance.md]

Sections: speed, size (to 12,288 atoms), roofline, threads, memory, accuracy (against the reference path), lists (of neighbours),
start (of a process).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import ase
import numpy as np
import torch

from benchmarks.common import (
    ARCHITECTURES,
    announce,
    cell_of,
    config,
    evaluate_call,
    in_turns,
    milliseconds,
    network,
    parser,
    structure,
)
from benchmarks.flops import operations, peak
from benchmarks.memory import peak_memory
from benchmarks.peers import LARGEST, MODES, calls_of
from benchmarks.report import Table
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.data.verlet import VerletLists
from nequip_openmm.model.file import save_model
from nequip_openmm.potential import Potential

TARGETS = {  # the least ratio, and the most ms, that were asked for
    ("P", "water-192"): (60.0, 20.0),
    ("P", "toluene"): (40.0, 0.75),
    ("Q", "water-192"): (15.0, 3.5),
    ("R", "water-192"): (30.0, None),
    ("S", "water-192"): (15.0, None),
}


NOT_MEASURED = "-"
COMPARISONS = (  # two of (engine, precision), and what was asked for
    (("fused", "float32"), ("reference", "float32"), "E ≤ 1e-6 of its spread, F ≤ 1e-5 eV/Å"),
    (("fused", "float64"), ("reference", "float64"), "≤ 1e-9"),
    (("fused", "float32"), ("reference", "float64"), ""),
    (("reference", "float32"), ("reference", "float64"), ""),
)
Energies = tuple[np.ndarray, np.ndarray]


class Benchmark:
    """One run; every section is a method of its name.

    Parameters
    ----------
    options
        From the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.page: Path | None = options.markdown

    def table(self, name: str, keys: int, *columns: str) -> Table:
        return Table(f"evaluate: {name}", columns, keys, self.page)

    def target(self, measure: str, asked: str, found: str) -> None:
        self.targets.append((measure, asked, found))

    targets: list[tuple[str, str, str]]

    def run(self) -> None:
        self.targets = []
        announce(self.options, "evaluate")
        for section in self.options.only:
            getattr(self, section)()
        if self.targets:
            table = Table("targets", ("measure", "asked", "found"), 1, self.page)
            for row in self.targets:
                table.add(*row)

    # --- sections

    def speed(self) -> None:
        table = self.table(
            "speed", 2, "model", "structure", "pairs", "ours ms", *(f"nequip {m} ms" for m in MODES),
            "ratio to the best", "ΔE eV/atom", "ΔF eV/Å RMS", "F eV/Å RMS",
        )  # fmt: skip
        reasons_of_all = {}
        for model in self.options.models:
            for name in self.options.systems:
                atoms = structure(name)
                if len(atoms) > LARGEST[model]:
                    continue
                calls, reasons = calls_of(model, atoms, self.options.threads, self.options.modes)
                calls = {"ours": evaluate_call(model, atoms), **calls}
                timings = in_turns(calls, self.options.seconds, self.options.turns)
                peers = {m: t.median for m, t in timings.items() if m != "ours"}
                best = min(peers, key=lambda m: peers[m], default=None)
                ratio = peers[best] / timings["ours"].median if best else np.nan
                energy, forces = calls["ours"]()
                peer_energy, peer_forces = calls[best]() if best else (np.nan, np.nan * forces)
                table.add(
                    model, name, f"{n_pairs(model, atoms):,}", timings["ours"],
                    *(timings.get(m, NOT_MEASURED) for m in MODES), f"{ratio:.1f}",
                    f"{abs(energy - peer_energy) / len(atoms):.1e}", f"{rms(forces - peer_forces):.1e}",
                    f"{rms(forces):.2f}",
                )  # fmt: skip
                reasons_of_all |= {(model, m): text for m, text in reasons.items()}
                self._check_speed(model, name, ratio, timings["ours"].median)
        if reasons_of_all:
            told = self.table("modes that do not work", 2, "model", "mode", "why")
            for (model, mode), reason in reasons_of_all.items():
                told.add(model, mode, reason.replace("|", "/"))

    def _check_speed(self, model: str, name: str, ratio: float, seconds: float) -> None:
        asked = TARGETS.get((model, name))
        if asked is None or not np.isfinite(ratio):
            return
        limit = "" if asked[1] is None else f" (≤ {asked[1]:g} ms)"
        self.target(
            f"{model}, {name}",
            f"≥ {asked[0]:g}x{limit}",
            f"{ratio:.0f}x, {milliseconds(seconds)} ms",
        )

    def size(self) -> None:
        table = self.table("size", 2, "model", "structure", "pairs", "ms", "µs per atom", "peak MB")
        for model in self.options.models:
            names = ("water-192", "water-1536", "water-12288")
            calls = {name: evaluate_call(model, structure(name)) for name in names}
            timings = in_turns(calls, self.options.seconds, self.options.turns)
            per_atom, memory = {}, {}
            for name in names:
                atoms = structure(name)
                per_atom[name] = 1e6 * timings[name].median / len(atoms)
                memory[name] = self._peak(model, name, "fused")
                table.add(
                    model, name, f"{n_pairs(model, atoms):,}", timings[name],
                    f"{per_atom[name]:.1f}", f"{memory[name]:.0f}",
                )  # fmt: skip
            growth = per_atom["water-12288"] / per_atom["water-1536"] - 1
            self.target(
                f"{model}, water-12288",
                "works, < 4 GB, cost per atom within 15 % of water-1536",
                f"{memory['water-12288'] / 1024:.2f} GB, {100 * growth:+.0f} %",
            )

    def roofline(self) -> None:
        table = self.table(
            "roofline", 2, "model", "structure", "GFLOP", "ms", "GFLOP/s", "peak GFLOP/s", "share"
        )
        threads = self.options.threads
        for model in self.options.models:
            for name in ("water-192", "water-1536"):
                atoms = structure(name)
                call = evaluate_call(model, atoms)
                reached, times = [], []
                for _ in range(
                    3
                ):  # in turns with the peak, which other work on the machine lowers too
                    reached.append(peak(threads))
                    times.append(in_turns({"": call}, self.options.seconds / 4, 3)[""].median)
                seconds, most = float(np.median(times)), float(np.median(reached))
                work = operations(config(model), len(atoms), n_pairs(model, atoms)) / 1e9
                table.add(
                    model, name, f"{work:.3g}", milliseconds(seconds), f"{work / seconds:.0f}",
                    f"{most:.0f}", f"{100 * work / seconds / most:.0f} %",
                )  # fmt: skip

    def threads(self) -> None:
        table = self.table(
            "threads", 2, "model", "structure", "1 thread ms", "2 threads ms", "ratio"
        )
        for model in self.options.models:
            for name in self.options.systems:
                atoms = structure(name)
                calls = {str(n): evaluate_call(model, atoms, threads=n) for n in (1, 2)}
                timings = in_turns(calls, self.options.seconds, self.options.turns)
                ratio = timings["1"].median / timings["2"].median
                table.add(model, name, timings["1"], timings["2"], f"{ratio:.2f}")
                if name == "water-192":
                    self.target(f"{model}, water-192: two threads", "≥ 1.8x", f"{ratio:.2f}x")

    def memory(self) -> None:
        table = self.table(
            "memory", 2, "model", "structure", "ours MB", *(f"nequip {m} MB" for m in MODES)
        )
        for model in self.options.models:
            for name in self.options.systems:
                small = len(structure(name)) <= LARGEST[model]
                modes = self.options.modes if small else ()
                cells = {m: self._told_peak(model, name, m) for m in ("fused", *modes)}
                table.add(model, name, cells["fused"], *(cells.get(m, NOT_MEASURED) for m in MODES))

    def accuracy(self) -> None:
        table = self.table(
            "accuracy", 3, "model", "structure", "difference of", "spread of energy eV",
            "ΔE RMS / spread", "ΔF eV/Å RMS", "ΔF eV/Å largest",
        )  # fmt: skip
        for model in self.options.models:
            for name in [n for n in self.options.systems if len(structure(n)) <= 192]:
                found = results_on_the_way(model, structure(name))
                for one, other, asked in COMPARISONS:
                    spread, energy, force, worst = difference(found[one], found[other])
                    what = f"{' '.join(one)} and {' '.join(other)}"
                    table.add(
                        model, name, what, f"{spread:.2f}", f"{energy:.1e}", f"{force:.1e}", f"{worst:.1e}"
                    )  # fmt: skip
                    if asked:
                        self.target(
                            f"{model}, {name}: {what}", asked, f"E {energy:.1e}, F {force:.1e}"
                        )

    def lists(self) -> None:
        table = self.table(
            "neighbour lists", 1, "structure", "pairs", "new list ms", "with a skin, ms per step",
            "steps per list", "evaluation P ms",
        )  # fmt: skip
        for name in self.options.systems:
            atoms = structure(name)
            steps = trajectory(atoms, 100)
            cells = atoms.cell.array[None]
            seconds, n_built = {}, {}
            for skin in (0.0, 0.5):
                lists = VerletLists(atoms.pbc, config("P").cutoff, skin)
                times = []
                for x in steps[: len(steps) if skin else 10]:
                    begin = time.perf_counter()
                    lists.pairs(x[None], cells)
                    times.append(time.perf_counter() - begin)
                seconds[skin], n_built[skin] = np.mean(times[1:]), lists.n_built
            call = evaluate_call("P", atoms)
            timing = in_turns({"": call}, self.options.seconds / 5, 3)[""]
            table.add(
                name, f"{n_pairs('P', atoms):,}", milliseconds(seconds[0.0]), milliseconds(seconds[0.5]),
                f"{len(steps) / n_built[0.5]:.0f}", timing,
            )  # fmt: skip

    def start(self) -> None:
        table = self.table(
            "start", 1, "model", "imports s", "first energy, cached kernels s", "first energy, nothing cached s"
        )  # fmt: skip
        for model in self.options.models:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.safetensors")
                save_model(path, network(model))
                first_energy(path)  # compiles
                cached = [first_energy(path) for _ in range(3)]
                empty = first_energy(path, Path(folder, "cache"))
            imports, warm = np.median([c["imports"] for c in cached]), np.median([c["energy"] for c in cached])  # fmt: skip
            table.add(model, f"{imports:.1f}", f"{warm:.2f}", f"{empty['energy']:.1f}")
            self.target(f"{model}: first energy of a cached model in a new process", "≤ 3 s beyond imports", f"{warm:.2f} s")  # fmt: skip
            self.target(f"{model}: first-ever compilation", "≤ 30 s", f"{empty['energy']:.1f} s")

    # --- details

    def _peak(self, model: str, name: str, what: str) -> float:
        return peak_memory("evaluate", model, name, what, self.options.threads)["peak"]

    def _told_peak(self, model: str, name: str, what: str) -> str:
        try:
            found = peak_memory("evaluate", model, name, what, self.options.threads)
        except RuntimeError as error:
            return f"fails: {' '.join(str(error).split())[-80:]}".replace("|", "/")
        return f"{found['peak']:.0f} ({found['peak'] - found['before']:.0f} beyond imports)"


FIRST_ENERGY = """
import json, sys, time
begin = time.perf_counter()
import ase.build, torch, nequip_openmm
atoms = ase.build.molecule("CH3CH2OH")
imported = time.perf_counter()
nequip_openmm.load(sys.argv[1], engine="fused").evaluator(atoms.numbers).evaluate(atoms.positions)
print(json.dumps({"imports": imported - begin, "energy": time.perf_counter() - imported}))
"""


def first_energy(model: Path, cache: Path | None = None) -> dict[str, float]:
    """Return seconds for imports, and from there to the first energy, of a new process; ``cache`` is another folder for kernels."""
    environment = dict(os.environ)
    if cache is not None:
        environment["NEQUIP_OPENMM_CACHE"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_ENERGY, str(model)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def results_on_the_way(model: str, atoms: ase.Atoms, n: int = 6) -> dict[tuple[str, str], Energies]:
    """Return energies (n,) and forces (n, N, 3) of structures as a simulation at 300 K visits, by engine and precision."""
    steps = trajectory(atoms, n, step=0.05)
    found = {}
    for dtype in ("float32", "float64"):
        ours = network(model, dtype)
        for engine in ("fused", "reference"):
            evaluator = Potential(ours, engine=engine).evaluator(atoms.numbers, atoms.pbc)
            results = [evaluator.evaluate(x, cell_of(atoms)) for x in steps]
            found[engine, dtype] = (
                np.array([r.energy for r in results]),
                np.array([r.forces for r in results]),
            )
    return found


def difference(ours: Energies, wanted: Energies) -> tuple[float, float, float, float]:
    """Return the spread of energies, the RMS difference of energies relative to it, the RMS and the largest of forces."""
    spread = float(np.std(wanted[0]))
    forces = ours[1] - wanted[1]
    return spread, rms(ours[0] - wanted[0]) / spread, rms(forces), float(np.abs(forces).max())


def trajectory(atoms: ase.Atoms, n: int, step: float = 0.008) -> np.ndarray:
    """Return positions (n, N, 3): atoms move straight on, by ``step`` Å a time, as hydrogen does in 0.5 fs at 300 K with others slower."""
    rng = np.random.default_rng(1)
    velocities = rng.normal(size=(len(atoms), 3)) / np.sqrt(3.0 * atoms.get_masses()[:, None])
    return atoms.positions + step * np.arange(n)[:, None, None] * velocities


def n_pairs(model: str, atoms: ase.Atoms) -> int:
    """Return the number of directed pairs within the cutoff."""
    edges, _ = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, config(model).cutoff)
    return int(edges.shape[1])


def rms(values: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def main() -> None:
    """Run the sections."""
    sections = ("speed", "size", "roofline", "threads", "memory", "accuracy", "lists", "start")
    made = parser(__doc__, sections, list(ARCHITECTURES))
    made.add_argument("--systems", nargs="+", default=["toluene", "water-192"], help="structures")
    made.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES), help="of the peer")
    options = made.parse_args()
    options.modes = tuple(options.modes)
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    Benchmark(options).run()


if __name__ == "__main__":
    main()
