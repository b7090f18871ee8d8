"""What a structure file holds, for a window that shows it: ``python -m nequip_openmm.cli.preview FILE [--frame N] --events FD``.

The file is read as `nequip-openmm md` reads it, in a process of its own: a window stays quick and survives what readers do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import ase
import typer
from ase.neighborlist import neighbor_list

from nequip_openmm.cli.app import run_app
from nequip_openmm.cli.watched import watched
from nequip_openmm.data.frame import Frame

__all__ = ["describe", "preview"]

NEAR_ANGSTROM = 0.8  # a little more than the shortest bond, H-H
_DIGITS = 5


def preview(
    structure: Annotated[Path, typer.Argument(help="PDB, PDBx/mmCIF or what ASE reads.")],
    frame: Annotated[int, typer.Option(help="Which structure of a file with several.")] = 0,
    events: Annotated[str | None, typer.Option(metavar="FD|PATH")] = None,
) -> None:
    """Tell atoms, cell and the closest pair of a structure as one ``result`` event."""
    with watched("preview", events) as stream:
        from nequip_openmm.simulation.structure import read_structure

        stream.emit("result", **describe(read_structure(structure, frame).frame))


def describe(frame: Frame) -> dict[str, Any]:
    """Return a structure as values that JSON knows.

    Keys: ``numbers`` (N); ``positions`` (N, 3) Å; ``cell`` (3, 3) Å or None; ``closest`` with ``atoms`` and ``distance_A`` of
    the pair that is closest, if it is closer than a bond can be, else None.
    """
    return {
        "numbers": frame.numbers.tolist(),
        "positions": frame.positions.round(_DIGITS).tolist(),
        "cell": frame.cell.round(_DIGITS).tolist() if frame.pbc.all() else None,
        "closest": _closest(frame),
    }


def _closest(frame: Frame) -> dict[str, Any] | None:
    cell = frame.cell if frame.pbc.any() else None
    atoms = ase.Atoms(frame.numbers, frame.positions, cell=cell, pbc=frame.pbc)
    first, second, distances = neighbor_list(
        "ijd", atoms, NEAR_ANGSTROM
    )  # vesin would load PyTorch
    if len(distances) == 0:
        return None
    pair = int(distances.argmin())
    return {
        "atoms": [int(first[pair]), int(second[pair])],
        "distance_A": float(distances[pair]),
    }


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(preview)
    sys.exit(run_app(app, None))
