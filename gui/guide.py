"""Where the user guide is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["guide"]

PAGES = {"data": "data", "train": "training", "simulate": "simulation", "quantum": "quantum-nuclei", "runs": "runs"}  # fmt: skip
"""Page of the window -> page of the guide."""


def guide(page: str = "") -> Path:
    """Return the page of the guide about a page of the window, or its first one; the folder if it did not come along."""
    docs = Path(__file__).resolve().parents[1] / "docs"
    found = docs / "gui" / f"{PAGES[page]}.md" if page in PAGES else docs / "gui.md"
    return found if found.is_file() else docs
