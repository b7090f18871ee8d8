"""Energy drift of a trained potential in the NVE ensemble.

    python benchmarks/nve_drift.py model.safetensors structure.xyz [--picoseconds 20] [--timestep 0.5] [--engine fused]

Equilibrates at a temperature with a thermostat, then runs at constant energy and fits a line to the total energy. Prints the
drift in meV/atom/ps with its standard error, and how far the energy strays from the line. The figure of merit of the
integrator alone is that distance: it is proportional to the square of the time step; a drift that does not shrink with the
time step comes from forces that are not the derivative of the energy, or from arithmetic of too few digits.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from rich.console import Console

from nequip_openmm.analysis.statistics import energy_drift, read_thermo
from nequip_openmm.simulation import SimulationSpec, run_simulation

THERMO_INTERVAL = 10


def main() -> None:
    arguments = _arguments()
    folder = arguments.output or Path(tempfile.mkdtemp(prefix="nve_drift_"))
    console = Console()
    common = {
        "model": arguments.model,
        "timestep": arguments.timestep,
        "temperature": arguments.temperature,
        "dtype": arguments.dtype,
        "platform": arguments.platform,
        "backend": arguments.backend,
        "engine": arguments.engine,
        "thermo_interval": THERMO_INTERVAL,
        "trajectory_interval": THERMO_INTERVAL,
        "checkpoint_interval": 10_000,
        "seed": arguments.seed,
    }
    warm = SimulationSpec(
        structure=arguments.structure,
        ensemble="nvt",
        friction=10.0,
        minimise=True,
        steps=_steps(arguments.equilibration, arguments.timestep),
        trajectory_format="xyz",
        **common,
    )
    run_simulation(warm, folder / "equilibration", console=console)
    start = folder / "start.extxyz"
    ase.io.write(start, ase.io.read(folder / "equilibration" / "trajectory.xyz", "-1"))
    measured = SimulationSpec(
        structure=start,
        ensemble="nve",
        steps=_steps(arguments.picoseconds, arguments.timestep),
        **common,
    )
    result = run_simulation(measured, folder / "nve", console=console)
    _print(folder / "nve", len(ase.io.read(start)), arguments, result.ns_per_day)
    if arguments.output is None:
        shutil.rmtree(folder)


def _print(folder: Path, n_atoms: int, arguments: argparse.Namespace, speed: float | None) -> None:
    thermo = read_thermo(folder / "thermo.csv")
    time, energy = thermo["time_ps"], thermo["conserved_eV"]
    drift = energy_drift(time, energy, n_atoms)
    quarters = [
        energy_drift(t, e, n_atoms).mev_per_atom_per_ps
        for t, e in zip(np.array_split(time, 4), np.array_split(energy, 4))
    ]
    error = np.std(quarters, ddof=1) / 4**1.5  # that of a line over four times the length
    print(f"{n_atoms} atoms, {drift.duration_ps:.1f} ps of {arguments.timestep:g} fs, {arguments.dtype}, "
          f"engine {arguments.engine}, mean temperature {thermo['temperature_K'].mean():.0f} K, {speed or 0:.3g} ns/day")  # fmt: skip
    print(f"drift                 {drift.mev_per_atom_per_ps:+.5f} ± {error:.5f} meV/atom/ps")
    print(f"distance from line    {drift.rms_mev_per_atom:.5f} meV/atom (root mean square)")


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
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "float64"))
    parser.add_argument("--platform", default="auto")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--engine", default="auto", choices=("auto", "fused", "reference"))
    parser.add_argument("--seed", type=int, default=1, help="of the velocities")
    parser.add_argument("--output", type=Path, help="folder to keep both runs in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
