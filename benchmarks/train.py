"""A step of training on forces: ours beside the official nequip package, in the same run, for the same batch and weights.

A step is: energies and forces of a batch of ethanol, mean squared errors of both, gradients of all weights, Adam. Collecting the batch is
not counted for either. The peer trains eagerly, or through torch.compile (``compile_mode: compile``); TorchScript and
AOTInductor cannot train. Differences are those of the loss and of the gradients of all weights before the first step. All times
are medians with quartiles; everything is called in turns. Run from the root of the repository:

    python -m benchmarks.train [--models P Q] [--batches 5 25] [--only speed memory] [--markdown docs/performance.md]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import ase
import numpy as np
import torch
from torch import Tensor

from benchmarks.common import (
    ARCHITECTURES,
    announce,
    config,
    in_turns,
    milliseconds,
    network,
    official,
    parser,
    structure,
)
from benchmarks.memory import peak_memory
from benchmarks.peers import data_of
from benchmarks.report import Table
from nequip_openmm.data.batch import Batch
from nequip_openmm.data.frame import Frame
from nequip_openmm.interop.nequip_weights import load_official_weights
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.training.engine import choose_evaluation

PEERS = ("eager", "compile")
TARGETS = {"P": 10.0, "Q": 4.0}
Loss = Callable[[], Tensor]


def frames(n: int) -> list[ase.Atoms]:
    """Return n distorted ethanol molecules."""
    rng = np.random.default_rng(0)
    molecules = [structure("ethanol") for _ in range(n)]
    for molecule in molecules:
        molecule.positions += rng.normal(scale=0.05, size=molecule.positions.shape)
    return molecules


def batch_of(model: str, n: int) -> Batch:
    """Return frames with labels, which are random."""
    made = Batch.from_frames(
        [Frame.from_ase(a) for a in frames(n)], config(model).species, config(model).cutoff
    )
    rng = torch.Generator().manual_seed(0)
    normal = partial(torch.randn, generator=rng, dtype=torch.float64)
    return replace(made, energy=normal(n), forces=normal(made.positions.shape))


def ours(
    model: str, n: int, engine: str, trained: NequIP | None = None
) -> tuple[torch.nn.Module, Loss]:
    """Return our network, and what computes the loss as the training does."""
    trained = (trained or network(model)).train()
    evaluate = choose_evaluation(trained, engine)
    batch = batch_of(model, n)

    def loss() -> Tensor:
        found = evaluate(batch, forces=True, virial=False, create_graph=True)
        return mean_squared_errors(found.energy, found.forces, batch)

    return trained, loss


def peer(model: str, n: int, mode: str) -> tuple[torch.nn.Module, Loss]:
    """Return the peer's network, and what computes the loss."""
    from nequip.data import AtomicDataDict

    trained = official(model).train() if mode == "eager" else _compiled(model).train()
    data = AtomicDataDict.batched_from_list([data_of(model, atoms) for atoms in frames(n)])
    batch = batch_of(model, n)

    def loss() -> Tensor:
        found = trained(dict(data))
        return mean_squared_errors(found["total_energy"].view(-1), found["forces"], batch)

    return trained, loss


def _compiled(model: str) -> torch.nn.Module:
    """Return the peer's network in its mode for training with torch.compile, with the usual weights."""
    from nequip.model.utils import override_model_compile_mode

    weights = official(model).state_dict()
    with override_model_compile_mode("compile"):
        made = official(model)
    made.load_state_dict(weights)
    return made


def mean_squared_errors(energy: Tensor, forces: Tensor | None, batch: Batch) -> Tensor:
    """Return the loss (), of energies for an atom and of forces."""
    n_atoms = len(batch.positions) / batch.n_graphs
    return ((energy - batch.energy) / n_atoms).square().mean() + (
        forces - batch.forces
    ).square().mean()


def step_of(what: str, model: str, n: int, trained: NequIP | None = None) -> Callable[[], None]:
    """Return what takes one step; ``what`` is ``"fused"``, ``"reference"`` or a mode of the peer."""
    trained, loss = peer(model, n, what) if what in PEERS else ours(model, n, what, trained)
    weights = [p for p in trained.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-5, amsgrad=True, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def differences(model: str, n: int) -> tuple[float, float]:
    """Return the relative differences of loss and gradients between the fused engine and the peer's eager mode."""
    theirs, loss_of_theirs = peer(model, n, "eager")
    mine, loss_of_mine = ours(model, n, "fused")
    losses = [loss_of_theirs(), loss_of_mine()]
    for value in losses:
        value.backward()
    wanted = NequIP(config(model), torch.float32)
    slopes = {
        name.removeprefix("model.func."): parameter.grad
        for name, parameter in theirs.named_parameters()
        if parameter.grad is not None
    }
    state = {k.removeprefix("model.func."): v for k, v in theirs.state_dict().items()}
    load_official_weights(wanted, {**state, **slopes})
    pairs = [
        (p.grad, q.detach())
        for (name, p), (_, q) in zip(mine.named_parameters(), wanted.named_parameters())
        if p.grad is not None
    ]
    error = sum(float((a - b).double().square().sum()) for a, b in pairs)
    scale = sum(float(b.double().square().sum()) for _, b in pairs)
    return abs(float(losses[1] / losses[0]) - 1.0), (error / scale) ** 0.5


def speed(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Print the table of times, and return what was asked and found."""
    table = Table(
        "train: speed",
        ("model", "batch", "fused ms", "reference ms", *(f"nequip {m} ms" for m in PEERS),
         "fused, ms per frame", *(f"ratio to {m}" for m in PEERS), "Δloss", "Δgradient"),
        2, options.markdown,
    )  # fmt: skip
    targets = []
    for model in options.models:
        for n in options.batches:
            timings = in_turns(steps_of(options.modes, model, n), options.seconds, options.turns)
            fused = timings["fused"].median
            ratios = {m: timings[m].median / fused for m in PEERS if m in timings}
            table.add(
                model, n, *(timings.get(k, "-") for k in ("fused", "reference", *PEERS)),
                milliseconds(fused / n), *(f"{ratios[m]:.1f}" if m in ratios else "-" for m in PEERS),
                *(f"{value:.1e}" for value in differences(model, n)),
            )  # fmt: skip
            if model in TARGETS and ratios:
                what = f"training step {model}, ethanol, batch of {n}"
                told = ", ".join(f"{ratio:.1f}x of {m}" for m, ratio in ratios.items())
                targets.append(
                    (what, f"≥ {TARGETS[model]:g}x", f"{told}; {milliseconds(fused)} ms")
                )
    return targets


def steps_of(modes: list[str], model: str, n: int) -> dict[str, Callable[[], None]]:
    """Return steps of all that works here; says why what does not."""
    steps = {engine: step_of(engine, model, n) for engine in ("fused", "reference")}
    for mode in modes:
        step = step_of(mode, model, n)
        try:
            step()
        except Exception as error:  # noqa: BLE001  whatever a compiler may raise
            print(f"\n{model}, {mode}: {' '.join(str(error).split())[:300]}\n")
        else:
            steps[mode] = step
    return steps


def memory(options: argparse.Namespace) -> None:
    """Print the table of memory."""
    columns = ("model", "batch", "fused MB", "reference MB", "nequip eager MB")
    table = Table("train: memory", columns, 2, options.markdown)
    for model in options.models:
        for n in options.batches:
            peaks = [
                peak_memory("train", model, str(n), what, options.threads)
                for what in ("fused", "reference", "eager")
            ]
            cells = [
                f"{p['peak']:.0f} ({p['peak'] - p['before']:.0f} beyond imports)" for p in peaks
            ]
            table.add(model, n, *cells)


def main() -> None:
    """Run the sections."""
    made = parser(__doc__, ("speed", "memory"), list(ARCHITECTURES))
    made.set_defaults(models=["P", "Q"])
    made.add_argument("--batches", nargs="+", type=int, default=[5, 25])
    made.add_argument("--modes", nargs="*", choices=PEERS, default=list(PEERS), help="of the peer")
    options = made.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    announce(options, "train")
    targets = speed(options) if "speed" in options.only else []
    if "memory" in options.only:
        memory(options)
    if targets:
        table = Table("targets", ("measure", "asked", "found"), 1, options.markdown)
        for row in targets:
            table.add(*row)


if __name__ == "__main__":
    main()
