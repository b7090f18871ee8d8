"""Every widget of the quantum mode can be shown alone, in both themes."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from gui.theme import theme

WIDGETS = (
    "averages_table",
    "bead_plot",
    "convergence_panel",
    "curves_panel",
    "kinetic_panel",
    "lamp_row",
    "log_tabs",
    "page",
    "preview",
    "setup_panel",
)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_is_shown_alone(qtbot: Any, name: str) -> None:
    widget = importlib.import_module(f"gui.views.quantum.{name}")._demo()
    qtbot.addWidget(widget)
    widget.show()
    light = widget.grab()
    theme().choose("dark")
    try:
        dark = widget.grab()
    finally:
        theme().choose("light")
    assert not light.isNull()
    assert light.toImage() != dark.toImage()
