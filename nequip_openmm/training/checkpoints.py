"""Checkpoints: all of a training's state in one file, written whole or not at all, read without executing anything."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from nequip_openmm.errors import UserError
from nequip_openmm.runs import atomic_write

__all__ = ["BEST", "FOLDER", "LAST", "load_checkpoint", "save_checkpoint", "save_link"]

FORMAT_VERSION = 1
FOLDER = "checkpoints"
LAST = "last.ckpt"
BEST = "best.ckpt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a training's state; the old file stays until the new one is complete on disk.

    Parameters
    ----------
    path
        Usually ``checkpoints/last.ckpt`` of the run folder.
    state
        Tensors and plain Python values, nested in dicts and lists.
    """
    with atomic_write(path) as temporary:
        torch.save({"format_version": FORMAT_VERSION, **state}, temporary)


def save_link(existing: Path, name: Path) -> None:
    """Give a checkpoint that has just been written a second name; it keeps its content when the first is replaced."""
    temporary = name.with_name(f".{name.name}.link")
    temporary.unlink(missing_ok=True)
    try:
        os.link(existing, temporary)
        temporary.replace(name)
    except OSError:  # a file system without hard links
        with atomic_write(name) as copy:
            copy.write_bytes(existing.read_bytes())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training's state; tensors come to the CPU.

    Raises
    ------
    UserError
        If the file is missing, damaged, foreign or newer than this package.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["format_version"]
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such checkpoint") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a checkpoint of a training, or is damaged") from error
    if version > FORMAT_VERSION:
        raise UserError(
            f"{path} is of format {version}, this version reads up to {FORMAT_VERSION}; update nequip-openmm"
        )
    return dict(state)
