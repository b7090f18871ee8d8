"""Runs to report on: one written by hand, whose every number is known, and real ones of i-PI with a harmonic potential."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ipi")

PROPERTIES = (
    "step, time{picosecond}, conserved{electronvolt}, potential{electronvolt}, kinetic_cv{electronvolt}, "
    "kinetic_td{electronvolt}, kinetic_cv(H){electronvolt}, kinetic_td(H){electronvolt}, r_gyration(H){angstrom}, "
    "kinetic_cv(O){electronvolt}, r_gyration(O){angstrom}"
)
INPUT = """<simulation verbosity='quiet'>
<output prefix='simulation'>
<properties stride='{stride}' flush='1000' filename='out'> [ {properties} ] </properties>
<trajectory stride='{stride}' flush='1000' filename='pos' cell_units='angstrom'> positions{{angstrom}} </trajectory>
<trajectory stride='{stride}' flush='1000' filename='xc' cell_units='angstrom'> x_centroid{{angstrom}} </trajectory>
</output>
<total_steps>{steps}</total_steps>
<prng><seed>31</seed></prng>
<ffdirect name='ff'><pes>harmonic</pes><parameters>{{k1:0.36}}</parameters></ffdirect>
<system>
<initialize nbeads='{beads}'><file mode='xyz'>init.xyz</file><velocities mode='thermal' units='kelvin'>300</velocities></initialize>
<forces><force forcefield='ff'/></forces>
<ensemble><temperature units='kelvin'>300</temperature></ensemble>
<motion mode='dynamics'><fixcom>False</fixcom><dynamics mode='nvt' splitting='baoab'>
<timestep units='femtosecond'>0.25</timestep>
<thermostat mode='pile_g'><tau units='femtosecond'>25</tau><pile_lambda>0.5</pile_lambda></thermostat>
</dynamics></motion>
</system>
</simulation>
"""
SYMBOLS = ("O", "H", "H", "O")


def write_input(folder: Path, beads: int, steps: int = 3000, stride: int = 5) -> None:
    """Write ``input.xml`` and the start, O and H in a harmonic trap of 0.36 hartree/bohr²."""
    folder.mkdir(parents=True, exist_ok=True)
    text = INPUT.format(beads=beads, steps=steps, stride=stride, properties=PROPERTIES)
    (folder / "input.xml").write_text(text)
    atoms = "".join(f"{symbol} 0 0 0\n" for symbol in SYMBOLS)
    comment = "# CELL(abcABC): 30 30 30 90 90 90 cell{angstrom} positions{angstrom}"
    (folder / "init.xyz").write_text(f"{len(SYMBOLS)}\n{comment}\n{atoms}")


@pytest.fixture(scope="session")
def harmonic(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return a finished run of i-PI with so many beads."""
    done: dict[int, Path] = {}

    def run(beads: int) -> Path:
        if beads not in done:
            folder = tmp_path_factory.mktemp(f"harmonic-{beads}")
            write_input(folder, beads)
            i_pi = Path(sys.executable).with_name("i-pi")
            with (folder / "i-pi.log").open("w") as log:
                subprocess.run([i_pi, "input.xml"], cwd=folder, stdout=log, stderr=log, check=True, timeout=300)  # fmt: skip
            done[beads] = folder
        return done[beads]

    return run


def frame_text(step: int, shift: float = 0.0, symbols: tuple[str, ...] = SYMBOLS) -> str:
    """Return a frame as i-PI writes it, atoms in a row 1 Å apart."""
    comment = (
        f"# CELL(abcABC):   30.00000    30.00000    30.00000    90.00000    90.00000    90.00000  Step: {step:11d}  "
        "Bead:       0 positions{angstrom}  cell{angstrom}"
    )
    rows = "".join(
        f"{symbol:>8} {k + shift:12.5e} {0.0:12.5e} {0.0:12.5e}\n" for k, symbol in enumerate(symbols)
    )  # fmt: skip
    return f"{len(symbols)}\n{comment}\n{rows}"


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """A run with one bead, written by hand: 10 steps, atoms in a row."""
    write_input(tmp_path, beads=1)
    header = "".join(
        f"# column {k + 1:3d}     --> {name} : help\n"
        for k, name in enumerate(("step", "time{picosecond}", "potential{electronvolt}", "volume"))
    )
    rows = "".join(
        f"  {k:16.8e} {k * 1e-3:16.8e} {-1.0 * k:16.8e} {1e3:16.8e}   \n" for k in range(10)
    )
    (tmp_path / "simulation.out").write_text(header + rows)
    frames = "".join(frame_text(k) for k in range(10))
    for name in ("pos_0", "xc"):
        (tmp_path / f"simulation.{name}.xyz").write_text(frames)
    return tmp_path
