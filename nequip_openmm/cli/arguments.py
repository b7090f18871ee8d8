"""What the arguments of several commands have in common."""

from __future__ import annotations

from pathlib import Path

from nequip_openmm.errors import UserError

__all__ = ["split_arguments"]


def split_arguments(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """Return the YAML file, if one is named, and the overrides ``key=value``.

    Raises
    ------
    UserError
        If several files are named.
    """
    files = [text for text in arguments if "=" not in text or Path(text).is_file()]
    if len(files) > 1:
        raise UserError(f"expected one YAML file and key=value settings, got {' and '.join(files)}")
    overrides = [text for text in arguments if text not in files]
    return (Path(files[0]) if files else None), overrides
