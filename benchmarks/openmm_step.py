"""Time of a molecular-dynamics step in OpenMM: our two backends beside openmm-ml with the official nequip package.

All three run the same architecture with the same weights from the same start; openmm-ml evaluates the official model eagerly
in a PythonForce with a new neighbour list at every step. Steps are timed in turns, so that a busy machine disturbs all
alike, and the median over the turns is printed; before that every backend is warmed up, which is when TorchScript compiles.
Deviations are between TorchForce and openmm-ml at the start, relative to the root mean square of the forces.

Needs nequip and openmmml (``pip install nequip-openmm[dev]``); run from the root of the repository:

    python -m benchmarks.openmm_step [--threads 1] [--models P Q] [--seconds 10]
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import ase
import ase.build
import ase.io
import numpy as np
import openmm
import openmm.app
import openmm.unit
import torch

from nequip_openmm.forces import NequIPPotential, available
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.peers.nequip_peer import official_model, twin

DATA = Path(__file__).parents[2] / "shared" / "data"
COMMON: dict[str, Any] = {
    "species": ("H", "C", "O"),
    "cutoff": 5.0,
    "num_features": 32,
    "radial_mlp_depth": 2,
    "radial_mlp_width": 64,
    "per_type_energy_scales": 0.01,  # weights are random: a weak force keeps the run quiet
}
MODELS: dict[str, dict[str, Any]] = {
    "P": {"l_max": 2, "parity": True, "num_layers": 4},
    "Q": {"l_max": 1, "parity": False, "num_layers": 3},
}
TIMESTEP_PS = 1e-4
WARM_UP = 6
TURNS = 7


def structures() -> dict[str, ase.Atoms]:
    """Return molecules and a periodic box of 64 waters; real frames where the data sets are, else built ones."""
    toluene, water = DATA / "rmd17_toluene" / "test.xyz", DATA / "water_pbe0ts" / "test.xyz"
    return {
        "methanol": ase.build.molecule("CH3OH"),
        "ethanol": ase.build.molecule("CH3CH2OH"),
        "toluene": ase.io.read(toluene, 0) if toluene.exists() else ase.build.molecule("C6H6"),
        "water": ase.io.read(water, 0) if water.exists() else water_box(),
    }


def water_box() -> ase.Atoms:
    """Return 64 waters on a lattice at the density of the liquid."""
    molecule = ase.build.molecule("H2O", vacuum=0.0)
    molecule.set_cell(3.107 * np.eye(3))
    molecule.pbc = True
    box = molecule.repeat(4)
    box.rattle(0.05, seed=1)
    return box


def topology_of(atoms: ase.Atoms) -> openmm.app.Topology:
    """Return a topology without bonds; the box is the cell."""
    topology = openmm.app.Topology()
    residue = topology.addResidue("ALL", topology.addChain())
    for symbol in atoms.symbols:
        topology.addAtom(symbol, openmm.app.Element.getBySymbol(symbol), residue)
    if atoms.pbc.any():
        topology.setPeriodicBoxVectors(
            np.array(atoms.cell) * ANGSTROM_TO_NM * openmm.unit.nanometer
        )
    return topology


def systems(config: ModelConfig, atoms: ase.Atoms) -> dict[str, openmm.System]:
    """Return one System for each backend that works here, and openmm-ml's."""
    from openmmml import MLPotential

    official = official_model(config, "float32")
    ours = NequIPPotential(Potential(twin(config, official, torch.float32)))
    topology = topology_of(atoms)
    made = {
        backend.name: ours.createSystem(topology, backend=backend.name)
        for backend in available()
        if backend.works
    }
    theirs = MLPotential(
        "nequip", modelPath="", lengthScale=ANGSTROM_TO_NM, energyScale=EV_TO_KJ_PER_MOL
    )
    where = "nequip.model.saved_models.load_utils.load_saved_model"
    with mock.patch(where, return_value=official):
        made["openmm-ml"] = theirs.createSystem(topology, device="cpu")
    return made


def start(system: openmm.System, atoms: ase.Atoms, threads: int) -> openmm.Context:
    """Return a Context on the CPU platform at the structure, with velocities of 300 K."""
    platform = openmm.Platform.getPlatformByName("CPU")
    context = openmm.Context(
        system, openmm.VerletIntegrator(TIMESTEP_PS), platform, {"Threads": str(threads)}
    )
    context.setPositions(atoms.positions * ANGSTROM_TO_NM)
    context.setVelocitiesToTemperature(300.0, 1)
    return context


def energy_and_forces(context: openmm.Context) -> tuple[float, np.ndarray]:
    """Return energy in eV and forces in eV/Å."""
    state = context.getState(energy=True, forces=True)
    kj = openmm.unit.kilojoule_per_mole
    forces = state.getForces(asNumpy=True).value_in_unit(kj / openmm.unit.angstrom)
    return state.getPotentialEnergy().value_in_unit(
        kj
    ) / EV_TO_KJ_PER_MOL, forces / EV_TO_KJ_PER_MOL


def milliseconds_per_step(contexts: dict[str, openmm.Context], seconds: float) -> dict[str, float]:
    """Return the median over turns of the time of a step."""
    steps, times = {}, {name: [] for name in contexts}  # type: dict[str, int], dict[str, list[float]]
    for name, context in contexts.items():
        context.getIntegrator().step(WARM_UP)
        once = _timed(context, 1)
        steps[name] = max(1, int(seconds / (TURNS * len(contexts)) / once))
    for _ in range(TURNS):
        for name, context in contexts.items():
            times[name].append(_timed(context, steps[name]) / steps[name])
    return {name: 1e3 * float(np.median(values)) for name, values in times.items()}


def _timed(context: openmm.Context, steps: int) -> float:
    begin = time.perf_counter()
    context.getIntegrator().step(steps)
    return time.perf_counter() - begin


def row(model: str, name: str, atoms: ase.Atoms, threads: int, seconds: float) -> str:
    """Return one line of the table."""
    neighbours = 34.0 if atoms.pbc.any() else 10.0
    config = ModelConfig(**COMMON, **MODELS[model], avg_num_neighbors=neighbours)
    contexts = {k: start(s, atoms, threads) for k, s in systems(config, atoms).items()}
    results = {k: energy_and_forces(c) for k, c in contexts.items()}
    energy, forces = results["openmm-ml"]
    mine = results.get("TorchForce", results["PythonForce"])
    rms = np.sqrt(np.mean(forces**2))
    times = milliseconds_per_step(contexts, seconds)
    peer = times["openmm-ml"]
    ours = [times.get(k, np.nan) for k in ("TorchForce", "PythonForce")]
    return (
        f"{model:5s} {name:9s} {len(atoms):5d} {ours[0]:11.2f} {ours[1]:12.2f} {peer:10.2f} "
        f"{peer / ours[0]:11.2f} {peer / ours[1]:12.2f} {abs(mine[0] - energy):10.1e} "
        f"{np.abs(mine[1] - forces).max() / rms:12.1e}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--structures", nargs="+", default=list(structures()))
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing per line")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    for name, settings in MODELS.items():
        if name in arguments.models:
            print(f"model {name}: {settings}, {COMMON['num_features']} features, float32")
    print(
        "model structure atoms  TorchForce  PythonForce  openmm-ml   x (Torch)   x (Python)"
        "   |dE| eV  max|dF|/rms    (ms per step)"
    )
    every = structures()
    for model in arguments.models:
        for name in arguments.structures:
            print(row(model, name, every[name], arguments.threads, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
