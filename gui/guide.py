"""Where the user guide is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["guide"]


def guide() -> Path:
    """Return the folder or page of the guide that came with this installation."""
    docs = Path(__file__).resolve().parents[1] / "docs"
    page = docs / "gui" / "window.md"
    return page if page.is_file() else docs
