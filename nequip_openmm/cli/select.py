"""``nequip-openmm select``: some frames of a data set as a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from nequip_openmm.cli.watched import watched
from nequip_openmm.data.conventions import Keys
from nequip_openmm.data.read import read_dataset
from nequip_openmm.data.write import write_extxyz
from nequip_openmm.errors import UserError

__all__ = ["select"]


def select(
    file: Annotated[Path, typer.Argument(help="Data set.")],
    output: Annotated[Path, typer.Argument(help="Extended XYZ file to write, in eV and Å.")],
    frames: Annotated[
        str,
        typer.Option(
            help="Numbers and ranges counted from 0, such as 3,7,10:20, or a .npy file of numbers.",
            show_default=False,
        ),
    ],
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Write all frames but these.", show_default=False)
    ] = False,
    format: Annotated[str | None, typer.Option(help="Name of the format.")] = None,
    units: Annotated[
        str | None, typer.Option(help="Units of the file, such as kcal/mol/Å.")
    ] = None,
    energy_key: Annotated[str | None, typer.Option(help="Name of the energy in the file.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Name of the forces.")] = None,
    stress_key: Annotated[str | None, typer.Option(help="Name of the stress.")] = None,
    virial_key: Annotated[str | None, typer.Option(help="Name of the virial -dE/dε.")] = None,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FD|PATH",
            help="Write events there, and stop when the standard input says so or ends.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write some frames of a data set to a file of their own."""
    keys = Keys(energy_key, forces_key, stress_key, virial_key)
    if output.exists() and output.samefile(file):
        raise UserError(f"'{output}' is the data set itself; name another file to write")
    with watched("select", events) as stream:
        dataset = read_dataset(file, format=format, units=units, keys=keys, progress=True)
        chosen = _numbers(frames, len(dataset))
        if leave_out:
            chosen = np.setdiff1d(np.arange(len(dataset)), chosen)
        if not len(chosen):
            raise UserError(f"--frames {frames}: no frame is left to write")
        try:
            write_extxyz(output, dataset.subset(chosen), progress=True)
        except OSError as error:
            raise UserError(f"cannot write '{output}': {error.strerror or error}") from error
        stream.emit("result", path=output, frames=len(chosen))
    if events is None:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"{len(chosen)} of {len(dataset)} frames in {output}", markup=False)


def _numbers(text: str, n_frames: int) -> NDArray[np.int64]:
    """Return the frames that a list, or a file of them, names."""
    try:
        found = np.load(text) if text.endswith(".npy") else np.concatenate(_parts(text, n_frames))
        numbers = np.asarray(found).astype(np.int64, casting="safe").reshape(-1)
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise UserError(
            f"--frames {text}: expected numbers and ranges such as 3,7,10:20, or a .npy file of whole numbers ({error})"
        ) from error
    wrong = numbers[(numbers < 0) | (numbers >= n_frames)]
    if len(wrong):
        raise UserError(f"--frames: no frame {wrong[0]}; the data set has 0 to {n_frames - 1}")
    return np.asarray(np.unique(numbers))


def _parts(text: str, n_frames: int) -> list[NDArray[np.int64]]:
    parts = []
    for part in text.split(","):
        begin, colon, end = part.partition(":")
        first = int(begin or 0) if colon else int(begin)
        parts.append(np.arange(first, int(end or n_frames) if colon else first + 1))
    return parts
