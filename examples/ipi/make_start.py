"""Write methanol.xyz and water.xyz, from which the examples start.

    python make_start.py [--molecules 32]

The comment line of each file tells the cell twice: as i-PI reads it (CELL, with units) and as ASE and the driver do (Lattice).
Water molecules stand on a cubic lattice at 0.997 g/cm³, each turned at random: close to nothing that liquid water looks like, but
without overlaps. Equilibrate before you measure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.io import read
from ase.units import _amu

HERE = Path(__file__).parent
DENSITY = 0.997  # g/cm³
VACUUM_CELL = 30.0  # Å, for a molecule alone: i-PI always wants a cell


def water(n_molecules: int, seed: int = 1) -> Atoms:
    """Return so many molecules in a cubic cell."""
    rng = np.random.default_rng(seed)
    one = molecule("H2O")
    one.positions -= one.get_center_of_mass()
    mass = n_molecules * one.get_masses().sum() * _amu * 1e3  # g
    length = (mass / DENSITY) ** (1 / 3) * 1e8  # cm to Å
    per_edge = int(np.ceil(n_molecules ** (1 / 3)))
    sites = np.stack(np.meshgrid(*[np.arange(per_edge)] * 3), axis=-1).reshape(-1, 3) / per_edge
    chosen = sites[rng.permutation(len(sites))[:n_molecules]] * length
    box = Atoms(cell=[length] * 3, pbc=True)
    for site in chosen:
        turned = one.copy()
        turned.euler_rotate(*rng.uniform(0, 360, 3))
        turned.translate(site)
        box += turned
    return box


def methanol() -> Atoms:
    """Return the molecule of examples/methanol.pdb."""
    atoms = read(HERE.parent / "methanol.pdb")
    return Atoms(atoms.symbols, atoms.positions, cell=[VACUUM_CELL] * 3, pbc=False)


def write_start(atoms: Atoms, path: Path) -> None:
    """Write extended XYZ that i-PI reads as well; for cells with right angles."""
    lengths = "  ".join(f"{x:.5f}" for x in atoms.cell.lengths())
    lattice = " ".join(f"{x:.5f}" for x in atoms.cell.array.ravel())
    pbc = "T T T" if atoms.pbc.all() else "F F F"
    comment = (
        f"# CELL(abcABC): {lengths}  90  90  90  cell{{angstrom}} positions{{angstrom}}  "
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="{pbc}"'
    )
    rows = [
        f"{s:2} {x:12.6f} {y:12.6f} {z:12.6f}"
        for s, (x, y, z) in zip(atoms.symbols, atoms.positions)
    ]
    path.write_text("\n".join([str(len(atoms)), comment, *rows]) + "\n", encoding="utf-8")


def main() -> None:
    """Write both files beside this script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--molecules", type=int, default=32, help="of water (default: 32)")
    given = parser.parse_args()
    write_start(methanol(), HERE / "methanol.xyz")
    write_start(water(given.molecules), HERE / "water.xyz")


if __name__ == "__main__":
    main()
