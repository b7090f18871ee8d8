"""The page of the guide that shows every page of the window in every state."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from gui.demo.pictures.drawing import file_name
from gui.theme import Choice

__all__ = ["gallery"]

HEAD = """# Every page in every state

Drawn by `python -m gui.demo.pictures --gallery` from made-up data, light and dark.
"""
PICTURES = "../images/gui"
LOOKS: tuple[Choice, ...] = ("light", "dark")


def gallery(names: Iterable[str]) -> str:
    """Return the page in Markdown; names are ``page-state``."""
    parts = [HEAD]
    for page, scenes in groupby(names, key=_page):
        parts += [f"## {page}", "", "| | light | dark |", "|---|---|---|"]
        parts += [_row(name) for name in scenes]
        parts.append("")
    return "\n".join(parts)


def _row(name: str) -> str:
    state = name.partition("-")[2].replace("-", " ") or name
    pictures = (f"![{name}, {look}]({PICTURES}/{file_name(name, look)})" for look in LOOKS)
    return f"| {state} | {' | '.join(pictures)} |"


def _page(name: str) -> str:
    page, _, state = name.partition("-")
    return page.capitalize() if state else "The window"
