"""``nequip-openmm import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nequip_openmm.errors import UserError

__all__ = ["import_"]


def import_(
    ckpt: Annotated[
        Path, typer.Argument(metavar="CKPT", help="Lightning checkpoint of nequip-train.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Model file to write (.safetensors).")],
    trust: Annotated[
        bool,
        typer.Option("--trust", help="You know where the checkpoint comes from: it is a pickle."),
    ] = False,
    raw_weights: Annotated[
        bool,
        typer.Option("--raw-weights", help="Take the last weights, not their moving averages."),
    ] = False,
    energy_unit: Annotated[
        str, typer.Option(help="Unit of energy of the training data: eV, kcal/mol, hartree, ...")
    ] = "eV",
) -> None:
    """Turn a checkpoint of the official nequip package into a model file."""
    if out.exists():
        raise UserError(f"{out} exists; choose another name or remove it")
    from nequip_openmm.interop.nequip_checkpoint import import_checkpoint

    info = import_checkpoint(
        ckpt, out, trust=trust, raw_weights=raw_weights, energy_unit=energy_unit
    )
    config = info.config
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"wrote {out}", markup=False)
    console.print(
        f"species {' '.join(config.species)}, cutoff {config.cutoff} Å, {config.num_layers} layers, "
        f"l_max {config.l_max}, {info.dtype}, {info.training['weights']} weights",
        markup=False,
    )
