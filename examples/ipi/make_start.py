"""Write methanol.xyz and water.xyz, from which the examples start.

    python make_start.py [--cells 2]

The comment line of each file tells the cell twice: as i-PI reads it (CELL, with units) and as ASE and the driver do (Lattice).
Water molecules stand on a face-centred cubic lattice at 0.997 g/cm³, each turned at random: not at all what liquid water looks
like, but without overlaps. Equilibrate before you measure.
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
FCC = 0.5 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])
VACUUM_CELL = 30.0  # Å, for a molecule alone: i-PI always wants a cell


def water(n_cells: int, seed: int = 1) -> Atoms:
    """Return 4 n³ molecules in a cubic cell."""
    rng = np.random.default_rng(seed)
    one = molecule("H2O")
    one.positions -= one.get_center_of_mass()
    mass = 4 * n_cells**3 * one.get_masses().sum() * _amu * 1e3  # g
    length = (mass / DENSITY) ** (1 / 3) * 1e8  # cm to Å
    corners = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3), axis=-1).reshape(-1, 1, 3)
    box = Atoms(cell=[length] * 3, pbc=True)
    for site in (corners + FCC).reshape(-1, 3) * length / n_cells:
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
    parser.add_argument(
        "--cells", type=int, default=2, help="along each edge; 2 are 32 molecules (default: 2)"
    )
    given = parser.parse_args()
    write_start(methanol(), HERE / "methanol.xyz")
    write_start(water(given.cells), HERE / "water.xyz")


if __name__ == "__main__":
    main()
