"""Energy drift of a trained potential in the NVE ensemble.

    python -m benchmarks.nve_drift model.safetensors structure.xyz [--picoseconds 20] [--timestep 0.5] [--engines fused reference]

Equilibrates at a temperature with a thermostat, then runs at constant energy, with every engine from the same start, and fits a line
to the total energy. Prints the drift in meV/atom/ps with its standard error, and how far the energy strays from the line. The figure of merit of the
integrator alone is that distance: it is proportional to the square of the time step; a drift that does not shrink with the
time step comes from forces that are not the derivative of the energy, or from arithmetic of too few digits.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from rich.console import Console

from benchmarks.report import Table
from nequip_openmm.analysis.statistics import energy_drift, read_thermo
from nequip_openmm.simulation import SimulationSpec, run_simulation

THERMO_INTERVAL = 10


def main() -> None:
    arguments = _arguments()
    folder = arguments.output or Path(tempfile.mkdtemp(prefix="nve_drift_"))
    start = _equilibrated(arguments, folder)
    table = Table(
        "nve drift",
        ("atoms", "engine", "ps of NVE", "time step fs", "mean temperature K", "drift meV/atom/ps",
         "distance from line meV/atom", "ns/day"),
        4, arguments.markdown,
    )  # fmt: skip
    for engine in arguments.engines:
        spec = SimulationSpec(
            structure=start,
            ensemble="nve",
            steps=_steps(arguments.picoseconds, arguments.timestep),
            **_common(arguments, engine),
        )
        result = run_simulation(spec, folder / engine, console=Console(stderr=True))
        n_atoms = len(ase.io.read(start))
        told = _measured(folder / engine, n_atoms)
        table.add(
            n_atoms, engine, f"{arguments.picoseconds:g}", f"{arguments.timestep:g}", *told,
            f"{result.ns_per_day or 0:.3g}",
        )  # fmt: skip
    if arguments.output is None:
        shutil.rmtree(folder)


def _equilibrated(arguments: argparse.Namespace, folder: Path) -> Path:
    """Return the file of a structure that was in contact with a thermostat."""
    spec = SimulationSpec(
        structure=arguments.structure,
        ensemble="nvt",
        friction=10.0,
        minimise=arguments.minimise,
        steps=_steps(arguments.equilibration, arguments.timestep),
        trajectory_format="xyz",
        **_common(arguments, arguments.engines[0]),
    )
    run_simulation(spec, folder / "equilibration", console=Console(stderr=True))
    start = folder / "start.extxyz"
    ase.io.write(start, ase.io.read(folder / "equilibration" / "trajectory.xyz", "-1"))
    return start


def _common(arguments: argparse.Namespace, engine: str) -> dict[str, Any]:
    return {
        "model": arguments.model,
        "timestep": arguments.timestep,
        "temperature": arguments.temperature,
        "dtype": arguments.dtype,
        "platform": arguments.platform,
        "backend": arguments.backend,
        "engine": engine,
        "thermo_interval": THERMO_INTERVAL,
        "trajectory_interval": THERMO_INTERVAL,
        "checkpoint_interval": 10_000,
    }


def _measured(folder: Path, n_atoms: int) -> tuple[str, str, str]:
    """Return mean temperature, drift with its standard error, and distance from the line."""
    thermo = read_thermo(folder / "thermo.csv")
    time, energy = thermo["time_ps"], thermo["conserved_eV"]
    drift = energy_drift(time, energy, n_atoms)
    quarters = [
        energy_drift(t, e, n_atoms).mev_per_atom_per_ps
        for t, e in zip(np.array_split(time, 4), np.array_split(energy, 4))
    ]
    error = np.std(quarters, ddof=1) / 4**1.5  # that of a line over four times the length
    return (
        f"{thermo['temperature_K'].mean():.0f}",
        f"{drift.mev_per_atom_per_ps:+.5f} ± {error:.5f}",
        f"{drift.rms_mev_per_atom:.5f}",
    )


def _steps(picoseconds: float, timestep_fs: float) -> int:
    return round(1000.0 * picoseconds / timestep_fs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="model file")
    parser.add_argument("structure", type=Path, help="starting structure")
    parser.add_argument("--picoseconds", type=float, default=20.0, help="length of the NVE run")
    parser.add_argument(
        "--equilibration", type=float, default=2.0, help="ps with a thermostat before"
    )
    parser.add_argument("--minimise", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "float64"))
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--backend", default="auto")
    parser.add_argument(
        "--engines", nargs="+", default=["auto"], choices=("auto", "fused", "reference")
    )
    parser.add_argument("--markdown", type=Path, help="file whose table takes the new lines")
    parser.add_argument("--output", type=Path, help="folder to keep both runs in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
