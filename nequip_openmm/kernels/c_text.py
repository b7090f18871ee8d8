"""Pieces of C that several writers of code use."""

from __future__ import annotations

from textwrap import indent

from nequip_openmm.kernels.layout import Block

__all__ = ["c_function", "for_atoms", "for_tiles", "in_tile"]


def c_function(name: str, arguments: str, lines: list[str]) -> str:
    """Return the definition of a function without a result."""
    body = indent("\n".join(lines), "    ")
    return f"static void {name}({arguments}) {{\n{body}\n}}\n"


def for_atoms(lines: list[str]) -> list[str]:
    """Return a loop over the atoms n of a tile."""
    return _loop("for (int64_t n = begin; n < end; n++) {", lines) if lines else []


def for_tiles(lines: list[str]) -> list[str]:
    """Return a loop over the tiles of a slot, from ``begin`` to ``end``."""
    end = "const int64_t end = begin + TILE < beyond ? begin + TILE : beyond;"
    return _loop("for (int64_t begin = first; begin < beyond; begin += TILE) {", [end, *lines])


def in_tile(name: str, block: Block, atom: str = "0") -> str:
    """Return where a block, or one atom's part of it, begins in features of a tile, which lie block by block."""
    return f"{name} + (end - begin) * {block.offset} + ({atom}) * {block.size}"


def _loop(head: str, lines: list[str]) -> list[str]:
    return [head, *("    " + line for line in lines), "}"]
