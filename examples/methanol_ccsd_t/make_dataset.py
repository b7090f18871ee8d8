"""Make the methanol CCSD(T)/cc-pVDZ data set, or check it.

    python make_dataset.py --frames 360 --workers 2      # compute (resumable)
    python make_dataset.py --check                       # verify the file

Each frame is stored on its own in the work directory as soon as it is done;
a second start computes only what is missing.  See README.md for the method.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and PySCF load

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import checks
import geometries
import reference
from reference import BOHR_IN_ANGSTROM, HARTREE_IN_EV

HERE = Path(__file__).parent
#: Frames beyond these limits are left out (eV above the minimum, eV/Å).
ENERGY_LIMIT, FORCE_LIMIT = 6.0, 40.0
#: Above this T1 diagnostic a single-reference treatment is not trusted.
T1_LIMIT = 0.02
#: The partial data set is rewritten after this many new frames.
PARTIAL_EVERY = 10
#: Ground-state multiplicities: number of unpaired electrons.
FREE_ATOMS = {"H": 1, "C": 2, "O": 2}
console = Console()


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` is either complete or absent."""
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(text)
    os.replace(partial, path)


def frame_path(work: Path, index: int) -> Path:
    """Return where the labels of candidate ``index`` are stored."""
    return work / f"frame_{index:04d}.json"


def load_geometries(work: Path, frames: int, seed: int) -> list[Atoms]:
    """Return the candidates, sampling them on the first start."""
    path = work / f"geometries_{frames}_{seed}.xyz"
    if not path.exists():
        console.print(f"Sampling {frames} geometries with GFN2-xTB ...")
        sampled = geometries.sample_geometries(frames, seed)
        write(work / "sampling.tmp", sampled, format="extxyz")
        os.replace(work / "sampling.tmp", path)
    return read(path, index=":")


def label_frame(index: int, atoms: Atoms, work: Path) -> str:
    """Compute one frame and store it; return an error message or ''."""
    reference.single_threaded()
    molecule = reference.build_molecule(atoms.get_chemical_symbols(), atoms.positions)
    try:
        labels = reference.energy_and_gradient(molecule)
    except reference.NotConverged as error:
        return f"frame {index}: {error}"
    record = {
        "positions_angstrom": atoms.positions.tolist(),
        "energy_hartree": labels.energy,
        "gradient_hartree_per_bohr": labels.gradient.tolist(),
        "triples_hartree": labels.triples,
        "t1_diagnostic": labels.t1_diagnostic,
    }
    write_atomically(frame_path(work, index), json.dumps(record))
    return ""


def labelled(atoms: Atoms, record: dict) -> Atoms:
    """Return ``atoms`` with energy (eV) and forces (eV/Å) attached."""
    if not np.array_equal(atoms.positions, record["positions_angstrom"]):
        raise ValueError(f"stored frame {atoms.info['frame']} has other positions")
    gradient = np.array(record["gradient_hartree_per_bohr"])
    frame = Atoms(atoms.get_chemical_symbols(), atoms.positions)
    frame.info = {
        "origin": atoms.info["origin"],
        "frame": int(atoms.info["frame"]),
        "t1_diagnostic": round(record["t1_diagnostic"], 5),
    }
    frame.calc = SinglePointCalculator(
        frame,
        energy=record["energy_hartree"] * HARTREE_IN_EV,
        forces=-gradient * HARTREE_IN_EV / BOHR_IN_ANGSTROM,
    )
    return frame


def largest_force(frame: Atoms) -> float:
    """Return the largest force on an atom in eV/Å."""
    return float(np.linalg.norm(frame.get_forces(), axis=1).max())


def within_limits(frame: Atoms, lowest: float) -> bool:
    """Tell whether a frame is kept (energy, force and T1 limits)."""
    return (
        frame.get_potential_energy() - lowest < ENERGY_LIMIT
        and largest_force(frame) < FORCE_LIMIT
        and frame.info["t1_diagnostic"] < T1_LIMIT
    )


def assemble(candidates: list[Atoms], work: Path, output: Path) -> int:
    """Write all finished frames within the limits; return how many."""
    frames = []
    for index, atoms in enumerate(candidates):
        path = frame_path(work, index)
        if path.exists():
            frames.append(labelled(atoms, json.loads(path.read_text())))
    if not frames:
        return 0
    lowest = min(frame.get_potential_energy() for frame in frames)
    kept = [frame for frame in frames if within_limits(frame, lowest)]
    partial = output.with_suffix(".tmp")
    write(partial, kept, format="extxyz")
    os.replace(partial, output)
    return len(kept)


def progress_bar() -> Progress:
    """Return a progress bar with elapsed and remaining time."""
    return Progress(
        "[progress.description]{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def compute(candidates: list[Atoms], work: Path, workers: int) -> None:
    """Label every missing frame with ``workers`` single-threaded processes."""
    missing = [index for index in range(len(candidates)) if not frame_path(work, index).exists()]
    context = get_context("spawn")
    with progress_bar() as bar, ProcessPoolExecutor(workers, context) as pool:
        task = bar.add_task(
            "CCSD(T)", total=len(candidates), completed=len(candidates) - len(missing)
        )
        jobs = [pool.submit(label_frame, i, candidates[i], work) for i in missing]
        for count, job in enumerate(as_completed(jobs), 1):
            if message := job.result():
                console.print(f"[yellow]skipped {message}")
            bar.advance(task)
            if count % PARTIAL_EVERY == 0:
                assemble(candidates, work, work / "partial.xyz")


def write_free_atoms(path: Path) -> None:
    """Store the UCCSD(T) energies of H, C and O in eV, unless present."""
    if path.exists():
        return
    energies = {
        symbol: reference.atom_energy(symbol, spin) * HARTREE_IN_EV
        for symbol, spin in FREE_ATOMS.items()
    }
    write_atomically(path, json.dumps(energies, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=360, help="geometries sampled")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=2017, help="of the sampling")
    parser.add_argument(
        "--output", type=Path, default=HERE / "methanol_ccsd_t.xyz", help="data set"
    )
    parser.add_argument("--work", type=Path, default=HERE / "work", help="finished frames")
    parser.add_argument("--check", action="store_true", help="verify --output")
    arguments = parser.parse_args()
    if arguments.frames < 2 or arguments.workers < 1:
        parser.error("--frames must be at least 2 and --workers at least 1")
    return arguments


def main() -> None:
    """Compute the data set, or check it."""
    arguments = parse_arguments()
    if arguments.check:
        checks.run_checks(arguments.output, console)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    write_free_atoms(arguments.output.with_name("isolated_atoms.json"))
    candidates = load_geometries(arguments.work, arguments.frames, arguments.seed)
    compute(candidates, arguments.work, arguments.workers)
    kept = assemble(candidates, arguments.work, arguments.output)
    console.print(f"{kept} of {len(candidates)} frames written to {arguments.output}")


if __name__ == "__main__":
    main()
