"""The menu of a 3D view: everything that its keys do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from gui.core.atoms import Colouring
from gui.views.molecule.acceleration import acceleration

if TYPE_CHECKING:
    from gui.views.molecule.view import MoleculeView

__all__ = ["molecule_menu"]

_COLOURINGS: tuple[tuple[Colouring, str], ...] = (
    ("element", "Element"),
    ("force", "Force"),
    ("velocity", "Velocity"),
    ("value", "Value"),
)
_SWITCHES = (
    ("shows_bonds", "Bonds\tB"),
    ("shows_cell", "Cell\tC"),
    ("shows_forces", "Forces\tV"),
    ("shows_beads", "Beads"),
    ("is_wrapped", "Wrap molecules into the cell\tW"),
)


def molecule_menu(view: MoleculeView) -> QMenu:
    """Return a menu for a view."""
    menu = QMenu(view)
    _add_colourings(menu, view)
    menu.addSeparator()
    for field, text in _SWITCHES:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(getattr(view.look(), field))
        action.toggled.connect(lambda on, name=field: view.setLook(**{name: on}))
    perspective = menu.addAction("Perspective")
    perspective.setCheckable(True)
    perspective.setChecked(view.hasPerspective())
    perspective.toggled.connect(view.setPerspective)
    _add_acceleration(menu)
    menu.addSeparator()
    menu.addAction("Fit\tF", view.fit)
    for axis, name in enumerate("XYZ"):
        menu.addAction(f"Look along {name.lower()}\t{name}", partial(view.lookAlong, axis))
    return menu


def _add_acceleration(menu: QMenu) -> None:
    """Add the choice of OpenGL; where it was tried and cannot be, say why."""
    state = acceleration()
    action = menu.addAction("Draw with OpenGL" + (f": {state.problem}" if state.problem else ""))
    action.setCheckable(True)
    action.setChecked(state.is_on)
    action.setEnabled(not state.is_trying)
    action.toggled.connect(state.choose)


def _add_colourings(menu: QMenu, view: MoleculeView) -> None:
    """Add what atoms can be coloured by; what is not known of them cannot be chosen."""
    group = QActionGroup(menu)
    snapshot = view.snapshot()
    for colouring, text in _COLOURINGS:
        action = QAction(f"Colour by {text.lower()}", group)
        action.setCheckable(True)
        action.setChecked(view.look().colouring == colouring)
        is_known = snapshot is not None and snapshot.quantity(colouring) is not None
        action.setEnabled(colouring == "element" or is_known)
        action.triggered.connect(lambda _=False, name=colouring: view.setColouring(name))
        menu.addAction(action)
