"""Every widget that has made-up data of its own is shown alone by it, as ``python -m gui.views.common.live_plot`` does."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget
from shiboken6 import delete, isValid

import gui.views

ROOT = Path(gui.views.__file__).parent
DEMOS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if "\ndef _demo()" in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", DEMOS)
def test_a_widget_is_shown_alone(qtbot: Any, name: str) -> None:
    made = importlib.import_module(f"gui.views.{name}")._demo()
    widget = made[0] if isinstance(made, tuple) else made
    assert isinstance(widget, QWidget)
    widget.show()
    picture = widget.grab().toImage()
    colours = {
        picture.pixel(x, y) for x in range(0, picture.width(), 4) for y in range(picture.height())
    }
    assert len(colours) > 4
    if isValid(widget):
        delete(widget)


def test_there_are_demos() -> None:
    assert len(DEMOS) > 30
