"""Inputs of i-PI, written independently of the writer under test: one template and the parts that vary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase
import numpy as np

COLUMNS = (
    "step", "time", "conserved", "temperature", "kinetic_md", "kinetic_cv", "kinetic_td",
    "potential", "pressure_cv", "r_gyration",
)  # fmt: skip
NVE = "<motion mode='dynamics'><dynamics mode='nve'><timestep units='femtosecond'>0.25</timestep></dynamics></motion>"

_TEMPLATE = """<simulation verbosity='low' safe_stride='{safe_stride}'>
  <output prefix='simulation'>
    <properties stride='{stride}' filename='out'> [ {columns} ] </properties>
    {trajectories}
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>{seed}</seed></prng>
  {forcefield}
{systems}
</simulation>
"""

_SYSTEM = """  <system prefix='{prefix}'>
    <initialize nbeads='{beads}'>
      <file mode='xyz'> {start} </file>
      {velocities}
    </initialize>
    <forces> <force forcefield='engine'/> </forces>
    {motion}
    <ensemble> <temperature units='kelvin'>{temperature}</temperature> </ensemble>
    {normal_modes}
  </system>"""


@dataclass(frozen=True)
class Simulation:
    """What a test varies in an input; temperatures in kelvin."""

    motion: str = NVE
    beads: int = 1
    steps: int = 20
    temperature: float = 300.0
    columns: tuple[str, ...] = COLUMNS
    stride: int = 1
    trajectories: tuple[str, ...] = ("positions", "forces")
    velocities: bool = True
    normal_modes: str = ""
    seed: int = 31415
    safe_stride: int = 1000

    def xml(self, forcefield: str, n_systems: int = 1) -> str:
        """Return the input for a force field, which must be called 'engine', and systems that share it."""
        written = [
            f"<trajectory filename='{what}' stride='{self.stride}' format='xyz'> {what} </trajectory>"
            for what in self.trajectories
        ]
        prefixes = [f"s{k}" for k in range(n_systems)] if n_systems > 1 else [""]
        systems = [self._system(prefix, start_file(k)) for k, prefix in enumerate(prefixes)]
        return _TEMPLATE.format(
            safe_stride=self.safe_stride,
            stride=self.stride,
            columns=", ".join(self.columns),
            trajectories="\n    ".join(written),
            steps=self.steps,
            seed=self.seed,
            forcefield=forcefield,
            systems="\n".join(systems),
        )

    def _system(self, prefix: str, start: str) -> str:
        thermal = f"<velocities mode='thermal' units='kelvin'>{self.temperature}</velocities>"
        return _SYSTEM.format(
            prefix=prefix,
            start=start,
            beads=self.beads,
            velocities=thermal if self.velocities else "",
            motion=self.motion,
            temperature=self.temperature,
            normal_modes=self.normal_modes,
        )


def start_file(k: int) -> str:
    """Return the name of the start structure of a system."""
    return f"start{k}.xyz"


def ffsocket(
    address: str,
    mode: str = "unix",
    port: int = 0,
    batch_size: int = 1,
    consolidate: bool = True,
    pbc: bool = False,
    extra: str = "",
) -> str:
    """Return the force field that an external client serves."""
    where = f"<port>{port}</port>" if mode == "inet" else ""
    return (
        f"<ffsocket name='engine' mode='{mode}' pbc='{pbc}'><address>{address}</address>{where}"
        f"<batch_size>{batch_size}</batch_size><consolidate_messages>{consolidate}</consolidate_messages>{extra}</ffsocket>"
    )


def ffdirect(
    pes: str, parameters: str, path: Path | None = None, batch_size: int = 1, threaded: bool = False
) -> str:
    """Return the force field that i-PI computes in its own process."""
    file = f"<pes_path>{path}</pes_path>" if path else ""
    return (
        f"<ffdirect name='engine' threaded='{threaded}'><pes>{pes}</pes>{file}"
        f"<parameters>{parameters}</parameters><batch_size>{batch_size}</batch_size></ffdirect>"
    )


def thermostat(
    mode: str, settings: str = "<tau units='femtosecond'>20</tau>", splitting: str = "obabo"
) -> str:
    """Return constant-temperature dynamics with steps of 0.25 fs."""
    return (
        f"<motion mode='dynamics'><fixcom>False</fixcom><dynamics mode='nvt' splitting='{splitting}'>"
        f"<timestep units='femtosecond'>0.25</timestep><thermostat mode='{mode}'>{settings}</thermostat></dynamics></motion>"
    )


def optimiser(mode: str) -> str:
    """Return a geometry optimisation to tight tolerances."""
    return (
        f"<motion mode='minimize'><optimizer mode='{mode}'>"
        "<tolerances><energy>1e-9</energy><force>1e-7</force><position>1e-7</position></tolerances>"
        "</optimizer></motion>"
    )


def write_start(path: Path, atoms: ase.Atoms) -> None:
    """Write the structure as i-PI reads it: lengths in Å and the angles of the cell in the comment."""
    a, b, c, alpha, beta, gamma = atoms.cell.cellpar()
    cell = f"{a:.17g} {b:.17g} {c:.17g} {alpha:.17g} {beta:.17g} {gamma:.17g}"
    rows = [
        f"{symbol} {x:.17g} {y:.17g} {z:.17g}"
        for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions)
    ]
    comment = f"# CELL(abcABC): {cell} positions{{angstrom}} cell{{angstrom}}"
    path.write_text("\n".join([str(len(atoms)), comment, *rows]) + "\n")


def hydrogens(n_atoms: int = 8, width: float = 0.1) -> ase.Atoms:
    """Return atoms within some Å of the origin, where a harmonic potential wants them, in a large cell."""
    scatter = np.random.default_rng(3).normal(scale=width, size=(n_atoms, 3))
    return ase.Atoms(["H"] * n_atoms, scatter, cell=20.0 * np.eye(3), pbc=True)


BEADS = 4
BRIEF = Simulation(motion=thermostat("pile_g"), beads=BEADS, steps=20)
"""A short run for tests that disturb it."""
