"""Files of a user who never was: a data set, a model without weights, structures, frames of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from gui.demo.molecules import DemoAtoms, methanol, water

if TYPE_CHECKING:
    from gui.demo.pictures.stage import Stage

__all__ = [
    "boxed_water",
    "model_file",
    "preview_of",
    "structure_file",
    "training_file",
    "write_frames",
]


def model_file(
    stage: Stage, name: str = "methanol.safetensors", species: str = "H C O", error: float = 17.9
) -> Path:
    """Write a model that has a header and no weights."""
    document = {
        "format_version": 1,
        "model": {"species": species.split(), "cutoff": 4.0, "num_layers": 4, "l_max": 2},
        "dtype": "float32",
        "metrics": {"test": {"forces_mae_mev_per_angstrom": error}},
    }
    header = json.dumps({"__metadata__": {"nequip-openmm": json.dumps(document)}}).encode()
    path = stage.file(name)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def training_file(stage: Stage, name: str = "methanol.xyz") -> Path:
    """Write two frames with energies and forces, enough to be taken for a data set."""
    atoms = methanol()
    look = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-3140.9 pbc="F F F"'
    return stage.file(name, 2 * _xyz(atoms, look, np.zeros_like(atoms.positions)))


def structure_file(stage: Stage, atoms: DemoAtoms, name: str) -> Path:
    """Write a structure."""
    return stage.file(name, _xyz(atoms, _lattice(atoms)))


def preview_of(atoms: DemoAtoms) -> dict[str, Any]:
    """Return what the reader of structures tells of one."""
    cell = atoms.cell.tolist() if atoms.cell.any() else None
    numbers, positions = atoms.numbers.tolist(), atoms.positions.tolist()
    return {"numbers": numbers, "positions": positions, "cell": cell, "closest": None}


def write_frames(
    folder: Path, atoms: DemoAtoms, n_frames: int, interval: int, *, spread: float = 0.08
) -> Iterator[dict[str, Any]]:
    """Write topology and trajectory of a simulation into its folder; yield the events that tell of its frames."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "topology.pdb").write_text(_pdb(atoms), "utf-8")
    rng = np.random.default_rng(7)
    path, offset = folder / "trajectory.xyz", np.zeros_like(atoms.positions)
    with path.open("a", encoding="utf-8") as file:
        for frame in range(n_frames):
            offset = 0.9 * offset + 0.44 * spread * rng.normal(size=offset.shape)
            moved = atoms._replace(positions=atoms.positions + offset)
            look = f"{_lattice(atoms)} Properties=species:S:1:pos:R:3:forces:R:3 step={frame * interval}"
            file.write(_xyz(moved, look.strip(), -12.0 * offset))
            file.flush()
            size = path.stat().st_size
            yield {"ev": "frame", "step": frame * interval, "path": path.name, "bytes": size, "frames": frame + 1}  # fmt: skip


def boxed_water() -> DemoAtoms:
    """Return 64 molecules of water in a periodic cell."""
    return water(4)


def _lattice(atoms: DemoAtoms) -> str:
    if not atoms.cell.any():
        return ""
    return 'Lattice="' + " ".join(f"{x:.6f}" for x in atoms.cell.ravel()) + '"'


def _xyz(atoms: DemoAtoms, comment: str, forces: Any = None) -> str:
    table = atoms.positions if forces is None else np.hstack([atoms.positions, forces])
    rows = [
        f"{chemical_symbols[number]} " + " ".join(f"{x:.6f}" for x in row)
        for number, row in zip(atoms.numbers, table)
    ]
    return "\n".join([str(len(rows)), comment, *rows]) + "\n"


def _pdb(atoms: DemoAtoms) -> str:
    lines = []
    if atoms.cell.any():
        a = atoms.cell[0, 0]
        lines.append(f"CRYST1{a:9.3f}{a:9.3f}{a:9.3f}  90.00  90.00  90.00 P 1           1")
    for k, (number, (x, y, z)) in enumerate(zip(atoms.numbers, atoms.positions), 1):
        symbol = chemical_symbols[number]
        place = f"{x:8.3f}{y:8.3f}{z:8.3f}"
        lines.append(
            f"HETATM{k:5d} {symbol:<4s} MOL A   1    {place}  1.00  0.00          {symbol:>2s}"
        )
    return "\n".join([*lines, "END"]) + "\n"
