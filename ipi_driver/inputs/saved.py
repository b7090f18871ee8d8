"""A state that an earlier run of i-PI has saved, from which another may start."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from nequip_openmm.errors import StructureError

__all__ = ["check_saved"]


def check_saved(path: Path, symbols: list[str]) -> None:
    """Refuse a RESTART or checkpoint that does not hold these atoms in this order.

    Raises
    ------
    StructureError
        If it is missing, cut short, or of another system.
    """
    try:
        found = ET.parse(path).getroot().findtext(".//beads/names", "")
    except OSError as error:
        raise StructureError(f"start {path}: cannot be read: {error.strerror}") from error
    except ET.ParseError as error:
        raise StructureError(
            f"start {path}: is no RESTART or checkpoint of i-PI, or was cut short"
        ) from error
    names = found.replace("[", " ").replace("]", " ").replace(",", " ").split()
    if not names:
        raise StructureError(f"start {path}: holds no atoms; take a RESTART or checkpoint of i-PI")
    if names != symbols:
        raise StructureError(
            f"start {path}: its atoms or their order ({len(names)} atoms) differ from those of the structure "
            f"({len(symbols)} atoms)"
        )
