"""Data sets: reading, checking, splitting, and turning structures into what the model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nequip_openmm.data.conventions import Keys, UnitSystem
    from nequip_openmm.data.dataset import Dataset
    from nequip_openmm.data.frame import Frame
    from nequip_openmm.data.read import read_dataset

__all__ = ["Dataset", "Frame", "Keys", "UnitSystem", "read_dataset"]

_HOME = {
    "Dataset": "nequip_openmm.data.dataset",
    "Frame": "nequip_openmm.data.frame",
    "Keys": "nequip_openmm.data.conventions",
    "UnitSystem": "nequip_openmm.data.conventions",
    "read_dataset": "nequip_openmm.data.read",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: the window divides frames without waiting for ASE's readers."""
    if name not in _HOME:
        raise AttributeError(f"module 'nequip_openmm.data' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
