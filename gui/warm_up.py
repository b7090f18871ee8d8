"""Loads what the pages need while nobody waits, so that the first look at a page does not hold the window up.

The window itself opens without NumPy and pyqtgraph. A moment after it is there they are imported one by one, each in a
turn of the event loop of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module

from PySide6.QtCore import QObject, QTimer, Signal

__all__ = ["MODULES", "WarmUp"]

FIRST_MS, NEXT_MS = 600, 40  # after the window is there; between two modules
MODULES = (
    "numpy",
    "ase.data",
    "pyqtgraph",
    "gui.views.common.live_plot",
    "gui.views.molecule.view",
    "gui.views.common.form",
    "gui.views.data.page",
    "nequip_openmm.training.config",
    "gui.views.train.page",
    "nequip_openmm.simulation.spec",
    "gui.views.simulate.page",
    "gui.views.simulate.run_panel",
    "gui.views.quantum.page",
    "gui.views.runs.page",
)


class WarmUp(QObject):
    """Imports modules one after the other.

    Parameters
    ----------
    parent
        Ends it with its own end.
    modules
        Names of the modules, in order.

    Signals
    -------
    finished
        Nothing is left to import.
    """

    finished = Signal()

    def __init__(self, parent: QObject, modules: Sequence[str] = MODULES) -> None:
        super().__init__(parent)
        self._left = list(modules)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._import_next)
        self._timer.start(FIRST_MS)

    def _import_next(self) -> None:
        name = self._left.pop(0)
        try:
            import_module(name)
        except Exception:  # the page that needs it tells, when somebody looks at it
            logging.getLogger(__name__).debug("%s cannot be imported", name, exc_info=True)
        if self._left:
            self._timer.start(NEXT_MS)
        else:
            self.finished.emit()
