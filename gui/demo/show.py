"""Shows one widget in a window of its own."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from gui.actions import Action, Actions
from gui.dialogs import Answers
from gui.session import Session
from gui.settings import SettingsStore
from gui.theme import theme

__all__ = ["column", "demo_actions", "demo_session", "show"]


def show(make: Callable[[], QWidget], width: int = 800, height: int = 480) -> None:
    """Show the widget that ``make`` returns; ends with the window.

    ``--dark`` chooses the dark theme, ``--save FILE.png`` writes a picture and ends.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)  # noqa: S101 (made one line above)
    application.setStyle("Fusion")
    theme().choose("dark" if options.dark else "light")
    widget = make()
    widget.resize(width, height)
    widget.show()
    if options.save is None:
        sys.exit(application.exec())
    application.processEvents()
    widget.grab().save(str(options.save))


def demo_session() -> Session:
    """Return a session that touches nothing of the user's."""
    folder = Path(tempfile.mkdtemp(prefix="nequip-openmm-demo-"))
    settings = SettingsStore(folder / "gui.json")
    settings.set("runs_folder", folder / "runs")
    return Session(settings, Answers())


def column(*widgets: QWidget) -> QWidget:
    """Return widgets one below the other, on the ground that pages have."""
    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(24, 24, 24, 24)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return made


def demo_actions(parent: QObject | None = None) -> Actions:
    """Return a few actions, of which none does anything."""
    actions = Actions(parent)
    known = {"file.open": ("Open…", "Ctrl+O"), "view.log": ("Show the log", "Ctrl+L"), "run.start": ("Start", "Ctrl+R"), "run.stop": ("Stop", "Ctrl+.")}  # fmt: skip
    actions.add(Action(id_, title, lambda: None, keys) for id_, (title, keys) in known.items())
    return actions
