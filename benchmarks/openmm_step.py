"""Time of a molecular-dynamics step in OpenMM: what OpenMM, units and Python cost beyond the evaluator, and ns/day beside openmm-ml.

``overhead``: an evaluator that returns zeros at once stands for the potential; all else, from OpenMM through TorchForce or PythonForce,
is as it is for a network. Beside it a step without any force, and what the neighbour list costs per step of water at 300 K.
``speed``: a whole step with the same weights by our two backends and by openmm-ml's own NequIP path with the official package,
which evaluates eagerly and makes a neighbour list at every step. Deviations are those of the first forces; ns/day are for steps of
0.5 fs. Atoms hardly move (steps of 0.01 fs), so ours needs no new list: its cost is in the first table.

All on OpenMM's CPU platform, timed in turns. Needs nequip and openmmml (``pip install nequip-openmm[dev]``); run from the root of
the repository:

    python -m benchmarks.openmm_step [--only overhead speed] [--models P Q] [--threads 2] [--seconds 20]
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any
from unittest import mock

import ase
import numpy as np
import openmm
import openmm.app
import openmm.unit
import torch
from numpy.typing import ArrayLike

from benchmarks.common import (
    announce,
    cell_of,
    in_turns,
    milliseconds,
    official,
    parser,
    potential,
    structure,
)
from benchmarks.report import Table
from nequip_openmm.data.verlet import VerletLists
from nequip_openmm.evaluator import Evaluated
from nequip_openmm.forces import NequIPPotential, available
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL

SIZES = {15: "toluene", 192: "water-192", 1536: "water-1536"}
TIMESTEP_PS = 0.0005
SHORT_PS = (
    1e-5  # what is integrated: weights are random, and molecules would not hold together for long
)
BATCH = 20  # steps at once: what integrator.step itself costs is shared, as in a run


class Nothing:
    """An evaluator that costs nothing."""

    def __init__(self, n_atoms: int) -> None:
        forces = np.zeros((n_atoms, 3))
        self.found = Evaluated(np.float64(0.0), forces, np.zeros((3, 3)), np.zeros(n_atoms))

    def evaluate(self, positions: ArrayLike, cells: ArrayLike | None = None) -> Evaluated:
        return self.found


class StandIn(Potential):
    """A potential whose evaluator costs nothing."""

    def evaluator(self, numbers: Any, *_: Any, **__: Any) -> Any:
        return Nothing(len(numbers))


def topology_of(atoms: ase.Atoms) -> openmm.app.Topology:
    """Return a topology without bonds; the box is the cell."""
    topology = openmm.app.Topology()
    residue = topology.addResidue("ALL", topology.addChain())
    for symbol in atoms.symbols:
        topology.addAtom(symbol, openmm.app.Element.getBySymbol(symbol), residue)
    if atoms.pbc.any():
        topology.setPeriodicBoxVectors(atoms.cell.array * ANGSTROM_TO_NM * openmm.unit.nanometer)
    return topology


def backends() -> list[str]:
    """Return the backends that work here."""
    return [backend.name for backend in available() if backend.works]


def ours(chosen: Potential, atoms: ase.Atoms) -> dict[str, openmm.System]:
    """Return a System for every backend."""
    made, topology = NequIPPotential(chosen), topology_of(atoms)
    return {
        name: made.createSystem(topology, removeCMMotion=False, backend=name) for name in backends()
    }


def theirs(model: str, atoms: ase.Atoms) -> openmm.System:
    """Return openmm-ml's System of the official package's model, which is in memory instead of a file."""
    from openmmml import MLPotential

    peer = MLPotential(
        "nequip", modelPath="", lengthScale=ANGSTROM_TO_NM, energyScale=EV_TO_KJ_PER_MOL
    )
    where = "nequip.model.saved_models.load_utils.load_saved_model"
    with mock.patch(where, return_value=official(model)):
        return peer.createSystem(topology_of(atoms), removeCMMotion=False, device="cpu")


def empty(atoms: ase.Atoms) -> openmm.System:
    """Return a System without forces."""
    system = openmm.System()
    for mass in atoms.get_masses():
        system.addParticle(mass)
    return system


def start(system: openmm.System, atoms: ase.Atoms, threads: int) -> openmm.Context:
    """Return a Context on the CPU platform with velocities of 300 K."""
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(SHORT_PS),
        openmm.Platform.getPlatformByName("CPU"),
        {"Threads": str(threads)},
    )
    context.setPositions(atoms.positions * ANGSTROM_TO_NM)
    context.setVelocitiesToTemperature(300.0, 1)
    return context


def forces_of(context: openmm.Context) -> np.ndarray:
    """Return forces (N, 3) in eV/Å."""
    unit = openmm.unit.kilojoule_per_mole / openmm.unit.angstrom
    forces = context.getState(forces=True).getForces(asNumpy=True)
    return np.array(forces.value_in_unit(unit)) / EV_TO_KJ_PER_MOL


# --- what a step costs beyond the evaluator


def overhead(options: argparse.Namespace) -> None:
    columns = ("atoms", "no force, µs", *(f"{b}, beyond that, µs" for b in backends()), "list, µs")
    table = Table("openmm-overhead", columns, 1, options.markdown)
    base = potential("Q")
    for n_atoms, name in SIZES.items():
        atoms = structure(name)
        systems = {"none": empty(atoms), **ours(StandIn(base.model), atoms)}
        contexts = {key: start(system, atoms, options.threads) for key, system in systems.items()}
        steps = {key: _steps(context, BATCH) for key, context in contexts.items()}
        timings = in_turns(steps, options.seconds, options.turns)
        # other work only adds to the time of so short a step: its smallest value is the cost
        least = {key: 1e6 * timing.times.min() / BATCH for key, timing in timings.items()}
        beyond = [f"{least[b] - least['none']:.0f}" for b in backends()]
        table.add(n_atoms, f"{least['none']:.0f}", *beyond, f"{neighbours(atoms, options):.0f}")


def neighbours(atoms: ase.Atoms, options: argparse.Namespace) -> float:
    """Return µs per step for the neighbour list along 40 steps of free flight at 300 K, new lists included."""
    rng = np.random.default_rng(1)
    lists = VerletLists(atoms.pbc, 5.0)
    cell = cell_of(atoms)
    boxes = np.zeros((1, 3, 3)) if cell is None else cell[None]
    speeds = rng.normal(size=atoms.positions.shape) * np.sqrt(
        0.0083144626 * 300.0 / atoms.get_masses()
    ).reshape(-1, 1)  # nm/ps
    path = [atoms.positions + speeds * (TIMESTEP_PS * step / ANGSTROM_TO_NM) for step in range(40)]

    def fly() -> None:
        for positions in path:
            lists.pairs(positions[None], boxes)

    timing = in_turns({"lists": fly}, options.seconds / 4.0, options.turns)["lists"]
    return 1e6 * float(timing.times.min()) / len(path)


def _steps(context: openmm.Context, count: int) -> Any:
    integrator = context.getIntegrator()
    return lambda: integrator.step(count)


# --- whole steps


def speed(options: argparse.Namespace) -> None:
    columns = (
        *("model", "structure", "way", "ms per step", "ns/day", "openmm-ml / ours"),
        "deviation of forces / rms",
    )
    table = Table("openmm-speed", columns, 3, options.markdown)
    for model in options.models:
        for name in ("toluene", "water-192"):
            whole_steps(model, name, table, options)


def whole_steps(model: str, name: str, table: Table, options: argparse.Namespace) -> None:
    atoms = structure(name)
    systems = {
        **ours(potential(model, threads=options.threads), atoms),
        "openmm-ml": theirs(model, atoms),
    }
    contexts = {key: start(system, atoms, options.threads) for key, system in systems.items()}
    forces = {key: forces_of(context) for key, context in contexts.items()}
    expected = forces["openmm-ml"]
    calls = {key: _steps(context, 1) for key, context in contexts.items()}
    timings = in_turns(calls, options.seconds, options.turns)
    peer = timings["openmm-ml"].median
    for key, timing in timings.items():
        per_day = 86400.0 / timing.median * TIMESTEP_PS * 1e-3
        deviation = np.abs(forces[key] - expected).max() / np.sqrt(np.mean(expected**2))
        table.add(
            *(model, name, key, str(timing), milliseconds(per_day * 1e-3)),
            f"{peer / timing.median:.1f}",
            f"{deviation:.0e}",
        )


SECTIONS = {"overhead": overhead, "speed": speed}


def main() -> None:
    """Print the tables asked for."""
    options = parser(__doc__, list(SECTIONS), ("P", "Q")).parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    announce(options, "openmm_step")
    for section in options.only:
        SECTIONS[section](options)


if __name__ == "__main__":
    main()
