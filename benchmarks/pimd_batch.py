"""A batch of path-integral beads in one call, beside one call for every bead, ours and that of the official nequip package.

Beads are the structure with every atom displaced at random by as much as nuclei are smeared out at 300 K, 0.1 Å for hydrogen. Ours is
`Evaluator.evaluate` for (n, N, 3) positions, which the i-PI driver calls. The peer is eager or TorchScript, with batches as its own
data loader makes them; AOTInductor's packages for single structures take no batches, and are timed one by one. All times are
medians with quartiles; everything is called in turns. Run from the root of the repository:

    python -m benchmarks.pimd_batch [--models P Q] [--systems methanol ethanol] [--beads 32] [--markdown docs/performance.md]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import ase
import numpy as np
import torch

from benchmarks.common import (
    ARCHITECTURES,
    Timing,
    announce,
    cell_of,
    in_turns,
    parser,
    potential,
    structure,
)
from benchmarks.peers import MODES, data_of, network_of
from benchmarks.report import Table

LARGEST = 20  # atoms of a bead; batches of more take the peer tens of GB
Calls = dict[str, Callable[[], np.ndarray]]


def beads_of(atoms: ase.Atoms, n: int) -> list[ase.Atoms]:
    """Return n structures."""
    rng = np.random.default_rng(2)
    width = 0.1 / np.sqrt(atoms.get_masses())[:, None]
    beads = [atoms.copy() for _ in range(n)]
    for bead in beads:
        bead.positions += width * rng.normal(size=(len(atoms), 3))
    return beads


def our_calls(model: str, beads: list[ase.Atoms]) -> Calls:
    """Return what evaluates all beads, in both ways; forces (n, N, 3) come back."""
    first, made = beads[0], potential(model)
    together, alone = (made.evaluator(first.numbers, first.pbc) for _ in range(2))
    positions, cell = np.array([bead.positions for bead in beads]), cell_of(first)
    return {
        "batch": lambda: together.evaluate(positions, cell).forces,
        "singles": lambda: np.array([alone.evaluate(x, cell).forces for x in positions]),
    }


def peer_calls(model: str, beads: list[ase.Atoms], mode: str, threads: int) -> Calls:
    """Return the same for a mode of the peer; without batches where it takes none."""
    from nequip.data import AtomicDataDict

    network = network_of(model, mode, threads)
    single = [data_of(model, bead) for bead in beads]
    batch = AtomicDataDict.batched_from_list(single)

    def forces(data: dict[str, torch.Tensor]) -> np.ndarray:
        return network(dict(data))["forces"].detach().numpy()

    calls: Calls = {"singles": lambda: np.array([forces(data) for data in single])}
    if mode != "AOTInductor":
        calls["batch"] = lambda: forces(batch).reshape(len(beads), -1, 3)
    return calls


def row(
    options: argparse.Namespace, model: str, name: str
) -> tuple[dict[tuple[str, str], Timing], float]:
    """Return the times of everything, and the largest difference of forces from the peer's."""
    beads = beads_of(structure(name), options.beads)
    calls = {("ours", k): call for k, call in our_calls(model, beads).items()}
    if len(beads[0]) <= LARGEST:
        for mode in options.modes:
            try:
                found = peer_calls(model, beads, mode, options.threads)
            except RuntimeError as error:
                print(f"\n{model}, {mode}: {' '.join(str(error).split())[:300]}\n")
                continue
            calls |= {(mode, k): call for k, call in found.items()}
    timings = in_turns(calls, options.seconds, options.turns)
    mine = calls["ours", "batch"]()
    others = [mine - call() for (who, _), call in calls.items() if who != "ours"]
    return timings, max((float(np.abs(d).max()) for d in others), default=np.nan)


def main() -> None:
    """Print the table."""
    made = parser(__doc__, ("speed",), list(ARCHITECTURES))
    made.set_defaults(models=["P", "Q"])
    made.add_argument("--systems", nargs="+", default=["methanol", "ethanol", "water-192"])
    made.add_argument("--beads", type=int, default=32)
    made.add_argument("--modes", nargs="*", choices=MODES, default=list(MODES), help="of the peer")
    options = made.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    announce(options, "pimd_batch")
    names = [f"nequip {mode}, {kind} ms" for mode in MODES for kind in ("singles", "batch")]
    table = Table(
        "pimd_batch: speed",
        ("model", "structure", "beads", "ours, singles ms", "ours, batch ms", "batch / singles",
         *names[:-1], "batch: ratio to the best", "ΔF eV/Å largest"),
        3, options.markdown,
    )  # fmt: skip
    targets = []
    for model in options.models:
        for name in options.systems:
            timings, error = row(options, model, name)
            singles, batch = timings["ours", "singles"], timings["ours", "batch"]
            share = batch.median / singles.median
            peers = [timings.get((mode, kind)) for mode in MODES for kind in ("singles", "batch")]
            best = min((t.median for t in peers if t is not None), default=np.nan)
            table.add(
                model, name, options.beads, singles, batch, f"{100 * share:.0f} %",
                *(t or "-" for t in peers[:-1]), *(("-", "-") if np.isnan(best) else (f"{best / batch.median:.0f}", f"{error:.1e}")),
            )  # fmt: skip
            if len(structure(name)) <= LARGEST:
                targets.append(
                    (f"{model}, {options.beads} beads of {name}", f"{100 * share:.0f} %")
                )
    if targets:
        told = Table("targets", ("measure", "asked", "found"), 1, options.markdown)
        for what, found in targets:
            told.add(what, "≤ 60 % of single evaluations", found)


if __name__ == "__main__":
    main()
